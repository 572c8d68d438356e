"""The answer of a proposer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from superconv_tune.record.purpose import Proposal


@dataclass(frozen=True)
class Proposed:
    """Parameters to try.

    Attributes:
        proposal: identifies them to the proposer.
        params: values by name.
    """

    proposal: Proposal
    params: Mapping[str, float]
