"""Can the target be reached, and how sure are we?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Word = Literal["demonstrated", "likely", "undecided", "infeasible"]


@dataclass(frozen=True)
class Target:
    """The question: is ``metric`` at least ``value`` (at most, for direction ``min``) within reach?

    ``value`` is None where the user only asks how far one can get.
    """

    metric: str
    direction: Literal["max", "min"]
    value: float | None


@dataclass(frozen=True)
class Estimate:
    """What a fresh model of the recipe is expected to reach on fresh data, with a two-sided interval at ``level``."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        word: the verdict; None where no target was given.
        probability: that the target is reachable, as far as the confirmation tells; None where no target was given.
        estimate: of the confirmed recipe; None where nothing was confirmed.
        reasons: sentences that a manager understands, the most important first.
        warnings: what makes the answer weaker than it looks.
    """

    word: Word | None
    probability: float | None
    estimate: Estimate | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
