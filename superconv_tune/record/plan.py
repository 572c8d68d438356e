"""How the time budget is divided: planned once the speed is known, and stored in the journal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RungPlan:
    """One rung of the ladder: trials with cycles of one length.

    Attributes:
        epochs: length of every cycle; the longest allowed length where the sampler chooses it.
        width: number of trials to ask for.
        free: whether the sampler chooses the length (``strategy: free``).
    """

    epochs: float
    width: int
    free: bool = False


@dataclass(frozen=True)
class Plan:
    """The division of the time budget.

    Attributes:
        rungs: the rungs, shortest first; the confirmation uses the length of the last one, the top rung.
        confirm_seeds: least number of fresh seeds that confirm the winner.
        trial_s: predicted seconds of one cycle of each rung.
        is_too_small: whether the budget has too little time for the shortest plan; then one rung is searched and
            confirmed as far as it fits.
        baseline_s: wall seconds reserved on every worker for the comparison with other policies.
        scaling_s: the same for training the recipe at other lengths.
        run_off_s: the same for fresh seeds of the best configurations of the top rung.
    """

    rungs: tuple[RungPlan, ...]
    confirm_seeds: int
    trial_s: tuple[float, ...]
    is_too_small: bool = False
    baseline_s: float = 0.0
    scaling_s: float = 0.0
    run_off_s: float = 0.0
