"""The division of the time budget over cycle lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from superconv_tune.core.space import Choice
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.verdict.verdict import demonstrating

USED = 0.97  # of the time: what a plan may fill
RANKING_STEPS = 80  # optimizer steps of the shortest cycle that ranks learning rates
FEWEST_STEPS = 30  # the same where the budget is too small for that
LEAST_STEPS = 4  # of an epoch: with fewer a larger batch would only mean fewer steps in the epochs that are allowed
FIRST_GRID = 3  # rates that are tried whatever the budget
SEEDS = 2  # least fresh models of a recipe, with which there is an interval
MAX_SEEDS = 8  # most fresh models of a recipe, unless more workers are free at once
MOST_SEEDS = 64  # most even then
WIDEST = 96  # most trials of a rung, unless the workers are more
SPARE_SHARE = 0.6  # of the time that the longest allowed cycle cannot use, for trials of that length
NARROWER = (1.0, 0.75, 0.5)  # factors on the widths, for budgets in which the full ones leave too short a cycle
SIMILAR = 0.8  # throughput, as a share of the best one's, of batch sizes that are all tried (design 6)


@dataclass(frozen=True)
class _Means:
    """What there is to divide.

    Attributes:
        cost: predicts the seconds of a trial.
        brief: what the user asked for; its defaults have the batch size to which lengths refer.
        workers: number of trials at once.
        left_s: wall seconds.
    """

    cost: CostModel
    brief: Brief
    workers: int
    left_s: float

    def trial_s(self, epochs: float) -> float:
        """Seconds of a cycle of the default parameters."""
        return self.cost.seconds(replace(self.brief.defaults, cycle_epochs=epochs), slack=1.0)

    def waves(self, trials: float) -> int:
        """Trials that each worker runs one after the other."""
        return math.ceil(trials / self.workers)

    @property
    def seeds(self) -> int:
        """Fresh models to plan for: enough to demonstrate a target, if there is one."""
        target = self.brief.target
        return seeds_of(SEEDS if target.value is None else demonstrating(target), self.workers)

    def confirm_s(self, epochs: float) -> float:
        """Wall seconds of the confirmation."""
        return self.waves(self.seeds) * self.cost.fresh_s(replace(self.brief.defaults, cycle_epochs=epochs), slack=1.0)

    def widths(self, rungs: int, narrower: float) -> list[int]:
        """Number of trials of each rung: many on the lowest; every worker is busy about ``waves`` times in each."""
        shares = self.brief.division
        first, width = (max(FIRST_GRID, round(narrower * n)) for n in (shares.first, shares.width))
        least = math.ceil(narrower * shares.waves) * self.workers
        return [max(least, first if rung == 0 else width) for rung in range(rungs)]


def starting_size(brief: Brief, cost: CostModel) -> int:
    """The batch size to begin with: the smallest that processes about as many examples per second as the best.

    With it a cycle of the same time has the most steps.
    """
    return min(fast_sizes(brief, cost, SIMILAR), default=brief.defaults.batch_size)


def fast_sizes(brief: Brief, cost: CostModel, share: float) -> list[int]:
    """The batch sizes with this share of the best throughput or more, from the smallest; empty if none is searched.

    Of those with hardly any steps in an epoch there is none but the smallest size of all.
    """
    dimension = brief.space.get("batch_size")
    if not isinstance(dimension, Choice):
        return []
    smallest, *larger = sorted(map(int, dimension.values))
    sizes = [smallest, *(size for size in larger if cost.train_items >= LEAST_STEPS * size)]
    speed = {size: min(size, cost.train_items) / cost.step_seconds(size) for size in sizes}
    best = max(speed.values())
    return [size for size, items_per_s in speed.items() if items_per_s >= share * best]


def seeds_of(least: int, workers: int) -> int:
    """Number of fresh models: at least so many, and every worker trains as many as the others."""
    return min(MOST_SEEDS, workers * math.ceil(least / workers))


def rounded(epochs: float) -> float:
    """A length rounded to three significant digits, for readability."""
    return float(f"{epochs:.3g}")


def divide(
    brief: Brief, cost: CostModel, workers: int, left_s: float, begun: Sequence[RungPlan] = (), trials: int = 0
) -> Plan:
    """Plan the lengths and widths of the rungs for ``left_s`` seconds on ``workers`` workers.

    The longest cycle is the confirmation. Below it lengths fall by `Division.factor`, each with a few trials, down to
    the shortest cycle that ranks learning rates (design 6).

    Args:
        brief: what the user asked for; its defaults have the batch size to which lengths refer.
        cost: predicts the seconds of a trial.
        workers: number of trials at once.
        left_s: wall seconds until the end of the last trial.
        begun: rungs that were begun and stay as they are; the first new one is longer than the last of them.
        trials: number of search trials so far.
    """
    means = _Means(cost, brief, workers, left_s)
    for shortest, narrower in product(_shortest(means, begun), NARROWER):
        lengths = _lengths(means, shortest, narrower, at_least=0 if begun else 1)
        if lengths is not None:
            break
    else:
        return _too_small(means, begun)
    *lower, top = lengths
    widths = means.widths(len(lower) + len(begun), narrower)[len(begun) :]
    spare_s = means.left_s * USED - _needed_s(means, lower, widths, top)
    spare = max(WIDEST, workers) if top >= brief.epochs_bounds[1] else 0
    at_top = min(spare, max(0, int(SPARE_SHARE * spare_s / means.trial_s(top))) * workers)
    room = None if brief.trials is None else max(0, brief.trials - trials)
    rungs = tuple(map(RungPlan, lengths, _cap([*widths, at_top], room, workers)))
    if brief.strategy == "free" and not begun:
        rungs = _free(rungs, brief.trials)
    every = (*begun, *rungs)
    return Plan(every, means.seeds, tuple(means.trial_s(rung.epochs) for rung in every))


def _shortest(means: _Means, begun: Sequence[RungPlan]) -> list[float]:
    """Length of the next rung at least: of enough steps to rank rates, and not shorter than what is around it.

    First the user's shortest length, if that is more; where no such cycles fit, it yields.
    """
    brief = means.brief
    low, high = brief.epochs_bounds
    if begun:
        return [min(high, begun[-1].epochs * math.sqrt(brief.division.factor))]
    steps = RANKING_STEPS / means.cost.steps_per_epoch(brief.defaults.batch_size)
    per_epoch_s = means.trial_s(2.0) - means.trial_s(1.0)
    around = (means.trial_s(1.0) - per_epoch_s) / max(per_epoch_s, 1e-9)  # as many epochs as the rest of a trial takes
    ranking = min(high, max(steps, around))
    return [max(low, ranking), ranking]


def _lengths(means: _Means, shortest: float, narrower: float, at_least: int) -> list[float] | None:
    """Lengths of all rungs and of the confirmation, which fill the time; None if there is too little for them.

    Args:
        means: what there is to divide.
        shortest: length of the lowest rung at least.
        narrower: factor on the widths.
        at_least: least number of rungs below the confirmation.
    """

    def below(top: float) -> list[float]:
        shares = means.brief.division
        length, found = top / shares.stretch, []
        while length >= shortest:
            found.append(rounded(length))
            length /= shares.factor
        return found[::-1] or [min(shortest, top)] * at_least

    def fits(top: float) -> bool:
        lower = below(top)
        return _needed_s(means, lower, means.widths(len(lower), narrower), top) <= USED * means.left_s

    low, high = shortest, max(shortest, means.brief.epochs_bounds[1])
    if not fits(low):
        return None
    if fits(high):
        return [*below(high), high]
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    top = rounded(low)
    return [*below(top), top]


def _needed_s(means: _Means, lower: Sequence[float], widths: Sequence[int], top: float) -> float:
    rungs_s = sum(width / means.workers * means.trial_s(epochs) for epochs, width in zip(lower, widths, strict=True))
    return rungs_s + means.confirm_s(top)


def _too_small(means: _Means, begun: Sequence[RungPlan]) -> Plan:
    """One more rung of a few rates, of cycles as long as fit beside their confirmation."""
    brief = means.brief
    high = brief.epochs_bounds[1]
    low = min(high, FEWEST_STEPS / means.cost.steps_per_epoch(brief.defaults.batch_size))
    waves = means.waves(FIRST_GRID) + means.waves(SEEDS)
    each_s = (USED * means.left_s - means.waves(SEEDS) * means.cost.test_s) / waves
    top = rounded(min(max(means.cost.epochs_in(brief.defaults, each_s, slack=1.0), low), high))
    rungs = (*begun, RungPlan(top, 0 if begun else seeds_of(FIRST_GRID, means.workers)))
    return Plan(rungs, SEEDS, tuple(means.trial_s(rung.epochs) for rung in rungs), is_too_small=not begun)


def _cap(widths: list[int], trials: int | None, workers: int) -> list[int]:
    """Reduce the widest rungs, the lowest of equals first, until the number of trials is at most the user's."""
    if trials is None:
        return widths
    while sum(widths) > trials and max(widths) > 1:
        widest = max(range(len(widths)), key=lambda rung: (widths[rung], -rung))
        widths[widest] -= min(workers, widths[widest] - 1, sum(widths) - trials)
    return widths


def _free(rungs: tuple[RungPlan, ...], trials: int | None) -> tuple[RungPlan, ...]:
    """Two rungs: one that brackets the learning rate, and one in which the sampler chooses the lengths."""
    first = rungs[0].width
    return (rungs[0], RungPlan(rungs[-1].epochs, max(1, (trials or WIDEST) - first), free=True))
