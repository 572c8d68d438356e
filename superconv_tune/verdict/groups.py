"""A proportion whose items come in groups, such as the images of a patient: what groups that nobody saw may be like.

Items of a group are right or wrong together, so that the number of groups counts and not the number of items. The usual
standard error over groups fails where it matters most: if one patient in fifty is all wrong, thirty patients show none
with probability one half, and look far more alike than patients are. So nothing is assumed about how alike the items of
a group are. The limits are those of Gaffke (2005, Mathematical Methods of Statistics 14, pages 451-467; compared with
others by Learned-Miller & Thomas 2020, arXiv:1905.06208): groups get the random weights of a Bayesian bootstrap (Rubin
1981), and one more group that was not seen gets such a weight too, with nothing right for the lower limit, and
everything right for the upper one. For groups that are all right or all wrong these are the limits of Clopper and
Pearson; that they hold for all others is a conjecture, and that they hold for groups of unequal sizes an extension of
it. `tests/verdict/test_groups.py` simulates both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 8  # groups, with fewer of which an interval says little
USUAL = 1.96  # standard errors to the limits from which the effective number of items is computed
HALVINGS = 25  # of an interval, for limits that are found by bisection
MOST_STEPS, EXACT = 60, 1e-13  # of the search for a saddlepoint
CLOSE = 1e-4  # normal scores so near to 0 need the limit of the formula

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """The accuracy of every group.

    Attributes:
        right: share of the items of each group that are right, shape [groups].
        weights: number of items of each group, divided by its mean, shape [groups].
    """

    right: Array
    weights: Array

    @staticmethod
    def of(correct: NDArray[Any], groups: NDArray[np.int64]) -> Groups:
        """The groups of some items.

        Args:
            correct: for each item, how often it is right, from 0 to 1, shape [items].
            groups: the number of its group, shape [items].
        """
        _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        right = np.bincount(places, weights=correct.astype(np.float64)) / sizes
        return Groups(right, sizes / sizes.mean())

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.right)

    @property
    def mean(self) -> float:
        """Share of all items that are right."""
        return float(np.average(self.right, weights=self.weights))

    @property
    def wrong(self) -> Groups:
        """The same with right and wrong exchanged."""
        return Groups(1.0 - self.right, self.weights)

    def score(self, value: float) -> float:
        """Normal score of the confidence that the true share is at least ``value``, if an unseen group is all wrong."""
        return _score_above_zero(np.append(self.weights * (self.right - value), -value))

    def limits(self, normal_score: float) -> tuple[float, float]:
        """The lower and the upper limit, each at the confidence with this normal score."""
        lower, upper = (lower_limit(each.score, normal_score, 1.0) for each in (self, self.wrong))
        return lower, 1.0 - upper

    @cached_property
    def standard_error(self) -> float:
        """Half the width of the 95 % interval, in usual standard errors."""
        low, high = self.limits(USUAL)
        return (high - low) / (2.0 * USUAL)

    @property
    def items(self) -> float:
        """Number of independent items with such a standard error."""
        least = 0.5 / len(self)
        mean = min(max(self.mean, least), 1.0 - least)
        return mean * (1.0 - mean) / self.standard_error**2


def lower_limit(score: Callable[[float], float], least: float, most: float) -> float:
    """The largest value from 0 to ``most`` whose score is ``least`` or more, by bisection.

    Args:
        score: falls from 0 to ``most``.
        least: score of the limit.
        most: largest possible limit.
    """
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if score(middle) >= least else (low, middle)
    return low


def _score_above_zero(factors: Array) -> float:
    """Normal score of the probability that a weighted sum of exponential variables is above 0.

    By the saddlepoint of its cumulants (Barndorff-Nielsen 1986; Reid 1988, "Saddlepoint methods and statistical
    inference"), which is right within a few per cent of a tail probability, from two terms on.
    """
    if factors.max() <= 0.0:
        return -math.inf
    if factors.min() >= 0.0:
        return math.inf
    c = factors / np.abs(factors).max()
    s = _saddlepoint(c)
    root = math.copysign(math.sqrt(max(0.0, 2.0 * float(np.log1p(-s * c).sum()))), s)
    if abs(root) < CLOSE:
        return -root - float((c**3).sum() / (c**2).sum() ** 1.5) / 3.0
    return -(root + math.log(s * math.sqrt(float(((c / (1.0 - s * c)) ** 2).sum())) / root) / root)


def _saddlepoint(c: Array) -> float:
    """Where the cumulant function of the sum has slope 0, by Newton's method between its two poles."""
    low, high, s = 1.0 / float(c.min()), 1.0 / float(c.max()), 0.0
    for _ in range(MOST_STEPS):
        terms = c / (1.0 - s * c)
        slope = float(terms.sum())
        low, high = (low, s) if slope > 0.0 else (s, high)
        before, s = s, s - slope / float(terms @ terms)
        s = s if low < s < high else (low + high) / 2.0
        if abs(s - before) <= EXACT * (high - low):
            break
    return s
