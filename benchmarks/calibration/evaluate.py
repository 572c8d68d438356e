"""How often the verdict would have been right, with the family of the judged task left out of the calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.library import Judged
from benchmarks.calibration.record import SMALL_TEST
from superconv_tune.verdict.outlook import REACH, Calibration, calibrate, inside
from superconv_tune.verdict.reliability import MIN_MODELS
from superconv_tune.verdict.statistics import Spread, interval
from superconv_tune.verdict.verdict import HOPELESS, REACHABLE_LEVEL, Case, Evidence, Target, Word, by_length

OFFSETS = (-0.08, -0.04, -0.02, -0.01, -0.005, 0.005, 0.01, 0.02, 0.04, 0.08)  # of the target from the truth
FAR = 0.04  # points from which a target counts as far from the truth
RESAMPLES = 2000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """One task asked for one target.

    Attributes:
        task: its name.
        offset: of the target from the truth; positive where it is out of reach.
        word: the verdict.
        probability: the probability reported with it.
        hopeless: whether the target was called out of reach up to the whole horizon, whatever the word.
        is_forecast_hopeless: whether it would have been by the forecast alone, without what speaks for the search.
        may_be_denied: whether a low enough probability would have been called infeasible.
    """

    task: str
    offset: float
    word: Word
    probability: float
    hopeless: bool = False
    is_forecast_hopeless: bool = False
    may_be_denied: bool = False

    def word_at(self, impossible: float) -> Word:
        """The verdict if ``infeasible`` had been said up to this probability."""
        if self.word in ("demonstrated", "likely"):
            return self.word
        return "infeasible" if self.may_be_denied and self.probability <= impossible else "undecided"


@dataclass(frozen=True)
class Interval:
    """A predicted interval and the truth of one task."""

    task: str
    low: float
    high: float
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the truth lies inside."""
        return self.low <= self.truth <= self.high


def left_out(tasks: Sequence[Judged]) -> dict[str, Calibration]:
    """The calibration of the other families, by family."""
    known = [(judged.family, judged.known) for judged in tasks if judged.known is not None]
    return {family: calibrate([k for other, k in known if other != family]) for family in {f for f, _ in known}}


def pairs(tasks: Sequence[Judged], stretch: float = REACH) -> list[Pair]:
    """The verdicts on every task, up to a horizon, for every target that an accuracy can have."""
    calibrations = left_out(tasks)
    found = []
    for judged in tasks:
        for offset in OFFSETS:
            target = 1.0 - judged.truth_within(stretch) + offset
            if 0.0 < target < 1.0:
                case = Case.of(Target("accuracy", "max", target), _up_to(judged, stretch), calibrations[judged.family])
                assert case is not None
                below = case.probability <= HOPELESS
                hopeless = below and case.hopeless_epochs is not None
                forecast = (
                    below and case.longest_below(HOPELESS) is not None and len(case.evidence.values) >= MIN_MODELS
                )
                found.append(
                    Pair(judged.task, offset, case.word, case.probability, hopeless, forecast, case.may_be_denied)
                )
    return found


def conformal(tasks: Sequence[Judged], stretch: float = REACH) -> list[Interval]:
    """The program's intervals, for every task whose recipe was repeated at a shorter length."""
    calibrations = left_out(tasks)
    found = []
    for judged in tasks:
        case = Case.of(Target("accuracy", "max", None), _up_to(judged, stretch), calibrations[judged.family])
        reachable = case.reachable if case is not None else None
        if reachable is not None:
            found.append(Interval(judged.task, reachable.low, reachable.high, 1.0 - judged.truth_within(stretch)))
    return found


def _up_to(judged: Judged, stretch: float) -> Evidence:
    """The evidence of the search, for cycles of this many times its recipe's length."""
    return replace(judged.evidence, horizon=stretch * judged.evidence.epochs)


def naive(tasks: Sequence[Judged]) -> list[Interval]:
    """The usual way: the last step continues as a power law, with an interval from the noise of the measurements."""
    found = []
    for judged in tasks:
        spread = _continued(judged)
        if spread is not None:
            log_low, log_high = interval(spread, REACHABLE_LEVEL)
            found.append(Interval(judged.task, 1.0 - math.exp(log_high), 1.0 - math.exp(log_low), 1.0 - judged.truth))
    return found


def _continued(judged: Judged) -> Spread | None:
    """log(error) at the horizon by a straight line through the last two lengths, with its standard error."""
    evidence, lengths = judged.evidence, by_length(judged.evidence)
    items = evidence.validation_items
    if len(lengths) < 2 or not items:
        return None
    (before, last), error = lengths[-2:], 1.0 - float(np.mean(evidence.values))
    stretch = math.log(last.epochs / before.epochs)
    logs = [math.log(inside(1.0 - repeat.value, items)) for repeat in (before, last)]
    noise = [math.sqrt((1.0 - math.exp(value)) / (math.exp(value) * items)) for value in logs]
    slope, slope_se = max(0.0, logs[0] - logs[1]) / stretch, math.hypot(*noise) / stretch
    se = math.hypot(math.sqrt((1.0 - error) / (error * SMALL_TEST)), slope_se * math.log(REACH))
    return Spread(math.log(inside(error, SMALL_TEST)) - slope * math.log(REACH), se, math.inf, None)


def rate(found: Sequence[Pair], counts: Callable[[Pair], bool], among: Callable[[Pair], bool]) -> tuple[float, ...]:
    """A share of pairs with its 95 % interval, by bootstrap over tasks: pairs of one task are not independent."""
    tasks = sorted({pair.task for pair in found})
    hits = np.array([sum(counts(p) and among(p) for p in found if p.task == task) for task in tasks], dtype=np.float64)
    sizes = np.array([sum(among(p) for p in found if p.task == task) for task in tasks], dtype=np.float64)
    draws = np.random.default_rng(0).integers(0, len(tasks), (RESAMPLES, len(tasks)))
    shares = hits[draws].sum(axis=1) / np.maximum(1.0, sizes[draws].sum(axis=1))
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(hits.sum() / max(1.0, sizes.sum())), float(low), float(high)


def reliability(found: Sequence[Pair], bins: int = 5) -> list[tuple[float, float, int]]:
    """(mean probability, share that was within reach, pairs) of equally wide bins of the probability."""
    probabilities = np.array([pair.probability for pair in found])
    true = np.array([pair.offset <= 0.0 for pair in found])
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [
        (float(probabilities[index == b].mean()), float(true[index == b].mean()), int((index == b).sum()))
        for b in range(bins)
        if (index == b).any()
    ]


def brier(found: Sequence[Pair]) -> float:
    """Mean squared difference of probability and truth; a coin would get 0.25."""
    return float(np.mean([(pair.probability - float(pair.offset <= 0.0)) ** 2 for pair in found]))
