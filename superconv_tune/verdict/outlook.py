"""What longer cycles would reach: an extrapolation calibrated on tasks whose truth is known.

Everything is computed in the log odds of an error, log(e / (1 - e)): small errors fall roughly like a power of the
length, and where most labels are noise even the best training hardly moves a large error. Continuing the last step in
length in a straight line promises too much (science 4.3). So the gain is predicted by a line fitted to the gains of the
library, a set of tasks with known truth. The uncertainty comes from the library too: its residuals, in units that grow
with the slope, are the draws of the predicted distribution (split conformal prediction, Vovk et al. 2005; Lei et al.
2018). A gain below the predicted one is measured in shares of it, because there is no negative one; so a steeper step
promises more at every probability. The noise of the user's own measurement is added to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from superconv_tune.verdict.statistics import Spread

REACH = 8.0  # times the longest cycle: how far the library's truth, and so the extrapolation, extends
LEAST_SCALE = 0.1  # least unit of a residual above the predicted gain: even after a flat step much is possible
LEAST_GAIN = 0.01  # least predicted gain, so that there are shares of it
MANY = 1e9  # degrees of freedom that stand for infinitely many

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """One task of the library.

    Attributes:
        family: name of its family; tasks of one family are not independent evidence.
        slope: fall of the log odds per log(length) in the last step in length, as a search of the task saw it.
        gain: true fall of the log odds from the recipe of the search to the best cycle of up to `REACH` times its
            length, at least 0.
    """

    family: str
    slope: float
    gain: float


@dataclass(frozen=True)
class Calibration:
    """A line that predicts the gain of longer cycles, fitted to the library.

    Attributes:
        base: predicted gain after a flat step.
        rate: additional predicted gain per unit of slope; a negative slope counts as a flat one.
        residuals: true minus predicted gain of every task, in the units of `gain_at`, ascending; each prediction is by
            a line fitted without the family of the task.
        of: the tasks, in words.
    """

    base: float
    rate: float
    residuals: tuple[float, ...]
    of: str = "tasks with known truth"

    def gain(self, slope: float) -> float:
        """The predicted gain of `REACH` times the length."""
        return max(LEAST_GAIN, self.base + self.rate * max(slope, 0.0))

    def gain_at(self, slope: float, residual: float) -> float:
        """The gain that lies so far from the predicted one: above it in units of the slope, below in shares of it."""
        predicted = self.gain(slope)
        return max(0.0, predicted + residual * (_above(slope) if residual > 0.0 else predicted))

    def residual(self, task: Known) -> float:
        """How far the gain of a task lies from the predicted one: the inverse of `gain_at`."""
        predicted = self.gain(task.slope)
        return (task.gain - predicted) / (_above(task.slope) if task.gain > predicted else predicted)


def _above(slope: float) -> float:
    return LEAST_SCALE + max(slope, 0.0)


def calibrate(known: Sequence[Known]) -> Calibration:
    """Fit the line, and compute the residuals, of the library.

    Raises:
        ValueError: if there are fewer than three families: the line for one is fitted to at least two others.
    """
    families = sorted({task.family for task in known})
    if len(families) < 3:
        raise ValueError(f"A library needs tasks of three families at least, but got {families}.")
    residuals: list[float] = []
    for family in families:
        line = _line([task for task in known if task.family != family])
        residuals += [line.residual(task) for task in known if task.family == family]
    return Calibration(*_fitted(known), tuple(sorted(residuals)))


def _line(known: Sequence[Known]) -> Calibration:
    return Calibration(*_fitted(known), residuals=())


def _fitted(known: Sequence[Known]) -> tuple[float, float]:
    """Base and rate by least squares; a steeper step never promises less."""
    slopes, gains = np.array([max(task.slope, 0.0) for task in known]), np.array([task.gain for task in known])
    design = np.column_stack([np.ones_like(slopes), slopes])
    base, rate = np.linalg.lstsq(design, gains, rcond=None)[0]
    return (float(base), float(rate)) if rate >= 0.0 else (float(gains.mean()), 0.0)


@dataclass(frozen=True)
class Outlook:
    """The distribution of the error that the best cycle up to the horizon reaches.

    Attributes:
        log_odds: log odds of the error of the recipe at the length at which it was trained.
        se: standard error of ``log_odds``.
        df: degrees of freedom of ``se``.
        gains: equally likely reductions of the log odds up to the horizon, each at least 0.
    """

    log_odds: float
    se: float
    df: float
    gains: tuple[float, ...]

    def probability(self, error: float) -> float:
        """Probability that ``error`` is reached; never 0 or 1, because a task may be unlike all of the library."""
        if not 0.0 < error < 1.0:
            return (1.0 + len(self.gains) * (error >= 1.0)) / (len(self.gains) + 2.0)
        return self._reached(log_odds(error))

    def within(self, share: float) -> Outlook:
        """The outlook for a nearer horizon, given as its share of the way in log(length)."""
        return replace(self, gains=tuple(share * gain for gain in self.gains))

    def error_at(self, probability: float) -> float:
        """The error that is reached with this probability: the inverse of `probability`, by bisection."""
        wide = 40.0 * max(self.se, 1e-3)
        low, high = self.log_odds - float(self._gains.max()) - wide, self.log_odds + wide
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self._reached(middle) < probability else (low, middle)
        return error_of(high)

    def _reached(self, odds: float) -> float:
        z = (odds - self.log_odds + self._gains) / max(self.se, 1e-9)
        return float((1.0 + stdtr(min(self.df, MANY), z).sum()) / (len(self.gains) + 2.0))

    @cached_property
    def _gains(self) -> Array:
        return np.asarray(self.gains)


def outlook(spread: Spread, slope: float, stretch: float, calibration: Calibration) -> Outlook:
    """Predict what cycles of up to ``stretch`` times the length of the recipe reach.

    Args:
        spread: spread of the recipe's accuracy.
        slope: fall of the log odds per log(length) in the last step in length.
        stretch: horizon divided by the length of the recipe; beyond `REACH` no further gain is expected.
        calibration: the line and residuals of the library.
    """
    share = math.log(min(max(stretch, 1.0), REACH)) / math.log(REACH)
    gains = tuple(share * calibration.gain_at(slope, residual) for residual in calibration.residuals)
    error = inside(1.0 - spread.mean, spread.items)
    return Outlook(log_odds(error), _noise(spread) / (error * (1.0 - error)), spread.df, gains)


def pooled(spread: Spread, accuracy: float, items: float) -> Spread:
    """The spread with the accuracy of the same models on so many other items beside it.

    The noise of the items becomes less, each part weighed by how well it is known; that of the seeds stays.
    """
    error = inside(1.0 - accuracy, items)
    before = _noise(spread) ** 2
    here, there = before - spread.by_seed, error * (1.0 - error) / items
    weight = here / (here + there)
    mean = (1.0 - weight) * spread.mean + weight * accuracy
    variance = here * (1.0 - weight) + spread.by_seed
    df = spread.df * (variance / before) ** 2  # after Welch and Satterthwaite: the seeds are what is poorly known
    return Spread(mean, math.sqrt(variance), max(1.0, df), (spread.items or 0.0) + items, by_seed=spread.by_seed)


def _noise(spread: Spread) -> float:
    """The standard error; where all models are right on all items, and there is no spread, that of their number."""
    error = inside(1.0 - spread.mean, spread.items)
    return spread.se or math.sqrt(error / spread.items if spread.items else 0.0)


def slope_between(longer: tuple[float, float], shorter: tuple[float, float]) -> float:
    """Fall of the log odds per log(length) between two (length, error); negative where errors grew."""
    return (log_odds(shorter[1]) - log_odds(longer[1])) / math.log(longer[0] / shorter[0])


def log_odds(error: float) -> float:
    """Log odds of an error: log(e / (1 - e))."""
    return math.log(error / (1.0 - error))


def error_of(odds: float) -> float:
    """The error with these log odds: the inverse of `log_odds`."""
    return 1.0 / (1.0 + math.exp(-odds))


def inside(error: float, items: float | None) -> float:
    """Clamp to [0.5/items, 1 - 0.5/items], or [1e-6, 1 - 1e-6] without items, so that the log odds are finite."""
    least = 0.5 / items if items else 1e-6
    return min(max(error, least), 1.0 - least)
