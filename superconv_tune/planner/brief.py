"""What the user asked for, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Dimension, Interval, SearchSpace
from superconv_tune.lr.lr_range import RAMP_INTERVAL_ELSE, RAMP_INTERVALS
from superconv_tune.lr.rate_grid import FALLBACK_LR, FALLBACK_LR_ELSE, PRETRAINED
from superconv_tune.lr.schedule import Schedule
from superconv_tune.verdict.verdict import Target


@dataclass(frozen=True)
class Division:
    """How the time is divided over cycle lengths; ``benchmarks/division`` evaluates the defaults.

    Attributes:
        factor: ratio of the cycle lengths of neighbouring rungs.
        stretch: length of the confirmation divided by that of the longest rung.
        guarded: the same where training runs away from validation, so that longer cycles gain little and more
            regularisation may gain more.
        first: number of trials of the lowest rung, whose cycles cost next to nothing.
        width: number of trials of every other rung.
        waves: least number of trials that each worker runs in a rung, however many workers there are.
    """

    factor: float = 3.0
    stretch: float = 6.0
    guarded: float = 2.0
    first: int = 10
    width: int = 5
    waves: int = 2


@dataclass(frozen=True)
class Brief:
    """What the user asked for, and how the time budget may be spent.

    Attributes:
        target: the metric, and the value to reach.
        space: the search space; ``cycle_epochs`` bounds the ladder.
        defaults: default parameters, which are tried first.
        optimizer: name of the optimizer in the spec.
        schedule: schedule of the searched cycles.
        strategy: ``ladder`` (the planner fixes the length per rung) or ``free`` (the sampler chooses it).
        seed: the seed from which the seeds of all trials are derived.
        trials: most search trials; None if only the time limits them.
        item_level: whether the metric is a mean over items, so that its noise follows from their number.
        report_s: seconds reserved before the deadline for the verdict, the report and the shut-down.
        baselines: schedules to compare the searched one with, the most important first.
        horizon: longest cycle that the question covers, in epochs; None for the longest that the verdict can predict.
        division: how the time is divided over cycle lengths.
        fine_tuned: names of the families whose pretrained weights are trained, for which smaller learning rates are
            tried first; empty text for a single network.
        family: the family whose trials are asked for; empty for a single network.
    """

    target: Target
    space: SearchSpace
    defaults: Hyperparameters
    optimizer: str
    schedule: Schedule
    strategy: Literal["ladder", "free"]
    seed: int
    trials: int | None
    item_level: bool
    report_s: float
    baselines: tuple[Schedule, ...] = ()
    horizon: float | None = None
    division: Division = field(default_factory=Division)
    fine_tuned: frozenset[str] = frozenset()
    family: str = ""

    @property
    def epochs_bounds(self) -> tuple[float, float]:
        """Shortest and longest cycle that the user allows."""
        return bounds(self.space.get("cycle_epochs"), self.defaults.cycle_epochs)

    @property
    def ramp_interval(self) -> tuple[float, float]:
        """Lowest and highest learning rate of the first ramps."""
        low, high = RAMP_INTERVALS.get(self.optimizer, RAMP_INTERVAL_ELSE)
        return low * self._rate_factor, high * self._rate_factor

    @property
    def fallback_lr(self) -> float:
        """Centre of the first grid if the ramp gave no result, as on pretrained weights that no rate improves."""
        return FALLBACK_LR.get(self.optimizer, FALLBACK_LR_ELSE) * self._rate_factor

    @property
    def _rate_factor(self) -> float:
        return PRETRAINED if self.family in self.fine_tuned else 1.0


def bounds(dimension: Dimension | None, fixed: float) -> tuple[float, float]:
    """Least and greatest value of a dimension; a parameter that is not searched has one value."""
    if dimension is None:
        low = high = fixed
    elif isinstance(dimension, Interval):
        low, high = dimension.low, dimension.high
    else:
        low, high = min(dimension.values), max(dimension.values)
    return float(low), float(high)  # as the journal reads them; a spec may say 5 for 5.0
