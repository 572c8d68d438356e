"""What longer cycles would reach: extrapolation that was held against tasks whose truth is known.

All of it happens in the log odds of an error, log(e / (1 - e)): small errors fall about like a power of the length, and
where most labels are noise even the best training moves a large error by little. A straight continuation of the last
step in length promises too much (science 4.3). So the gain is predicted by a line through the gains of the library, a
set of tasks with known truth, and what is left to chance comes from there too: its residuals are the draws of the
distribution that is told here (split conformal prediction, Vovk et al. 2005; in units of how wrong a prediction of the
kind may be, Lei et al. 2018), to which the noise of one's own measurement is added.
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

REACH = 8.0  # times the longest cycle: how far the library's truth goes, and with it the extrapolation
STEEPEST = 0.15  # fall of the log odds per log(length) beyond which a slope says only that training has hardly begun
LEAST_SCALE = 0.1  # of a residual, in slopes: even after a flat step a gain is not certain to be none
MANY = 1e9  # degrees of freedom that are as good as infinitely many

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """One task of the library.

    Attributes:
        family: tasks of one family are no independent witnesses.
        slope: fall of the log odds per log(length) in the last step in length, as a search of the task saw it.
        gain: true fall of the log odds from the recipe of the search to the best cycle of up to `REACH` times its
            length, at least 0.
    """

    family: str
    slope: float
    gain: float


@dataclass(frozen=True)
class Calibration:
    """What the library teaches.

    Attributes:
        base: gain that is predicted after a flat step.
        rate: gain that is predicted for every unit of slope more, up to `STEEPEST`.
        residuals: true minus predicted gain of every task, in units of `scale`, rising; each by a line that its own
            family had no part in.
    """

    base: float
    rate: float
    residuals: tuple[float, ...]

    def gain(self, slope: float) -> float:
        """The gain that is predicted for `REACH` times the length."""
        return self.base + self.rate * _within(slope)


def scale(slope: float) -> float:
    """What a predicted gain may be wrong by, up to a factor that is the same for all tasks."""
    return LEAST_SCALE + _within(slope)


def calibrate(known: Sequence[Known]) -> Calibration:
    """Line and residuals of the library.

    Raises:
        ValueError: if there are fewer than three families, of which two are needed for the line of the third.
    """
    families = sorted({task.family for task in known})
    if len(families) < 3:
        raise ValueError(f"A library needs tasks of three families at least, but got {families}.")
    residuals: list[float] = []
    for family in families:
        line = _line([task for task in known if task.family != family])
        residuals += [
            (task.gain - line.gain(task.slope)) / scale(task.slope) for task in known if task.family == family
        ]
    return Calibration(*_fitted(known), tuple(sorted(residuals)))


def _line(known: Sequence[Known]) -> Calibration:
    return Calibration(*_fitted(known), residuals=())


def _fitted(known: Sequence[Known]) -> tuple[float, float]:
    """Base and rate by least squares."""
    design = np.array([[1.0, _within(task.slope)] for task in known])
    base, rate = np.linalg.lstsq(design, np.array([task.gain for task in known]), rcond=None)[0]
    return float(base), float(rate)


def _within(slope: float) -> float:
    return min(max(slope, 0.0), STEEPEST)


@dataclass(frozen=True)
class Outlook:
    """The distribution of the error that the best cycle up to the horizon reaches.

    Attributes:
        log_odds: of the error of the recipe as it was trained.
        se: standard error of that.
        df: degrees of freedom of ``se``.
        gains: equally likely falls of the log odds up to the horizon, each at least 0.
    """

    log_odds: float
    se: float
    df: float
    gains: tuple[float, ...]

    def probability(self, error: float) -> float:
        """That the error gets down to ``error``; neither 0 nor 1, for a task may be unlike all of the library."""
        if not 0.0 < error < 1.0:
            return (1.0 + len(self.gains) * (error >= 1.0)) / (len(self.gains) + 2.0)
        return self._reached(log_odds(error))

    def within(self, share: float) -> Outlook:
        """The same for a nearer horizon, by its share of the way in log(length)."""
        return replace(self, gains=tuple(share * gain for gain in self.gains))

    def error_at(self, probability: float) -> float:
        """The error that is reached with this probability: inverse of `probability`, by bisection."""
        wide = 40.0 * max(self.se, 1e-3)
        low, high = self.log_odds - float(self._gains.max()) - wide, self.log_odds + wide
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self._reached(middle) < probability else (low, middle)
        return 1.0 / (1.0 + math.exp(-high))

    def _reached(self, odds: float) -> float:
        z = (odds - self.log_odds + self._gains) / max(self.se, 1e-9)
        return float((1.0 + stdtr(min(self.df, MANY), z).sum()) / (len(self.gains) + 2.0))

    @cached_property
    def _gains(self) -> Array:
        return np.asarray(self.gains)


def outlook(spread: Spread, slope: float, stretch: float, calibration: Calibration) -> Outlook:
    """What cycles up to ``stretch`` times the length of the recipe reach.

    Args:
        spread: of the recipe's accuracy on the test part.
        slope: fall of the log odds per log(length) in the last step in length.
        stretch: horizon over the length of the recipe; beyond `REACH` nothing more is expected.
        calibration: of the library.
    """
    share = math.log(min(max(stretch, 1.0), REACH)) / math.log(REACH)
    expected, unit = calibration.gain(slope), scale(slope)
    gains = tuple(max(0.0, share * (expected + unit * residual)) for residual in calibration.residuals)
    error = inside(1.0 - spread.mean, spread.items)
    # Where all models are right on everything there is no spread, and the number of items alone bounds the error.
    se = spread.se or math.sqrt(error / spread.items if spread.items else 0.0)
    return Outlook(log_odds(error), se / (error * (1.0 - error)), spread.df, gains)


def slope_between(longer: tuple[float, float], shorter: tuple[float, float]) -> float:
    """Fall of the log odds per log(length) between two (length, error); negative where errors grew."""
    return (log_odds(shorter[1]) - log_odds(longer[1])) / math.log(longer[0] / shorter[0])


def log_odds(error: float) -> float:
    """log(e / (1 - e))."""
    return math.log(error / (1.0 - error))


def inside(error: float, items: float | None) -> float:
    """An error that has log odds: none seen among so many items says no more than "fewer than half a one"."""
    least = 0.5 / items if items else 1e-6
    return min(max(error, least), 1.0 - least)
