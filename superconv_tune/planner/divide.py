"""The division of the time budget over cycle lengths."""

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

SCALING_WAVES = 0.9  # time for the recipe's other lengths, in top cycles on one worker
REFIT_SHARE = (
    0.96  # share, for the top rung and the confirmation, of the time left when the top rung begins; the rest is slack
)
MOST_STRETCH = (
    1.5  # most factor on the top length by a refit; the learning rate was found at a third of the planned length
)
LATE = 0.9  # share of the time that the plan still needs: with less, the rungs to come are shortened
WORTH_REFITTING = 0.04  # relative change of the length; a smaller one is noise in the measured speed
MIN_SEEDS, MAX_SEEDS = 3, 8  # fresh seeds of the confirmation; beyond eight, another seed hardly narrows the interval
RUN_OFF = 3  # most contenders that are trained again before one is frozen
RUN_OFF_SEEDS = 3  # of each of them, including its search trial
RUN_OFF_TRIALS = RUN_OFF * (RUN_OFF_SEEDS - 1)  # each was already trained once
MOST_FINALISTS = 6  # most configurations that the plan trains at the top length before one is chosen
FIRST_GRID = len(FIRST_POWERS)  # learning rates that the lowest rung probes before it searches
WIDEST = 96  # most trials of one rung; beyond that the sampler improves little


@dataclass(frozen=True)
class _Means:
    """What a division depends on: predicted costs, the brief, the workers and the seconds left."""

    cost: CostModel
    brief: Brief
    workers: int
    left_s: float

    def trial_s(self, epochs: float) -> float:
        """Seconds of a cycle of the default parameters, including a ramp of a tenth of its steps."""
        params = replace(self.brief.defaults, cycle_epochs=epochs)
        return self.cost.seconds(params, ramp_steps=self.cost.steps(params) // 10)

    def scaling_s(self, epochs: float) -> float:
        """Wall seconds on every worker to train a recipe of ``epochs`` at its other lengths."""
        return scaling_wall_s(self.brief, self.cost, replace(self.brief.defaults, cycle_epochs=epochs), self.workers)

    def epochs_in(self, seconds: float) -> float:
        """Length of the longest allowed cycle that takes at most ``seconds``; the shortest allowed one if none does."""
        low, high = self.brief.epochs_bounds
        per_epoch = self.trial_s(2.0) - self.trial_s(1.0)
        fits = (seconds - (self.trial_s(1.0) - per_epoch)) / max(per_epoch, 1e-9)
        return _round(min(max(fits, low), high))


def divide(brief: Brief, cost: CostModel, workers: int, left_s: float) -> Plan:
    """Plan the lengths and widths of the rungs for ``left_s`` seconds on ``workers`` workers.

    With little time long cycles matter more than many trials (design 6), so the top rung is as long as its share of the
    time allows, and the shorter rungs get the rest. Up to a tenth is reserved for other policies, if a complete plan
    fits without it and it is enough for one policy.
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
    """Plan for all of ``means.left_s``.

    Of the time that the longest allowed cycle cannot use, up to half is for the run-off. The rest is divided equally
    over all lengths until the share of the shorter ones has doubled; what is then left goes to the longest.
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
    """The plan with the top rung fitted to the time left when it begins; None if it fits already.

    Without this, late lower rungs would cut the anneal of the finalists, and early ones would leave time unused.
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
    """The plan with all rungs from ``first`` on shortened by one factor, but none below the length of the rung before.

    If the machine is slower than measured, every length must shrink, and no rung may drop out of the ladder.
    """
    means = _Means(cost, brief, workers=1, left_s=0.0)
    floor = plan.rungs[first - 1].epochs if first > 0 else brief.epochs_bounds[0]
    begun, later = plan.rungs[:first], plan.rungs[first:]
    shorter = [_round(max(min(floor, rung.epochs), factor * rung.epochs)) for rung in later]
    rungs = (*begun, *(replace(rung, epochs=epochs) for rung, epochs in zip(later, shorter, strict=True)))
    return replace(plan, rungs=rungs, trial_s=tuple(means.trial_s(rung.epochs) for rung in rungs))


def _baselines_s(means: _Means, plan: Plan, reserved_s: float) -> float:
    """Wall seconds on every worker for as many baselines as fit into ``reserved_s``; 0 if none does."""
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
    """Lengths of the lower rungs, shortest first; the top length itself if anything shorter is too short for a cycle.

    There are always two rungs, because finalists must not be chosen by the runs that made them look good.
    """
    low = means.brief.epochs_bounds[0]
    steps_per_epoch = means.cost.steps_per_epoch(means.brief.defaults.batch_size)
    shortest = max(low, MIN_STEPS / steps_per_epoch)
    shares = means.brief.division
    lengths = [top / shares.factor**rung for rung in range(1, shares.lower_rungs + 1)]
    return [_round(epochs) for epochs in reversed(lengths) if epochs >= shortest] or [top]


def _widths(means: _Means, lengths: Sequence[float], finalists: int, share_s: float) -> list[int]:
    """Number of trials of each rung. Lower rungs get equal time; a rung is at most half as wide as the one below."""
    widths: list[int] = []
    for epochs in lengths[:-1]:
        most = max(means.workers, widths[-1] // 2) if widths else WIDEST
        widths.append(_fit(means, epochs, share_s, most))
    return [*widths, min(finalists, widths[-1])]


def _fit(means: _Means, epochs: float, seconds: float, most: int) -> int:
    waves = int(seconds / means.trial_s(epochs))
    return max(min(FIRST_GRID, most), min(most, waves * means.workers))


def _cap(widths: list[int], trials: int | None, workers: int) -> list[int]:
    """Reduce the widest rungs, the lowest of equals first, until the number of trials is at most the user's."""
    if trials is None:
        return widths
    while sum(widths) > trials and max(widths) > 1:
        widest = max(range(len(widths)), key=lambda rung: (widths[rung], -rung))
        widths[widest] -= min(workers, widths[widest] - 1, sum(widths) - trials)
    return widths


def _free(rungs: tuple[RungPlan, ...], trials: int | None) -> tuple[RungPlan, ...]:
    """Two rungs: one that probes the learning rate, and one in which the sampler chooses the lengths."""
    width = max(1, (trials or WIDEST) - FIRST_GRID)
    return (RungPlan(rungs[0].epochs, FIRST_GRID), RungPlan(rungs[-1].epochs, width, free=True))


def _round(epochs: float) -> float:
    """Round a length to three significant digits, for readability."""
    return float(f"{epochs:.3g}")
