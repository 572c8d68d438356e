"""The division of the hour over cycle lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from superconv_tune.lr.rate_grid import FIRST_POWERS
from superconv_tune.planner.baselines import SHARE as BASELINE_SHARE
from superconv_tune.planner.baselines import below
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.scaling import MIN_STEPS
from superconv_tune.planner.scaling import wall_s as scaling_wall_s
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.verdict.comparison import RATES

SCALING_WAVES = 0.9  # of top cycles that the recipe's other lengths take, on one worker
REFIT_SHARE = 0.96  # of what is left when the top rung begins: it and the confirmation, the rest is slack
MOST_STRETCH = 1.5  # of the top length by a refit; the learning rate was found three times below it
LATE = 0.9  # of the time that the plan still needs: with less the lengths of all rungs to come are shortened
WORTH_REFITTING = 0.04  # a smaller change of the length is noise in the measured speed
MIN_SEEDS, MAX_SEEDS = 3, 8  # of the confirmation; past eight, another seed moves the interval little
RUN_OFF = 3  # contenders that are trained again before one is frozen
RUN_OFF_SEEDS = 3  # of each of them
RUN_OFF_TRIALS = RUN_OFF * (RUN_OFF_SEEDS - 1)  # each was trained once already
MOST_FINALISTS = 6  # configurations that are trained at the top length before one is chosen
FIRST_GRID = len(FIRST_POWERS)  # learning rates that the lowest rung probes before it searches
WIDEST = 96  # trials of one rung; past that the sampler's returns are small


@dataclass(frozen=True)
class _Means:
    cost: CostModel
    brief: Brief
    workers: int
    left_s: float

    def trial_s(self, epochs: float) -> float:
        """Seconds of a cycle of the default parameters; its ramp of a tenth of the steps included."""
        params = replace(self.brief.defaults, cycle_epochs=epochs)
        return self.cost.seconds(params, ramp_steps=self.cost.steps(params) // 10)

    def scaling_s(self, epochs: float) -> float:
        """Seconds of every worker for a recipe of so many epochs at its other lengths."""
        return scaling_wall_s(self.brief, self.cost, replace(self.brief.defaults, cycle_epochs=epochs), self.workers)

    def epochs_in(self, seconds: float) -> float:
        """The longest allowed cycle that ends within ``seconds`` (the shortest allowed one if none does)."""
        low, high = self.brief.epochs_bounds
        per_epoch = self.trial_s(2.0) - self.trial_s(1.0)
        fits = (seconds - (self.trial_s(1.0) - per_epoch)) / max(per_epoch, 1e-9)
        return _round(min(max(fits, low), high))


def divide(brief: Brief, cost: CostModel, workers: int, left_s: float) -> Plan:
    """Lengths and widths of the rungs for ``left_s`` seconds on ``workers`` workers.

    Length beats breadth when the hour is small (design 6), so the top rung is made as long as its share of the time
    allows and the shorter rungs take what is left. Up to a tenth is kept free for other policies, where the plan is
    whole without it and it is enough for one.
    """
    reserved_s = BASELINE_SHARE * left_s if brief.baselines else 0.0
    means = _Means(cost, brief, workers, left_s)
    plan = _divide(replace(means, left_s=left_s - reserved_s))
    needed_s = _baselines_s(means, plan, reserved_s)
    if reserved_s > 0.0 and needed_s == 0.0:
        plan = _divide(means)
    return replace(
        plan, baseline_s=needed_s, scaling_s=0.0 if plan.is_too_small else means.scaling_s(plan.rungs[-1].epochs)
    )


def _divide(means: _Means) -> Plan:
    """The plan for all of the time.

    Time that the longest allowed cycle cannot use: up to a half of it is for the run-off; the rest goes to all lengths
    alike, until it has doubled the share of the shorter ones, and what is left then to the longest.
    """
    brief, workers, left_s = means.brief, means.workers, means.left_s
    shares = brief.division
    seeds = min(MAX_SEEDS, max(MIN_SEEDS, workers * math.ceil(MIN_SEEDS / workers)))
    confirm_waves = math.ceil(seeds / workers)
    waves = math.ceil(shares.finalists / workers) + confirm_waves
    top = means.epochs_in(shares.top_share * left_s / (waves + SCALING_WAVES / workers))
    if waves * means.trial_s(top) > left_s:
        return _too_small(means, top)
    lengths = [*_lower_lengths(means, top), top]
    spare_s = max(0.0, shares.top_share * left_s - (waves + SCALING_WAVES / workers) * means.trial_s(top))
    run_off_s = min(spare_s / 2.0, math.ceil(RUN_OFF_TRIALS / workers) * means.trial_s(top))
    lower, lower_s = len(lengths) - 1, shares.lower_share * left_s / (len(lengths) - 1)
    part_s = min(lower_s, (spare_s - run_off_s) / len(lengths))
    spare_waves = int((shares.top_share * left_s - run_off_s - lower * part_s) / means.trial_s(top)) - confirm_waves
    finalists = max(shares.finalists, workers, min(MOST_FINALISTS, spare_waves * workers))
    widths = _widths(means, lengths, finalists, lower_s + part_s)
    rungs = tuple(map(RungPlan, lengths, _cap(widths, brief.trials, workers)))
    trial_s = tuple(map(means.trial_s, lengths))
    if brief.strategy == "free":
        return Plan(_free(rungs, brief.trials), seeds, (trial_s[0], trial_s[-1]))
    return Plan(rungs, seeds, trial_s, run_off_s=run_off_s)


def refit(brief: Brief, cost: CostModel, workers: int, left_s: float, plan: Plan) -> Plan | None:
    """The plan with its top rung fitted to the time that is left when it begins; None where it fits as it is.

    Late lower rungs must not leave finalists whose anneal is cut, nor early ones time that nobody uses.
    """
    means = _Means(cost, brief, workers, max(0.0, left_s - plan.baseline_s - plan.scaling_s))
    left_s = means.left_s
    *lower, top = plan.rungs
    waves = math.ceil(top.width / workers) + math.ceil(plan.confirm_seeds / workers)
    longest = top.epochs * (MOST_STRETCH if lower and lower[-1].epochs < top.epochs else 1.0)
    epochs = min(means.epochs_in(REFIT_SHARE * left_s / waves), _round(longest))
    if abs(epochs / top.epochs - 1.0) < WORTH_REFITTING:
        return None
    rungs = (*lower, replace(top, epochs=epochs))
    return replace(plan, rungs=rungs, trial_s=(*plan.trial_s[:-1], means.trial_s(epochs)))


def shorten(brief: Brief, cost: CostModel, plan: Plan, first: int, factor: float) -> Plan:
    """The plan with the rungs from ``first`` on shorter by one factor, though none of them shorter than the one below.

    A machine slower than it was measured must cost every length its part, and no length its place in the ladder.
    """
    means = _Means(cost, brief, workers=1, left_s=0.0)
    floor = plan.rungs[first - 1].epochs if first > 0 else brief.epochs_bounds[0]
    begun, later = plan.rungs[:first], plan.rungs[first:]
    shorter = [_round(max(min(floor, rung.epochs), factor * rung.epochs)) for rung in later]
    rungs = (*begun, *(replace(rung, epochs=epochs) for rung, epochs in zip(later, shorter, strict=True)))
    return replace(plan, rungs=rungs, trial_s=tuple(means.trial_s(rung.epochs) for rung in rungs))


def _baselines_s(means: _Means, plan: Plan, reserved_s: float) -> float:
    """Wall seconds of every worker for as many baselines as fit in ``reserved_s``; 0 where not even one does."""
    top = plan.rungs[-1].epochs
    if plan.is_too_small:
        return 0.0
    for policies in range(len(means.brief.baselines), 0, -1):
        for epochs in (top, *below(plan, top)):
            seconds = means.cost.seconds(replace(means.brief.defaults, cycle_epochs=epochs))
            wall_s = math.ceil(policies * RATES / means.workers) * seconds
            if wall_s <= reserved_s:
                return wall_s
    return 0.0


def _too_small(means: _Means, top: float) -> Plan:
    return Plan((RungPlan(top, FIRST_GRID),), MIN_SEEDS, (means.trial_s(top),), is_too_small=True)


def _lower_lengths(means: _Means, top: float) -> list[float]:
    """Shorter lengths, the shortest first; where none is a cycle any more, the top length itself.

    The finalists must not be chosen on the runs that made them look good, so that there are always two rungs.
    """
    low = means.brief.epochs_bounds[0]
    steps_per_epoch = means.cost.steps_per_epoch(means.brief.defaults.batch_size)
    shortest = max(low, MIN_STEPS / steps_per_epoch)
    shares = means.brief.division
    lengths = [top / shares.factor**rung for rung in range(1, shares.lower_rungs + 1)]
    return [_round(epochs) for epochs in reversed(lengths) if epochs >= shortest] or [top]


def _widths(means: _Means, lengths: Sequence[float], finalists: int, share_s: float) -> list[int]:
    """Each lower rung gets the same seconds of all workers; a rung is at most half as wide as the one below."""
    widths: list[int] = []
    for epochs in lengths[:-1]:
        most = max(means.workers, widths[-1] // 2) if widths else WIDEST
        widths.append(_fit(means, epochs, share_s, most))
    return [*widths, min(finalists, widths[-1])]


def _fit(means: _Means, epochs: float, seconds: float, most: int) -> int:
    waves = int(seconds / means.trial_s(epochs))
    return max(min(FIRST_GRID, most), min(most, waves * means.workers))


def _cap(widths: list[int], trials: int | None, workers: int) -> list[int]:
    """Take from the widest rung until the user's number of trials is kept; the top rung goes last."""
    if trials is None:
        return widths
    while sum(widths) > trials and max(widths) > 1:
        widest = max(range(len(widths)), key=lambda rung: (widths[rung], -rung))
        widths[widest] -= min(workers, widths[widest] - 1, sum(widths) - trials)
    return widths


def _free(rungs: tuple[RungPlan, ...], trials: int | None) -> tuple[RungPlan, ...]:
    """The lowest rung probes the learning rate; then the sampler chooses lengths, for as long as there is time."""
    width = max(1, (trials or WIDEST) - FIRST_GRID)
    return (RungPlan(rungs[0].epochs, FIRST_GRID), RungPlan(rungs[-1].epochs, width, free=True))


def _round(epochs: float) -> float:
    """Three significant digits: a length that people can read."""
    return float(f"{epochs:.3g}")
