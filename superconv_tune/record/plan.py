"""How the time budget is divided: planned once the speed is known, and stored in the journal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RungPlan:
    """One rung of the ladder: trials with cycles of one length.

    Attributes:
        epochs: length of every cycle; the longest allowed length where the sampler chooses it.
        width: number of trials to ask for, more only while the best learning rate lies at the border of those tried.
        free: whether the sampler chooses the length (``strategy: free``).
    """

    epochs: float
    width: int
    free: bool = False


@dataclass(frozen=True)
class Plan:
    """The division of the time budget.

    Attributes:
        rungs: the rungs, shortest first; the confirmation has the length of the last one, the top rung, which has
            trials of its own only where time or workers are left.
        confirm_seeds: number of fresh seeds that confirm the recipe; more only while the question is open.
        trial_s: predicted seconds of one cycle of each rung.
        is_too_small: whether the budget has too little time for a cycle that ranks learning rates; then a few are
            compared and the best is confirmed as far as it fits.
        family: the family whose cycles it divides, where a study has several.
    """

    rungs: tuple[RungPlan, ...]
    confirm_seeds: int
    trial_s: tuple[float, ...]
    is_too_small: bool = False
    family: str = ""
