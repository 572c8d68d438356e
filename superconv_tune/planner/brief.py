"""What the user decided about the search, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Dimension, Interval, SearchSpace
from superconv_tune.lr.lr_range import RAMP_INTERVAL_ELSE, RAMP_INTERVALS
from superconv_tune.lr.schedule import Schedule
from superconv_tune.verdict.verdict import Target


@dataclass(frozen=True)
class Division:
    """How the time is divided over cycle lengths; the defaults are judged in ``benchmarks/division``.

    Attributes:
        top_share: of the time after the first range tests: the longest search cycles and their confirmation.
        lower_share: of it: the shorter cycles, the same for each length; the rest is slack.
        factor: each rung's cycles are so much longer than the last one's (design: ``T0 * 3^r``).
        lower_rungs: shorter lengths, at most; with none the search has the length of its confirmation.
        finalists: configurations that are trained at the top length before one is chosen, at least.
    """

    top_share: float = 0.80
    lower_share: float = 0.14
    factor: float = 3.0
    lower_rungs: int = 3
    finalists: int = 1


@dataclass(frozen=True)
class Brief:
    """How the hour is to be spent.

    Attributes:
        target: the question.
        space: what may be searched; ``cycle_epochs`` bounds the ladder.
        defaults: the parameters that are tried first.
        optimizer: its name in the spec.
        schedule: of the cycles.
        strategy: ``ladder`` (the planner fixes the length per rung) or ``free`` (the sampler chooses it).
        seed: every trial's seed derives from it.
        trials: most search trials to ask for; None leaves it to the time.
        item_level: the metric is a mean over items, so that items can be counted.
        report_s: seconds kept free before the deadline for the verdict, the report and the shut-down.
        baselines: schedules that the searched one is compared with, the most wanted first.
        horizon: length in epochs up to which cycles are asked about; None for what the verdict can tell at most.
        division: of the time over cycle lengths.
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

    @property
    def epochs_bounds(self) -> tuple[float, float]:
        """Shortest and longest cycle that the user allows."""
        return bounds(self.space.get("cycle_epochs"), self.defaults.cycle_epochs)

    @property
    def ramp_interval(self) -> tuple[float, float]:
        """Learning rates that the first ramps cross."""
        return RAMP_INTERVALS.get(self.optimizer, RAMP_INTERVAL_ELSE)


def bounds(dimension: Dimension | None, fixed: float) -> tuple[float, float]:
    """Least and greatest value of a dimension; a parameter that is not searched has one value."""
    if dimension is None:
        return fixed, fixed
    if isinstance(dimension, Interval):
        return dimension.low, dimension.high
    return min(dimension.values), max(dimension.values)
