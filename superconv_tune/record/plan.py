"""How the hour is divided: decided once the speed is known, and kept in the journal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RungPlan:
    """One length of the ladder.

    Attributes:
        epochs: length of every cycle; the longest allowed one where the sampler chooses the length.
        width: trials to ask for.
        free: the sampler chooses the length (``strategy: free``).
    """

    epochs: float
    width: int
    free: bool = False


@dataclass(frozen=True)
class Plan:
    """The division of the hour.

    Attributes:
        rungs: shortest first; the last is the top rung, whose length the confirmation uses too.
        confirm_seeds: fresh seeds of the winner, at least.
        trial_s: predicted seconds of one cycle of each rung.
        is_too_small: whether the budget has too little time for the shortest plan; then one rung is searched and
            confirmed as far as it fits.
        baseline_s: wall seconds of every worker that are kept free for the comparison with other policies.
        scaling_s: the same for the recipe at other lengths.
        run_off_s: the same for fresh seeds of the best configurations, which shorter rungs leave to the top one.
    """

    rungs: tuple[RungPlan, ...]
    confirm_seeds: int
    trial_s: tuple[float, ...]
    is_too_small: bool = False
    baseline_s: float = 0.0
    scaling_s: float = 0.0
    run_off_s: float = 0.0
