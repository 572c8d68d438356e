"""What a proposer answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Proposal:
    """Parameters to try.

    Attributes:
        study: key of the rung.
        number: of the trial within it.
        params: plain numbers by name.
    """

    study: str
    number: int
    params: Mapping[str, float]
