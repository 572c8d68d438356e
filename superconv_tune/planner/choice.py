"""Which configuration becomes the recipe, how long its cycle is, and how many fresh models confirm it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.planner.divide import SEEDS, seeds_of
from superconv_tune.planner.learned import WEIGHED_RUNGS, point_of
from superconv_tune.planner.situation import Situation
from superconv_tune.planner.surface import Point, Surface
from superconv_tune.record.plan import Plan
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.outlook import log_odds
from superconv_tune.verdict.verdict import demonstrating

TIGHT = 1.04  # factor on the predicted seconds of the last cycles: their speed is known, and a late one is cut a little
HELD_BACK_S = 0.5  # by which a cycle is to end before its deadline (`superconv_tune.trial.pace`)
LEAST_LENGTH = 0.25  # of the cycle it comes from, below which a recipe is not worth a confirmation
SAFELY = 2.0  # standard errors by which a configuration, or a fit, must pass the target to be confirmed before the end
FAR = 1.0  # in log odds: a target so far above what the longest cycles reached is not demonstrated by more seeds


@dataclass(frozen=True)
class Choice:
    """A recipe to freeze, and the number of its fresh models."""

    recipe: Recipe
    seeds: int


def looks_reached(situation: Situation) -> bool:
    """Whether the best cycle of a higher rung passes the target by more than noise explains."""
    target = situation.brief.target.value
    if target is None or situation.brief.strategy == "free":
        return False
    latest, surface = situation.learned.latest(situation.learned.rungs), situation.learned.surface
    if latest is None or latest[0] == 0 or surface is None:
        return False
    return surface.expected(*latest) - situation.learned.yardstick.worth(target) > SAFELY * surface.noise


def choose(situation: Situation, plan: Plan, *, may_lengthen: bool = True) -> Choice | None:
    """The recipe for the time that is left; None without a complete cycle, or without time for a useful one.

    Unless it may lengthen them, its cycles are no longer than those that the search found best.
    """
    surface = situation.learned.surface
    if surface is None:
        return None
    rung, leader = _best_rung(situation, surface)
    origin = _origin(situation, rung, leader)
    point = _between_rates(situation, surface, rung, leader)
    longest = _longest(situation, plan, rung, leader) if may_lengthen else leader.params.cycle_epochs
    for seeds in (_seeds(situation, surface, rung, leader), SEEDS):
        epochs = min(longest, fitting_epochs(situation, point, seeds))
        if epochs >= LEAST_LENGTH * leader.params.cycle_epochs:
            recipe = replace(Recipe.of(origin, number=1), max_lr=point.max_lr)
            return Choice(recipe.with_epochs(epochs), seeds)
    return None


def expected_of_search(situation: Situation) -> tuple[float, float]:
    """Expected worth of the best cycles of the search, and the usual standard error of one value.

    Raises:
        ValueError: before the first complete cycle.
    """
    surface = situation.learned.surface
    if surface is None:
        raise ValueError("no cycle is complete yet, so nothing can be expected.")
    return surface.expected(*_best_rung(situation, surface)), surface.noise


def fitting_epochs(situation: Situation, point: Point, seeds: int) -> float:
    """Length of the cycle with which so many fresh models take all the time that is left, to three digits."""
    each_s = _each_s(situation, seeds) - situation.cost.test_s - HELD_BACK_S
    epochs = situation.cost.epochs_in(point.params, each_s, TIGHT)
    return math.floor(epochs * 10.0 ** _digits(epochs)) / 10.0 ** _digits(epochs)


def _each_s(situation: Situation, seeds: int) -> float:
    """Seconds for each of so many fresh models: on free workers, or on all of them when the last trial has ended."""
    limit, now = situation.limit, situation.now
    ends = [max(now, situation.expected_end(request)) for request in situation.study.running()]
    free = situation.study.workers - len(ends)
    later = (limit - max(ends, default=now)) / situation.waves(seeds)
    return max(later, (limit - now) / math.ceil(seeds / free)) if free > 0 else later


def _digits(epochs: float) -> int:
    """Decimals that leave three significant digits."""
    return 2 - math.floor(math.log10(epochs)) if epochs > 0.0 else 0


def _best_rung(situation: Situation, surface: Surface) -> tuple[int, Point]:
    """The highest rung whose best is not clearly worse than that of a shorter one, and its best configuration.

    Where longer cycles over-train it is not the highest.
    """
    latest = situation.learned.latest(situation.learned.rungs)
    assert latest is not None  # otherwise there were no surface
    rungs = range(max(0, latest[0] - WEIGHED_RUNGS + 1), latest[0] + 1)
    leaders = [(rung, found) for rung in rungs if (found := situation.learned.leader(rung)) is not None]
    expected = [surface.expected(*each) for each in leaders]
    good = [each for each, worth in zip(leaders, expected, strict=True) if worth >= max(expected) - surface.noise]
    return good[-1]


def _longest(situation: Situation, plan: Plan, rung: int, leader: Point) -> float:
    """Longest cycle for the recipe: of the next rung where the target looks reached, or as long as is allowed.

    Where longer cycles over-train it is that of the rung the recipe comes from, and where training runs away from
    validation not much longer.
    """
    epochs, learned = leader.params.cycle_epochs, situation.learned
    longest = max(situation.brief.epochs_bounds[1], epochs)
    if learned.latest(learned.rungs) != (rung, leader):
        return epochs
    if learned.runs_away(rung, leader):
        return min(longest, situation.brief.division.guarded * epochs)
    if looks_reached(situation):
        return epochs * plan.rungs[min(rung + 1, len(plan.rungs) - 1)].epochs / plan.rungs[rung].epochs
    return longest


def _origin(situation: Situation, rung: int, point: Point) -> Trial:
    """The first complete cycle with this configuration."""
    return next(trial for trial in situation.learned.finished(rung) if point_of(trial.request) == point)


def _between_rates(situation: Situation, surface: Surface, rung: int, leader: Point) -> Point:
    """The leader, or half a step beside it where the surface between it and a tried neighbour is higher."""
    half = math.sqrt(GRID_FACTOR)
    candidates = [leader]
    candidates += [
        leader.at_rate(leader.max_lr * factor)
        for factor in (half, 1.0 / half)
        if _has_neighbour(situation.learned.finished(rung), leader.at_rate(leader.max_lr * factor**2))
    ]
    return candidates[int(np.argmax(surface.mean(candidates, rung)))]


def _has_neighbour(trials: Sequence[Trial], point: Point) -> bool:
    return any(point_of(trial.request).is_like(point) for trial in trials)


def _seeds(situation: Situation, surface: Surface, rung: int, leader: Point) -> int:
    """Fresh models: as many as can demonstrate the target, fewer where it is far or there is none; all workers work."""
    is_far = _is_far(situation, surface, rung, leader)
    least = SEEDS if is_far else demonstrating(situation.brief.target)
    return seeds_of(least, situation.study.workers)


def _is_far(situation: Situation, surface: Surface, rung: int, leader: Point) -> bool:
    """Whether there is no target, or one far above what the best configuration reached in shorter cycles."""
    target, learned = situation.brief.target.value, situation.learned
    if target is None:
        return True
    if learned.yardstick.items is None:
        return False
    wanted, reached = learned.yardstick.worth(target), surface.expected(rung, leader)
    return log_odds(learned.error(reached)) - log_odds(learned.error(wanted)) > FAR
