"""Which configuration becomes the recipe, how long its cycle is, and how many fresh models confirm it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.planner.divide import DEMONSTRATING_SEEDS, MOST_SEEDS, SEEDS
from superconv_tune.planner.situation import WEIGHED_RUNGS, Situation, point_of
from superconv_tune.planner.surface import Point
from superconv_tune.record.plan import Plan
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Trial

TIGHT = 1.04  # factor on the predicted seconds of the last cycles: their speed is known, and a late one is cut a little
LEAST_LENGTH = 0.25  # of the cycle it comes from, below which a recipe is not worth a confirmation
SAFELY = 2.0  # standard errors by which a configuration must pass the target to be confirmed before the end
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
    (rung, leader), surface = _latest(situation), situation.surface
    if rung == 0 or leader is None or surface is None:
        return False
    expected = float(surface.mean([leader], rung)[0])
    return expected - situation.yardstick.worth(target) > SAFELY * surface.noise


def choose(situation: Situation, plan: Plan) -> Choice | None:
    """The recipe for the time that is left; None without a complete cycle, or without time for a useful one."""
    rung, leader = _best_rung(situation)
    if leader is None:
        return None
    origin = _origin(situation, rung, leader)
    point = _between_rates(situation, rung, leader)
    longest = _longest(situation, plan, rung, leader)
    for seeds in (_seeds(situation, rung, leader), SEEDS):
        epochs = min(longest, fitting_epochs(situation, point, seeds))
        if epochs >= LEAST_LENGTH * leader.params.cycle_epochs:
            recipe = replace(Recipe.of(origin, number=1), max_lr=point.max_lr)
            return Choice(recipe.with_epochs(epochs), seeds)
    return None


def fitting_epochs(situation: Situation, point: Point, seeds: int) -> float:
    """Length of the cycle with which so many fresh models take all the time that is left, to three digits."""
    each_s = (situation.limit - situation.now) / situation.waves(seeds)
    epochs = situation.cost.epochs_in(point.params, each_s, TIGHT)
    return math.floor(epochs * 10.0 ** _digits(epochs)) / 10.0 ** _digits(epochs)


def _digits(epochs: float) -> int:
    """Decimals that leave three significant digits."""
    return 2 - math.floor(math.log10(epochs)) if epochs > 0.0 else 0


def _latest(situation: Situation) -> tuple[int, Point | None]:
    """The highest rung with a complete cycle, and its best configuration."""
    found = ((rung, situation.leader(rung)) for rung in reversed(range(situation.rungs)))
    return next(((rung, leader) for rung, leader in found if leader is not None), (0, None))


def _best_rung(situation: Situation) -> tuple[int, Point | None]:
    """The highest rung whose best is not clearly worse than that of a shorter one, and its best configuration.

    Where longer cycles over-train it is not the highest.
    """
    latest, leader = _latest(situation)
    surface = situation.surface
    if leader is None or surface is None:
        return latest, leader
    rungs = range(max(0, latest - WEIGHED_RUNGS + 1), latest + 1)
    leaders = [(rung, found) for rung in rungs if (found := situation.leader(rung)) is not None]
    expected = [float(surface.mean([found], rung)[0]) for rung, found in leaders]
    good = [each for each, worth in zip(leaders, expected, strict=True) if worth >= max(expected) - surface.noise]
    return good[-1]


def _longest(situation: Situation, plan: Plan, rung: int, leader: Point) -> float:
    """Longest cycle for the recipe: of the next rung where the target looks reached, or as long as is allowed.

    Where longer cycles over-train, it is the length of the rung that the recipe comes from.
    """
    epochs = leader.params.cycle_epochs
    if rung < _latest(situation)[0]:
        return epochs
    if looks_reached(situation):
        return epochs * plan.rungs[min(rung + 1, len(plan.rungs) - 1)].epochs / plan.rungs[rung].epochs
    return max(situation.brief.epochs_bounds[1], epochs)


def _origin(situation: Situation, rung: int, point: Point) -> Trial:
    """The first complete cycle with this configuration."""
    return next(trial for trial in situation.finished(rung) if point_of(trial.request) == point)


def _between_rates(situation: Situation, rung: int, leader: Point) -> Point:
    """The leader, or half a step beside it where the surface between it and a tried neighbour is higher."""
    surface = situation.surface
    assert surface is not None
    half = math.sqrt(GRID_FACTOR)
    candidates = [leader]
    candidates += [
        leader.at_rate(leader.max_lr * factor)
        for factor in (half, 1.0 / half)
        if _has_neighbour(situation.finished(rung), leader.at_rate(leader.max_lr * factor**2))
    ]
    return candidates[int(np.argmax(surface.mean(candidates, rung)))]


def _has_neighbour(trials: Sequence[Trial], point: Point) -> bool:
    return any(point_of(trial.request).is_like(point) for trial in trials)


def _seeds(situation: Situation, rung: int, leader: Point) -> int:
    """Fresh models: as many as can demonstrate the target, fewer where it is far or there is none; all workers work."""
    least = SEEDS if _is_far(situation, rung, leader) else DEMONSTRATING_SEEDS
    workers = situation.study.workers
    return min(MOST_SEEDS, workers * math.ceil(least / workers))


def _is_far(situation: Situation, rung: int, leader: Point) -> bool:
    """Whether there is no target, or one far above what the best configuration reached in shorter cycles."""
    target, yardstick, surface = situation.brief.target.value, situation.yardstick, situation.surface
    if target is None:
        return True
    if surface is None or yardstick.items is None:
        return False
    reached = float(surface.mean([leader], rung)[0])
    return _odds(target, yardstick.items) - _odds(reached, yardstick.items) > FAR


def _odds(share: float, items: int) -> float:
    """Log odds of a share, which is no nearer to 0 or 1 than half an item."""
    inside = min(max(share, 0.5 / items), 1.0 - 0.5 / items)
    return math.log(inside / (1.0 - inside))
