"""Intervals for an accuracy that was measured on a finite test part by a few models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # `scipy.stats` takes half a second to import

from superconv_tune.core.bits import Bits
from superconv_tune.verdict.groups import Groups, lower_limit

LEVEL = 0.95  # of the two-sided interval of what was measured
NEGLIGIBLE = 1e-9  # share of a variance that counts as none


@dataclass(frozen=True)
class Spread:
    """A mean with its standard error and degrees of freedom.

    Attributes:
        mean: mean over models (and items).
        se: standard error of the mean.
        df: degrees of freedom of ``se``.
        items: effective number of items of a proportion, ``mean (1 - mean) / se^2``; None if the mean is no proportion.
        groups: the groups that the items of a proportion come in; None if every item stands for itself.
        by_seed: part of ``se^2`` of a proportion that comes from the seeds.
    """

    mean: float
    se: float
    df: float
    items: float | None
    groups: Groups | None = None
    by_seed: float = 0.0

    @property
    def upside_down(self) -> Spread:
        """The spread of `turned` values."""
        return replace(self, mean=self.turned(self.mean), groups=None if self.groups is None else self.groups.wrong)

    def turned(self, value: float) -> float:
        """A value such that higher ones are better where lower ones were: the rest of a proportion, else the negative.

        A negative proportion would lose the noise of the items, which depends on how far it is from 0 and 1.
        """
        return -value if self.items is None else 1.0 - value


def proportion(correct: Bits, groups: NDArray[np.int64] | None = None) -> Spread:
    """The spread of an accuracy over items and seeds.

    ``correct[j, i]`` says whether model j is right on item i. The variance has two sources: which items are in the
    test part, ``Var_i(mean_j correct) / n``, and which seeds were drawn, ``Var_j(accuracy) / m``. Part of the second is
    test-set churn that the first counts already; it is not subtracted, because with three seeds the difference is
    estimated too poorly to be trusted (z intervals with it subtracted missed 6-8 % instead of the nominal 2.5 %).
    Degrees of freedom after Welch and Satterthwaite.

    With ``groups``, the number of its group for each item, groups take the place of items; see
    `superconv_tune.verdict.groups`.

    Raises:
        ValueError: if there is no model or no item.
    """
    models, items = correct.shape
    if models < 1 or items < 1:
        raise ValueError(f"At least one model and one item are needed, but got the shape {correct.shape}.")
    per_item = correct.mean(axis=0)
    mean = float(per_item.mean())
    by_item = float(per_item.var(ddof=1)) / items if items > 1 else 0.25
    by_seed = float(correct.mean(axis=1).var(ddof=1)) / models if models > 1 else 0.0
    if groups is not None:
        return _over_groups(Groups.of(per_item, groups), by_seed, models)
    variance = by_item + by_seed
    if variance == 0.0:  # all right or all wrong: the number of items is all that is known
        return Spread(mean, 0.0, math.inf, float(items))
    df = variance**2 / (by_item**2 / max(1, items - 1) + by_seed**2 / max(1, models - 1))
    effective = mean * (1.0 - mean) / variance
    return Spread(mean, math.sqrt(variance), df, min(effective, float(items * models)), by_seed=by_seed)


def _over_groups(groups: Groups, by_seed: float, models: int) -> Spread:
    """The spread over groups, whose limits hold for any number of them, and over seeds."""
    by_group = groups.standard_error**2
    variance = by_group + by_seed
    df = (models - 1) * (variance / by_seed) ** 2 if by_seed > 0.0 else math.inf
    return Spread(groups.mean, math.sqrt(variance), df, groups.items * by_group / variance, groups, by_seed)


def over_seeds(values: Sequence[float], items_se: float = 0.0) -> Spread:
    """The spread of any metric over seeds, for Student's t on two or more values.

    Args:
        values: metric of every model.
        items_se: standard error of one value from the number of items, which all models share; 0 to leave it out.
            Degrees of freedom after Welch and Satterthwaite, where it counts as known.

    Raises:
        ValueError: with fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"At least two values are needed, but got {len(values)}.")
    by_seed, seeds = float(np.var(values, ddof=1)) / len(values), len(values) - 1
    variance = by_seed + items_se**2
    df = float(seeds)
    if items_se:  # by rounding, equal values may have a variance
        df = math.inf if by_seed < NEGLIGIBLE * variance else seeds * (variance / by_seed) ** 2
    return Spread(mean=float(np.mean(values)), se=math.sqrt(variance), df=df, items=None)


def difference(now: Sequence[float], before: Sequence[float]) -> Spread:
    """The spread of the difference of two means over seeds, with one variance for both (Student's two-sample t).

    Raises:
        ValueError: if there are fewer than three values in all, or none on one side.
    """
    df = len(now) + len(before) - 2
    if df < 1 or not now or not before:
        raise ValueError(f"At least three values are needed, but got {len(now)} and {len(before)}.")
    # Counted from one of them, because means of equal values may differ by rounding.
    sides = [np.asarray(side) - before[0] for side in (now, before)]
    squares = sum(float(side.var()) * len(side) for side in sides)
    se = math.sqrt(squares / df * (1.0 / len(now) + 1.0 / len(before)))
    return Spread(float(sides[0].mean() - sides[1].mean()), se, float(df), None)


def with_known_noise(mean: float, models: int, items: float | None, repeats: Sequence[float]) -> Spread:
    """The spread of a mean over models that are too few to estimate it, with the noise of other seeds.

    Args:
        mean: mean metric of the models.
        models: number of models.
        items: number of items each was evaluated on, for a metric that is a mean over items; None for any other.
        repeats: metric of other models that differ only in their seed; fewer than two give no noise of seeds.

    Returns:
        The spread; its standard error is NaN without items and with fewer than two repeats.
    """
    by_seed = float(np.var(repeats, ddof=1)) / models if len(repeats) > 1 else 0.0
    if items is None:
        known = len(repeats) > 1
        return Spread(mean, math.sqrt(by_seed) if known else math.nan, max(1.0, len(repeats) - 1.0), None)
    # All right or all wrong counts as half an item that went the other way.
    p = min(max(mean, 0.5 / items), 1.0 - 0.5 / items)
    by_item = p * (1.0 - p) / items
    variance = by_item + by_seed
    df = variance**2 / (by_item**2 / max(1, items - 1) + by_seed**2 / max(1, len(repeats) - 1))
    return Spread(mean, math.sqrt(variance), df, p * (1.0 - p) / variance)


def interval(spread: Spread, level: float) -> tuple[float, float]:
    """The two-sided interval at ``level``: Wilson's for a proportion (with t instead of z), else Student's.

    Wilson 1927: ``(p + q^2/2n -+ q sqrt(p (1-p)/n + q^2/4n^2)) / (1 + q^2/n)``.
    """
    q = float(stdtrit(spread.df, 0.5 + level / 2.0))
    if spread.groups is not None:
        lower, upper = (lower_limit(partial(score, each), q, each.mean) for each in (spread, spread.upside_down))
        return lower, 1.0 - upper
    if spread.items is None:
        return spread.mean - q * spread.se, spread.mean + q * spread.se
    n, p = spread.items, spread.mean
    if n <= 0.0:
        return 0.0, 1.0
    centre = (p + q * q / (2 * n)) / (1 + q * q / n)
    half = q * math.sqrt(p * (1 - p) / n + q * q / (4 * n * n)) / (1 + q * q / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def confidence_above(spread: Spread, value: float) -> float:
    """One-sided confidence, in [0, 1], that the true mean is at least ``value``.

    It inverts `interval`: the lower limit at one-sided level c is at least ``value`` exactly if the result is >= c.
    """
    return float(stdtr(spread.df, score(spread, value)))


def score(spread: Spread, value: float) -> float:
    """How many standard errors the mean lies above ``value``; for a proportion as the score test counts them."""
    if spread.items is not None and not 0.0 < value < 1.0:
        return math.inf if value <= 0.0 else -math.inf
    if spread.groups is not None:
        by_groups = spread.groups.score(value)
        return by_groups if by_groups <= 0.0 else (spread.mean - value) / _error_beside(spread, value, by_groups)
    error = error_at(spread, value)
    if error == 0.0:
        return math.inf if spread.mean >= value else -math.inf
    return (spread.mean - value) / error


def error_at(spread: Spread, value: float) -> float:
    """Standard error of the mean if ``value`` were true: it differs from ``spread.se`` only for a proportion.

    With groups it is the error with which a normal distribution gives the same confidence.
    """
    if spread.groups is not None:
        by_groups = spread.groups.score(value)
        return _error_beside(spread, value, by_groups) if by_groups > 0.0 else spread.se
    if spread.items is None:
        return spread.se
    return math.sqrt(value * (1.0 - value) / spread.items) if spread.items > 0 else math.inf


def _error_beside(spread: Spread, value: float, by_groups: float) -> float:
    """Standard error at ``value``, over groups with this normal score and over seeds."""
    return math.hypot((spread.mean - value) / by_groups, math.sqrt(spread.by_seed))


def of_one_model(correct: Bits, groups: NDArray[np.int64] | None, level: float) -> tuple[float, float]:
    """The interval of one model's accuracy on other items, or on other groups where items come in groups.

    Args:
        correct: whether it is right on each item, shape [items].
        groups: number of the group of each item; None if every item stands for itself.
        level: of the two-sided interval.
    """
    if groups is None:
        return wilson(float(correct.mean()), len(correct), level)
    return interval(proportion(correct[None], groups), level)


def wilson(value: float, items: float, level: float) -> tuple[float, float]:
    """Wilson's interval of one model's accuracy ``value`` on ``items`` items."""
    return interval(Spread(value, 0.0, math.inf, float(items)), level)
