"""What longer cycles, or more data, would reach: extrapolation that was held against tasks whose truth is known.

Errors fall about like a power of the length, so all of it happens in log(error). A straight continuation of the last
step in length promises too much (science 4.3), so the gain that it predicts is shrunk, and what is left to chance is
taken from the library of tasks with known truth: its residuals are the draws of the distribution that is predicted
here (split conformal prediction, Vovk et al. 2005), to which the noise of one's own measurement is added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from superconv_tune.core.statistics import Spread

REACH = 8.0  # times the longest cycle: how far the library's truth goes, and with it the extrapolation
MANY = 1e9  # degrees of freedom that are as good as infinitely many
SMALLEST_SLOPE = 0.03  # below it a residual is no longer measured in slopes: even a flat step leaves that much open

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """One task of the library.

    Attributes:
        family: tasks of one family are no independent witnesses.
        slope: fall of log(error) per log(length) in the last step, as a search of the task saw it.
        gain: true fall of log(error) from the longest cycle of the search to the best cycle up to `REACH` times as
            long, at least 0.
    """

    family: str
    slope: float
    gain: float


@dataclass(frozen=True)
class Calibration:
    """What the library teaches.

    Attributes:
        shrinkage: true over predicted gain.
        residuals: true minus shrunk gain of every task, in units of `scale`, rising; each with a shrinkage that its own
            family had no part in.
    """

    shrinkage: float
    residuals: tuple[float, ...]


def scale(slope: float) -> float:
    """What a gain may be wrong by, up to a factor that is the same for all tasks."""
    return max(slope, SMALLEST_SLOPE) * math.log(REACH)


def calibrate(cases: Sequence[Known]) -> Calibration:
    """Shrinkage and residuals of the library.

    Raises:
        ValueError: if there are fewer than two families.
    """
    families = sorted({case.family for case in cases})
    if len(families) < 2:
        raise ValueError(f"A library needs tasks of two families at least, but got {families}.")
    residuals = []
    for family in families:
        shrinkage = _shrinkage([case for case in cases if case.family != family])
        residuals += [_residual(case, shrinkage) for case in cases if case.family == family]
    return Calibration(_shrinkage(cases), tuple(sorted(residuals)))


def _shrinkage(cases: Sequence[Known]) -> float:
    """The median of true over predicted gains, which a few wild tasks do not move."""
    ratios = [case.gain / (case.slope * math.log(REACH)) for case in cases if case.slope >= SMALLEST_SLOPE]
    return float(np.median(ratios)) if ratios else 0.0


def _residual(case: Known, shrinkage: float) -> float:
    return (case.gain - shrinkage * case.slope * math.log(REACH)) / scale(case.slope)


@dataclass(frozen=True)
class Outlook:
    """The distribution of the error that the best cycle up to the horizon reaches.

    Attributes:
        log_error: of the recipe as it was trained.
        se: standard error of that.
        df: degrees of freedom of ``se``.
        gains: equally likely falls of log(error) up to the horizon, each at least 0.
    """

    log_error: float
    se: float
    df: float
    gains: tuple[float, ...]

    def probability(self, error: float) -> float:
        """That the error gets down to ``error``; neither 0 nor 1, for another task may be unlike all of the library."""
        if error <= 0.0:
            return 1.0 / (len(self.gains) + 2.0)
        z = (math.log(error) - self.log_error + self._gains) / max(self.se, 1e-9)
        return float((1.0 + stdtr(min(self.df, MANY), z).sum()) / (len(self.gains) + 2.0))

    def error_at(self, probability: float) -> float:
        """The error that is reached with this probability: inverse of `probability`, by bisection."""
        wide = 40.0 * max(self.se, 1e-3)
        low, high = self.log_error - float(self._gains.max()) - wide, self.log_error + wide
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.probability(math.exp(middle)) < probability else (low, middle)
        return math.exp(high)

    @cached_property
    def _gains(self) -> Array:
        return np.asarray(self.gains)


def outlook(spread: Spread, slope: float, stretch: float, calibration: Calibration) -> Outlook:
    """What cycles up to ``stretch`` times the length of the recipe reach.

    Args:
        spread: of the recipe's accuracy on the test part.
        slope: fall of log(error) per log(length) in the last step in length.
        stretch: horizon over the length of the recipe; beyond `REACH` nothing more is expected.
        calibration: of the library.
    """
    share = math.log(min(max(stretch, 1.0), REACH)) / math.log(REACH)
    expected = calibration.shrinkage * slope * math.log(REACH)
    gains = tuple(max(0.0, share * (expected + scale(slope) * residual)) for residual in calibration.residuals)
    error = floored(1.0 - spread.mean, spread.items)
    se = spread.se or math.sqrt(error / spread.items if spread.items else 0.0)  # all right: the items bound it alone
    return Outlook(math.log(error), se / error, spread.df, gains)


def slope_between(longer: tuple[float, float], shorter: tuple[float, float]) -> float:
    """Fall of log(error) per log(length) between two (length, error); negative where errors grew."""
    return math.log(shorter[1] / longer[1]) / math.log(longer[0] / shorter[0])


def floored(error: float, items: float | None) -> float:
    """An error whose logarithm exists: none seen among so many items says no more than "fewer than half a one"."""
    return max(error, 0.5 / items if items else 1e-6)
