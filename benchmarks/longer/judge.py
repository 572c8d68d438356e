"""How often the verdict would have been right, with the data set of the judged task left out of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from benchmarks.longer.library import Judged
from superconv_tune.verdict.outlook import Calibration, calibrate, log_odds
from superconv_tune.verdict.verdict import IMPOSSIBLE, Case, Reachable, Target, Word

OFFSETS = (-0.08, -0.04, -0.02, -0.01, -0.005, 0.005, 0.01, 0.02, 0.04, 0.08)  # of the target from the truth
FAR = 0.04  # from which a target counts as far from the truth
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2)  # probabilities up to which `infeasible` may be said
MOST_WRONG = 0.05  # of the targets within reach that may be called infeasible
RESAMPLES = 2000


@dataclass(frozen=True)
class Asked:
    """One task asked for one target within cycles of up to one length.

    Attributes:
        judged: the task.
        horizon: the length, in epochs.
        offset: of the target from the truth; positive where it is out of reach.
        word: the verdict.
        probability: the probability that is reported with it.
        may_be_denied: whether a low enough probability would have been called infeasible.
        reference: probability by the usual guess: the fresh models' mean, and a constant gain with a normal error.
    """

    judged: Judged
    horizon: float
    offset: float
    word: Word
    probability: float
    may_be_denied: bool
    reference: float

    @property
    def is_within_reach(self) -> bool:
        """Whether the best cycles reach the target."""
        return self.offset <= 0.0

    def word_at(self, impossible: float) -> Word:
        """The verdict if ``infeasible`` had been said up to this probability."""
        if self.word in ("demonstrated", "likely"):
            return self.word
        return "infeasible" if self.may_be_denied and self.probability <= impossible else "undecided"


@dataclass(frozen=True)
class Forecast:
    """The interval for one horizon of one task, and the accuracy that the best cycles reach."""

    judged: Judged
    horizon: float
    found: Reachable
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the truth lies inside."""
        return self.found.low <= self.truth <= self.found.high

    @property
    def width(self) -> float:
        """Upper less lower end."""
        return self.found.high - self.found.low


def without(tasks: Sequence[Judged]) -> dict[str, Calibration]:
    """For each data set the calibration of the others."""
    known = [each.known for each in tasks if each.known is not None]
    return {data: calibrate([each for each in known if each.family != data]) for data in {task.data for task in tasks}}


def asked(tasks: Sequence[Judged]) -> list[Asked]:
    """Every task, for every horizon and every target that an accuracy can have."""
    calibrations, guesses = without(tasks), _guesses(tasks)
    found = []
    for judged in tasks:
        for horizon in judged.horizons:
            for offset in OFFSETS:
                target = 1.0 - judged.truth(horizon) + offset
                if 0.0 < target < 1.0:
                    case = Case.of(Target("accuracy", "max", target), judged.up_to(horizon), calibrations[judged.data])
                    assert case is not None
                    guess = guesses[judged.data](case.spread.mean, target)
                    found.append(Asked(judged, horizon, offset, case.word, case.probability, case.may_be_denied, guess))
    return found


def forecasts(tasks: Sequence[Judged]) -> list[Forecast]:
    """The intervals of every horizon, where a last step in length is known."""
    calibrations = without(tasks)
    found = []
    for judged in tasks:
        for horizon in judged.horizons:
            evidence = judged.up_to(horizon)
            case = Case.of(Target("accuracy", "max", None), evidence, calibrations[judged.data])
            if case is not None and case.reachable is not None:
                found.append(Forecast(judged, horizon, case.reachable, 1.0 - judged.truth(horizon)))
    return found


def _guesses(tasks: Sequence[Judged]) -> dict[str, Callable[[float, float], float]]:
    """For each data set the reference: (mean accuracy of the fresh models, target) to a probability."""
    gains = [
        (task.data, log_odds(task.error) - log_odds(task.truth(horizon))) for task in tasks for horizon in task.horizons
    ]
    return {data: _guess([gain for other, gain in gains if other != data]) for data in {task.data for task in tasks}}


def _guess(gains: Sequence[float]) -> Callable[[float, float], float]:
    mean, spread = float(np.mean(gains)), float(np.std(gains))

    def probability(accuracy: float, target: float) -> float:
        reached = log_odds(min(max(1.0 - accuracy, 1e-4), 1.0 - 1e-4)) - mean
        return float(ndtr((log_odds(1.0 - target) - reached) / max(spread, 1e-9)))

    return probability


def nested(found: Sequence[Asked]) -> dict[str, float]:
    """For each data set the largest threshold with few wrong `infeasible` on all the others; 0 if none has so few."""
    return {data: _largest([each for each in found if each.judged.data != data]) for data in _data_of(found)}


def _largest(found: Sequence[Asked]) -> float:
    within = [each for each in found if each.is_within_reach]
    fitting = [
        impossible
        for impossible in THRESHOLDS
        if np.mean([each.word_at(impossible) == "infeasible" for each in within]) < MOST_WRONG
    ]
    return max(fitting, default=0.0)


def words(found: Sequence[Asked], thresholds: Mapping[str, float] | None = None) -> list[tuple[Asked, Word]]:
    """Each question with its verdict: that of the program, or with a threshold of its data set's own."""
    chosen = thresholds or dict.fromkeys(_data_of(found), IMPOSSIBLE)
    return [(each, each.word_at(chosen[each.judged.data])) for each in found]


def _data_of(found: Iterable[Asked]) -> set[str]:
    return {each.judged.data for each in found}


def share(hits: Sequence[bool], data: Sequence[str]) -> tuple[float, float, float]:
    """A share with its 95 % interval, by bootstrap over data sets: questions of one are not independent."""
    names = sorted(set(data))
    if not names:
        return 0.0, 0.0, 1.0
    counts = np.array(
        [[sum(h for h, d in zip(hits, data, strict=True) if d == name), data.count(name)] for name in names]
    )
    draws = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    sums = counts[draws].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    return float(counts[:, 0].sum() / counts[:, 1].sum()), float(low), float(high)


def brier(found: Sequence[Asked], probability: Callable[[Asked], float]) -> float:
    """Mean squared difference of a probability and the truth."""
    return float(np.mean([(probability(each) - float(each.is_within_reach)) ** 2 for each in found]))


def reliability(found: Sequence[Asked], bins: int = 5) -> list[tuple[float, float, int]]:
    """(mean probability, share that was within reach, questions) of equally wide bins of the probability."""
    probabilities = np.array([each.probability for each in found])
    true = np.array([each.is_within_reach for each in found])
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [
        (float(probabilities[index == b].mean()), float(true[index == b].mean()), int((index == b).sum()))
        for b in range(bins)
        if (index == b).any()
    ]
