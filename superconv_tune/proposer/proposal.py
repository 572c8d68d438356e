"""What a proposer answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from superconv_tune.record.purpose import Proposal


@dataclass(frozen=True)
class Proposed:
    """Parameters to try.

    Attributes:
        proposal: where the proposer keeps them.
        params: plain numbers by name.
    """

    proposal: Proposal
    params: Mapping[str, float]
