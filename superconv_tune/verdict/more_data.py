"""What more training data would reach: an interval that rests on data sets of which more is known.

The recipe is the same, and so is the number of steps; only the examples are more. Errors are in log odds, as in
`superconv_tune.verdict.outlook`: on halves and quarters of the data the recipe shows how fast they fall per logarithm
of the number of examples, and `benchmarks/more_data` has recorded how fast they fall on twice, four and eight times the
data. A line predicts the one from the other. Its residuals, each by a line fitted without that data set, are the draws
of the predicted distribution, and the noise of the user's own measurements is added.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from superconv_tune.verdict.outlook import Outlook, inside, log_odds
from superconv_tune.verdict.statistics import Spread

FARTHEST = 8.0  # times the data: as far as the library reaches
LEAST_SCALE = 0.1  # least unit of a residual, in slopes: even where less data does no harm, more may help


@dataclass(frozen=True)
class Known:
    """A recipe on some examples of a data set of which more is known.

    Attributes:
        data: name of the data set; recipes on the same one are no independent evidence.
        slope: fall of the log odds of an error per log(examples), from a quarter of the examples to all of them, as
            measured on many test items.
        rate: the same from all of them to two, four or eight times as many.
    """

    data: str
    slope: float
    rate: float


@dataclass(frozen=True)
class Slope:
    """Fall of the log odds of an error per logarithm, with its standard error."""

    value: float
    se: float


@dataclass(frozen=True)
class Growth:
    """A line that predicts the rate from the slope, fitted to the library.

    Attributes:
        base: predicted rate where less data does no harm.
        factor: additional predicted rate per unit of slope.
        residuals: true minus predicted rates in units of `scale`, ascending; each by a line without its data set.
    """

    base: float
    factor: float
    residuals: tuple[float, ...]

    def rate(self, slope: float) -> float:
        """The predicted rate."""
        return self.base + self.factor * max(slope, 0.0)


def scale(slope: float) -> float:
    """How wrong a predicted rate may be, up to a factor that is the same for all data sets."""
    return LEAST_SCALE + max(slope, 0.0)


def fitted(known: Sequence[Known]) -> Growth:
    """Fit the line, and compute the residuals.

    Raises:
        ValueError: if there are fewer than three data sets: the line for one is fitted to at least two others.
    """
    names = sorted({each.data for each in known})
    if len(names) < 3:
        raise ValueError(f"A library needs three data sets at least, but got {names}.")
    residuals: list[float] = []
    for name in names:
        line = Growth(*_line([each for each in known if each.data != name]), ())
        residuals += [(each.rate - line.rate(each.slope)) / scale(each.slope) for each in known if each.data == name]
    return Growth(*_line(known), tuple(sorted(residuals)))


def _line(known: Sequence[Known]) -> tuple[float, float]:
    """Base and factor by least squares, weighted by the inverse of how wrong a prediction may be."""
    weights = np.array([1.0 / scale(each.slope) for each in known])
    design = np.array([[1.0, max(each.slope, 0.0)] for each in known])
    rates = np.array([each.rate for each in known])
    base, factor = np.linalg.lstsq(design * weights[:, None], rates * weights, rcond=None)[0]
    return float(base), float(factor)


def with_more_data(spread: Spread, slope: Slope, times: float, growth: Growth) -> Outlook:
    """The distribution of the error on ``times`` the data.

    Args:
        spread: spread of the recipe's accuracy on the test part.
        slope: what less data showed.
        times: from 1 to `FARTHEST`.
        growth: the line and residuals of the library.
    """
    log_times = math.log(times)
    expected, unit = growth.rate(slope.value), scale(slope.value)
    gains = tuple(log_times * max(0.0, expected + unit * residual) for residual in growth.residuals)
    error = inside(1.0 - spread.mean, spread.items)
    level = (spread.se or math.sqrt(error / spread.items if spread.items else 0.0)) / (error * (1.0 - error))
    return Outlook(log_odds(error), math.hypot(level, log_times * growth.factor * slope.se), spread.df, gains)


def times_needed(spread: Spread, slope: Slope, error: float, probability: float, growth: Growth) -> float | None:
    """Times the data with which this error is reached with this probability, by bisection; None beyond `FARTHEST`."""
    low, high = 0.0, math.log(FARTHEST)

    def falls_short(log_times: float) -> bool:
        return with_more_data(spread, slope, math.exp(log_times), growth).probability(error) < probability

    if falls_short(high):
        return None
    for _ in range(20):
        middle = (low + high) / 2.0
        low, high = (middle, high) if falls_short(middle) else (low, middle)
    return math.exp(high)


@cache
def library() -> Growth:
    """The line and the residuals of all recorded tasks."""
    return fitted(known())


def known() -> tuple[Known, ...]:
    """The recorded tasks."""
    text = (files("superconv_tune.verdict") / "more_data.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Known(row["data"], float(row["slope"]), float(row["rate"])) for row in rows)
