"""How sure it is that a fresh training reaches the target with probability at least q.

A training misses if it diverges, collapses, or ends below the target. Two tests are joined (Bonferroni):

* *Alike*: no training failed, and those that end well are normally distributed. If each fails with probability c, the
  share of the others that reach the target need only be q / (1 - c), and to see no failure among n has probability
  (1 - c)^n. The p-value is the largest of ``(1 - c)^n P(T >= t)`` over c up to `MOST_FAILURES`, where T is Student's t,
  noncentral by that share's quantile (the tolerance limit of a normal distribution; Hahn & Meeker 1991, chapter 4).
* *Counted*: nothing is assumed. An order statistic of the trainings, failed ones at the bottom, is a lower limit for
  the quantile (David & Nagaraja 2003, section 7.1), and its own limit counts the test items.

The second needs many trainings, and holds however many of them fail; three can pass only the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, nctdtr, ndtr, ndtri

from superconv_tune.verdict.groups import Groups
from superconv_tune.verdict.statistics import Spread, confidence_above, error_at, score

MIN_MODELS = 3  # with fewer fresh models nothing is demonstrated, because the spread over seeds would be a guess
MOST_FAILURES = 0.2  # share of trainings that may fail without one being seen; few trainings cannot exclude more
COUNTED_SHARE = 0.2  # of the level, for the test that assumes nothing
LEAST_P = 1e-12
MANY = 1e6  # degrees of freedom from which Student's t is normal
NEARLY_ALL = 1.0 - 1e-9
FAILURES = np.linspace(0.0, MOST_FAILURES, 21)  # shares of failing trainings at which the p-value is computed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trainings:
    """Fresh trainings of one recipe; higher values are better.

    Attributes:
        values: metric of those that ended well.
        spread: spread of their mean.
        failed: number of those that diverged.
        items: number of items behind each value; None for a metric that is no mean over items.
        groups: for each value, how often the items of every group are right; empty if every item stands for itself.
        items_se: standard error of each value from the number of test items, for a metric that is no mean over items;
            0 where it is not known.
    """

    values: Sequence[float]
    spread: Spread
    failed: int = 0
    items: int | None = None
    groups: Sequence[Groups] = ()
    items_se: float = 0.0

    @property
    def number(self) -> int:
        """Number of trainings, failed ones included."""
        return len(self.values) + self.failed

    @property
    def mirrored(self) -> Trainings:
        """The same with turned values, for a metric of which lower ones are better; see `Spread.turned`."""
        values, groups = map(self.spread.turned, self.values), (each.wrong for each in self.groups)
        return replace(self, values=list(values), spread=self.spread.upside_down, groups=list(groups))

    def single_confidences(self, value: float) -> list[float]:
        """Confidence, for each model by itself, that it would reach ``value`` on all items; the worst model first."""
        if self.groups:
            ranked = sorted(self.groups, key=lambda groups: groups.mean)
            return [float(ndtr(groups.score(value))) for groups in ranked]
        items = None if self.items is None else float(self.items)
        return [confidence_above(Spread(each, self.items_se, math.inf, items), value) for each in sorted(self.values)]


def p_value(trainings: Trainings, value: float, share: float) -> float:
    """Probability of trainings as good, or better, if a fresh one reached ``value`` with less than this probability.

    It is at least `LEAST_P`, below which rounding would decide.
    """
    alike = _p_alike(trainings, value, share) / (1.0 - COUNTED_SHARE)
    counted = _p_counted(trainings, value, share) / COUNTED_SHARE
    return max(LEAST_P, min(1.0, alike, counted))


def least_models(share: float, level: float) -> int:
    """Number of fresh models with which a demonstration at this level is possible."""
    if share < 1.0 - MOST_FAILURES:
        return MIN_MODELS
    return max(MIN_MODELS, math.ceil(math.log(level * (1.0 - COUNTED_SHARE)) / math.log(share)))


def least_p(well: int, failed: int, share: float) -> float:
    """The p-value of so many trainings had all that ended well passed any target: no others have a lower one.

    Args:
        well: number of trainings that ended well.
        failed: number of those that diverged.
        share: probability with which a fresh training is to reach the target.
    """
    number = well + failed
    unseen = share**number if share >= 1.0 - MOST_FAILURES else 0.0  # all others must reach the target, and did
    alike = 1.0 if failed or well < 2 else unseen / (1.0 - COUNTED_SHARE)
    counted = 2.0 * float(bdtrc(well - 1, number, share)) / COUNTED_SHARE
    return max(LEAST_P, min(1.0, alike, counted))


def possible_failures(number: int, confidence: float = 0.95) -> float:
    """The largest probability of a failure with which none among so many trainings is no surprise."""
    return 1.0 - math.pow(1.0 - confidence, 1.0 / number)


def _p_alike(trainings: Trainings, value: float, share: float) -> float:
    if trainings.failed or len(trainings.values) < 2:
        return 1.0
    # From the share at which all others must reach the target no value is evidence: the p-value is highest there.
    spread, survivors = trainings.spread, 1.0 - np.append(FAILURES, min(MOST_FAILURES, 1.0 - share))
    wanted = share / survivors  # share of the others that must reach the target; from 1 on no value is evidence
    error = error_at(spread, value)
    seeds = float(np.std(trainings.values, ddof=1))
    apart = seeds / error if error > 0.0 else math.sqrt(trainings.number) * (seeds > 0.0)
    # NOTE: the spread over models includes what the finite test part adds to it, so that `apart` is rather too large.
    centre = ndtri(np.minimum(wanted, NEARLY_ALL)) * apart
    beyond = np.where(wanted < NEARLY_ALL, _upper_tail(score(spread, value), spread.df, centre), 1.0)
    return float(np.max(survivors**trainings.number * beyond))


def _upper_tail(t: float, df: float, centre: Array) -> Array:
    """Probability that noncentral Student's t is larger than ``t``."""
    if math.isinf(t):
        return np.full_like(centre, float(t < 0.0))
    tail: Array = ndtr(centre - t) if df > MANY else 1.0 - nctdtr(df, centre, t)
    return tail


def _p_counted(trainings: Trainings, value: float, share: float) -> float:
    """Twice the larger of two p-values, of the trainings and of the items, for the best order statistic.

    For a given level it is one order statistic: the highest that the number of trainings allows.
    """
    number = trainings.number
    below = np.arange(trainings.failed, number)  # trainings that may miss; the next one is the limit
    by_training = bdtrc(number - below - 1, number, share)
    by_items = [1.0 - confidence for confidence in trainings.single_confidences(value)]
    return min(1.0, 2.0 * float(np.min(np.maximum(by_training, by_items), initial=1.0)))
