"""The verdict: whether the target can be reached, and with what confidence.

There are two questions. *Does a fresh training reach the target with probability at least q?* One recipe is frozen on
validation, fresh seeds of it are trained at the longest cycle, each model is evaluated on the test part once, and the
look number j at that test part, after k other studies, may be wrong with probability ``ALPHA / (j (j + 1)) / 2^k``. The
looks are those of all recipes of a study, and of all studies that read the same test part; their levels sum to `ALPHA`.
A study does not learn from its own looks, but somebody who sees the result of one begins the next where it looked
best: one bit, better or worse, per study. So there are 2^k recipes that study k + 1 may come to, and the bound holds
for all of them (the argument of Blum & Hardt 2015, arXiv:1502.04585). *Would a longer cycle, up to the horizon, reach
it?* This is extrapolated from what shorter cycles reached, with the spread that such extrapolations had on
tasks whose truth is known (`superconv_tune.verdict.outlook`). Only the first question can give ``demonstrated``; the
second gives ``likely``, ``infeasible`` or ``undecided``. Nothing is called out of reach where the search itself may be
at fault (`Case.is_sound`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from superconv_tune.core.bits import Bits
from superconv_tune.core.yardstick import Direction, Yardstick
from superconv_tune.verdict.groups import Groups
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.more_data import Slope
from superconv_tune.verdict.outlook import REACH, Calibration, Outlook, inside, outlook, pooled, slope_between
from superconv_tune.verdict.reliability import MIN_MODELS, Trainings, least_models, p_value
from superconv_tune.verdict.statistics import LEVEL, Spread, confidence_above, interval, over_seeds, proportion

Word = Literal["demonstrated", "likely", "undecided", "infeasible"]

ALPHA = 0.05  # chance of a wrong `demonstrated` over all looks together
REACHABLE_LEVEL = 0.9  # level of the interval for longer cycles: the library has too few tasks for a higher one
LIKELY = 0.8  # probability from which "likely" is said
# Probability up to which "infeasible" is said: a round value with which less than 5 % of the targets within reach are
# called so (benchmarks/longer/longer.md, which also chooses it without each data set).
IMPOSSIBLE = 0.15
HOPELESS = 0.05  # probability up to which a length is called certainly too short
FLAT = 0.25  # largest share of the error's odds that tripling the length may remove where something is out of reach
LEAST_TELLING = 2  # fresh models with which a target may be likely, or out of reach: of one alone the seed may be why
LONGER = 1.5  # times the length of the recipe: a rung beyond that counts as longer


@dataclass(frozen=True)
class Target:
    """The question: is ``metric`` at least ``value`` (at most, for direction ``min``) within reach?

    Attributes:
        metric: its name.
        direction: ``max`` if higher is better.
        value: the target; None where the user only asks how far one can get.
        reliability: probability with which a fresh training is to reach it.
    """

    metric: str
    direction: Direction
    value: float | None
    reliability: float = 0.5

    @property
    def yardstick(self) -> Yardstick:
        """The metric as a measure of better and worse, without a number of items."""
        return Yardstick(self.metric, self.direction)


@dataclass(frozen=True)
class Estimate:
    """What a fresh model is expected to reach on fresh data, with a two-sided interval at ``level``."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Reachable:
    """What the best cycle of up to ``epochs`` epochs is expected to reach, with a two-sided interval at ``level``."""

    value: float
    low: float
    high: float
    level: float
    epochs: float


@dataclass(frozen=True)
class Settling:
    """The cycles that would settle an undecided question, as an interval; None where no highest figure is known.

    Attributes:
        low_epochs: least length of the cycles.
        high_epochs: greatest length of them.
        low_minutes: time on the clock of fresh models of that least length, on the same workers.
        high_minutes: the same for the greatest length.
    """

    low_epochs: float
    high_epochs: float | None
    low_minutes: float
    high_minutes: float | None


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        word: the verdict; None where no target was given.
        probability: probability that the target is within reach up to the horizon; where nothing is known about longer
            cycles, that the recipe as trained reaches it. None where no target was given or nothing was confirmed.
        estimate: estimate for the confirmed recipe; None where nothing was confirmed, or too little to say how sure it
            is.
        reasons: sentences for the user, the most important first.
        warnings: sentences on what makes the answer weaker than it looks.
        reachable: estimate for longer cycles; None where nothing is known about them.
        settling: what would settle an undecided question; None where longer cycles would not.
        longer_may_help: whether longer cycles may change the answer, as far as is known.
    """

    word: Word | None
    probability: float | None
    estimate: Estimate | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reachable: Reachable | None = None
    settling: Settling | None = None
    longer_may_help: bool = True


@dataclass(frozen=True)
class Repeat:
    """Fresh models of the frozen recipe at one length and on one share of the data, or the search's cycles of a length.

    Attributes:
        epochs: length of the cycle, in passes over all of the training part.
        data_share: share of the training examples they used.
        value: mean metric on the validation part; of cycles of the search what the best of them would reach again.
        models: number of models.
        is_searched: whether they are cycles of the search, each length with the rate that is best for it.
    """

    epochs: float
    data_share: float
    value: float
    models: int
    is_searched: bool = False


@dataclass(frozen=True)
class Evidence:
    """What the verdict rests on.

    Attributes:
        values: test metric of every fresh model of the frozen recipe.
        correct: whether each model is right on each test item, shape [models, items]; None for a metric that is no mean
            over items.
        looks: number of times that anything was judged on this test part, including this time; at least 1.
        rungs: validation results of the ladder, shortest cycle first.
        validation_items: number of validation examples; None for a metric that is no mean over items.
        epochs: cycle length of the fresh models.
        repeats: results of the recipe at its own and other lengths, and on less data; of the search's cycles where the
            recipe was not repeated at a shorter length.
        horizon: longest cycle that the question covers, in epochs; None for `REACH` times ``epochs``.
        failed: number of fresh trainings of the recipe that diverged.
        is_bracketed: whether higher and lower learning rates were tried, and beaten, at the longest length searched.
        floor: validation value of the best simple method, or of another family that competes; None if none is known.
        floor_of: what reached it.
        epoch_s: seconds on the clock that all fresh models of the recipe take per epoch of their length.
        others: names of other studies that looked at the same test part before.
        is_fitted: whether the models are fitted and not trained in cycles, so that there are no longer ones.
        items_se: standard error of a value from the number of test items, for a metric that is no mean over items; 0
            where only seeds are counted, and infinity where they say nothing either: fits may be equal.
        groups: number of the group of each test item, shape [items]; None if every item stands for itself.
        searched: cycle length of the search trial that the recipe comes from; 0 where it comes from none.
        test_items: number of test examples; 0 if it is not known.
        validation_worth: number of independent validation items that say as much as the groups in which they come; None
            if every item stands for itself.
    """

    values: Sequence[float]
    correct: Bits | None
    looks: int
    rungs: Sequence[Rung]
    validation_items: int | None
    epochs: float
    repeats: Sequence[Repeat] = ()
    horizon: float | None = None
    failed: int = 0
    is_bracketed: bool = False
    floor: float | None = None
    floor_of: str = "a simple method"
    epoch_s: float = 0.0
    others: Sequence[str] = ()
    is_fitted: bool = False
    items_se: float = 0.0
    groups: NDArray[np.int64] | None = None
    searched: float = 0.0
    test_items: int = 0
    validation_worth: float | None = None

    @property
    def test_groups(self) -> int:
        """Number of groups in the test part; 0 if every item stands for itself."""
        return 0 if self.groups is None else len(np.unique(self.groups))

    @property
    def stretch(self) -> float:
        """The horizon divided by the length of the recipe, clamped to [1, `REACH`]."""
        return REACH if self.horizon is None else min(REACH, max(1.0, self.horizon / self.epochs))

    @property
    def is_cut(self) -> bool:
        """Whether the recipe is much shorter than the cycles that the search chose it for, for want of time."""
        return self.searched > LONGER * self.epochs


def demonstrating(target: Target) -> int:
    """Number of fresh models with which the first look can demonstrate the target."""
    return least_models(target.reliability, ALPHA / 2.0)


def last_step(evidence: Evidence) -> Slope | None:
    """The slope of the last step in length; None if unknown.

    It is 0 where longer cycles were searched but were no better, so that a shorter one became the recipe; a recipe that
    was cut for want of time says nothing of that kind. Models of one recipe differ on about half as many items as
    independent ones would (Jordan 2023, arXiv:2304.01910), and the standard error counts these, or what groups of items
    are worth.
    """
    if evidence.rungs and evidence.rungs[-1].epochs > LONGER * max(evidence.epochs, evidence.searched):
        return Slope(0.0, 0.0)
    whole, items = by_length(evidence), evidence.validation_items
    if len(whole) < 2:
        return None
    shorter, longer = whole[-2:]
    ends, worth = (
        [(r.epochs, inside(1.0 - r.value, items)) for r in (longer, shorter)],
        evidence.validation_worth or items,
    )
    variance = math.fsum(
        0.5 / (worth * repeat.models * error * (1.0 - error)) if worth else 0.0
        for repeat, (_, error) in zip((longer, shorter), ends, strict=True)
    )
    return Slope(slope_between(*ends), math.sqrt(variance) / math.log(longer.epochs / shorter.epochs))


def data_slope(evidence: Evidence) -> Slope | None:
    """Fall of the log odds of an error per log(examples), over the shares at one length; None if unknown."""
    shares = [repeat for repeat in evidence.repeats if repeat.data_share < 1.0]
    if not shares or not evidence.validation_items:
        return None
    length = shares[0].epochs
    return slope_of_data([r for r in evidence.repeats if math.isclose(r.epochs, length)], evidence.validation_items)


def slope_of_data(repeats: Sequence[Repeat], items: int) -> Slope | None:
    """The same from models on shares of the data, by least squares; None if all are on the same share.

    The standard error counts items as that of `last_step` does.
    """
    x = np.log([repeat.data_share for repeat in repeats])
    errors = np.array([inside(1.0 - repeat.value, items) for repeat in repeats])
    apart = x - x.mean()
    if not apart.any():
        return None
    weights = apart / (apart @ apart)
    variances = 0.5 / (items * np.array([repeat.models for repeat in repeats]) * errors * (1.0 - errors))
    return Slope(-float(weights @ np.log(errors / (1.0 - errors))), math.sqrt(float(weights**2 @ variances)))


def is_worse(step: Slope) -> bool:
    """Whether longer cycles made more errors, by more than a standard error."""
    return step.value < -step.se


def by_length(evidence: Evidence) -> list[Repeat]:
    """Results on all of the data, shortest cycles first; the last one is the recipe's."""
    return sorted((r for r in evidence.repeats if r.data_share == 1.0), key=lambda repeat: repeat.epochs)


def _spread(evidence: Evidence) -> Spread | None:
    if evidence.correct is not None and len(evidence.correct):
        return proportion(evidence.correct, evidence.groups)
    is_known = len(evidence.values) > 1 and math.isfinite(evidence.items_se)
    return over_seeds(evidence.values, evidence.items_se) if is_known else None


def _outlook(target: Target, evidence: Evidence, spread: Spread, calibration: Calibration) -> Outlook | None:
    """The outlook on longer cycles; None for a metric that the library lacks, or without a known slope.

    Fresh models are counted on the validation part too. Its items chose the recipe, so that they flatter it a little:
    no demonstration rests on them, but a forecast has been tried out with them (`benchmarks.longer`).
    """
    step = last_step(evidence)
    if evidence.correct is None or not target.yardstick.higher_is_better or step is None:
        return None
    fresh, items = by_length(evidence)[-1], evidence.validation_worth or evidence.validation_items
    if items and not fresh.is_searched and math.isclose(fresh.epochs, evidence.epochs):
        spread = pooled(spread, fresh.value, items)
    return outlook(spread, step.value, evidence.stretch, calibration)


@dataclass(frozen=True)
class Case:
    """One question with its evidence, and all that is derived from them.

    Attributes:
        target: the question.
        evidence: what the study found.
        spread: spread of the recipe's metric on the test part.
        outlook: prediction for longer cycles; None where the library has no data for one.
        rests_on: the tasks that it rests on, in words.
    """

    target: Target
    evidence: Evidence
    spread: Spread
    outlook: Outlook | None
    rests_on: str = ""

    @staticmethod
    def of(target: Target, evidence: Evidence, calibration: Calibration) -> Case | None:
        """The case for a question; None where too few fresh models were confirmed to estimate a spread."""
        spread = _spread(evidence)
        if spread is None:
            return None
        return Case(target, evidence, spread, _outlook(target, evidence, spread, calibration), calibration.of)

    @cached_property
    def estimate(self) -> Estimate:
        """The estimate for the recipe at the length at which it was trained."""
        return Estimate(self.spread.mean, *interval(self.spread, LEVEL), LEVEL)

    @property
    def reachable(self) -> Reachable | None:
        """The estimate for longer cycles; None without an outlook."""
        if self.outlook is None:
            return None
        tail = (1.0 - REACHABLE_LEVEL) / 2.0
        low, value, high = (1.0 - self.outlook.error_at(q) for q in (1.0 - tail, 0.5, tail))
        return Reachable(value, low, high, REACHABLE_LEVEL, float(f"{self.epochs:.3g}"))

    @property
    def epochs(self) -> float:
        """Horizon in epochs."""
        return self.evidence.stretch * self.evidence.epochs

    @property
    def needed(self) -> float:
        """Value that models must reach on average for the wanted share of them to reach the target."""
        target, values = self.target, self.evidence.values
        assert target.value is not None
        seeds = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        margin = float(ndtri(target.reliability)) * seeds
        return target.value + margin if target.yardstick.higher_is_better else target.value - margin

    @cached_property
    def luck(self) -> float:
        """The p-value against "a fresh training, as long as the recipe's, reaches the target often enough"."""
        target, evidence = self.target, self.evidence
        assert target.value is not None
        items = None if evidence.correct is None else evidence.correct.shape[1]
        trainings = Trainings(evidence.values, self.spread, evidence.failed, items, self._groups, evidence.items_se)
        if target.yardstick.higher_is_better:
            return p_value(trainings, target.value, target.reliability)
        return p_value(trainings.mirrored, self.spread.turned(target.value), target.reliability)

    @property
    def _groups(self) -> list[Groups]:
        """For each model, how often every group is right; empty if every item stands for itself."""
        correct, groups = self.evidence.correct, self.evidence.groups
        return [] if correct is None or groups is None else [Groups.of(row, groups) for row in correct]

    @property
    def confidence(self) -> float:
        """Confidence that models of the recipe reach on average what is needed; failed trainings do not count here."""
        if self.target.yardstick.higher_is_better:
            return confidence_above(self.spread, self.needed)
        return confidence_above(self.spread.upside_down, self.spread.turned(self.needed))

    @property
    def probability(self) -> float:
        """Probability that the target is within reach, with the recipe as it is or with longer cycles."""
        hope = self.outlook.probability(1.0 - self.needed) if self.outlook is not None else 0.0
        return max(self.confidence, hope)

    @property
    def hopeless_epochs(self) -> float | None:
        """Length of the longest cycle, up to the horizon, that reaches the target with at most probability `HOPELESS`.

        None where the recipe as trained may reach the target, where too little is known, or where the search may be at
        fault.
        """
        if not self.may_be_denied or self.confidence > HOPELESS:
            return None
        return self.longest_below(HOPELESS)

    def longest_below(self, probability: float) -> float | None:
        """Length of the longest cycle, up to the horizon, that reaches the target with at most this probability.

        None without an outlook, or where even the recipe's own length does so with a higher one. Found by bisection,
        because the probability rises with the length.
        """
        if self.outlook is None:
            return None
        error, outlook = 1.0 - self.needed, self.outlook
        if outlook.within(0.0).probability(error) > probability:
            return None
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2.0
            low, high = (middle, high) if outlook.within(middle).probability(error) <= probability else (low, middle)
        return self.evidence.epochs * math.pow(self.evidence.stretch, low)

    @property
    def level(self) -> float:
        """Probability with which this look may say "demonstrated" by luck."""
        looks = self.evidence.looks
        return ALPHA / (looks * (looks + 1)) * 0.5 ** len(self.evidence.others)

    @property
    def word(self) -> Word:
        """The verdict."""
        if self.luck <= self.level and len(self.evidence.values) >= MIN_MODELS:
            return "demonstrated"
        if self.probability >= LIKELY and self.may_be_likely:
            return "likely"
        return "infeasible" if self.probability <= IMPOSSIBLE and self.may_be_denied else "undecided"

    @property
    def may_be_likely(self) -> bool:
        """Whether enough fresh trainings ended well to call the target likely if its probability is high enough.

        The probability is that of trainings which end well. One network does not show how far seeds lie apart, which a
        forecast lacks too: it begins with what that network reached.
        """
        well, failed = len(self.evidence.values), self.evidence.failed
        is_enough = well >= LEAST_TELLING or self.evidence.is_fitted
        return is_enough and well / (well + failed) >= self.target.reliability

    @property
    def may_be_denied(self) -> bool:
        """Whether enough is known to call the target infeasible if its probability is low enough."""
        return self.outlook is not None and self.is_sound and len(self.evidence.values) >= LEAST_TELLING

    @property
    def is_sound(self) -> bool:
        """Whether a target that was missed is not the fault of the search, as far as can be seen.

        The learning rate was beaten from both sides, the last step in length of a recipe that was not cut hardly helped
        any more, and no simple method is better.
        """
        return self.evidence.is_bracketed and self.is_flat and not self.is_below_floor

    @property
    def is_flat(self) -> bool:
        """Whether the last step in length hardly reduced the errors, even if it did so by a standard error more.

        Of a recipe that was cut it is not known: the last steps of the search were longer ones. Nor is a step flat that
        made more errors, by more than a standard error: a shorter cycle than the recipe's may be better.
        """
        step = None if self.evidence.is_cut else last_step(self.evidence)
        return step is not None and not is_worse(step) and 1.0 - 3.0 ** -(step.value + step.se) <= FLAT

    @property
    def is_overtrained(self) -> bool:
        """Whether the recipe's cycles were worse than shorter ones, beyond the noise of the items."""
        whole, items = by_length(self.evidence), self.evidence.validation_items
        if not self.target.yardstick.higher_is_better or len(whole) < 2 or not items:
            return False
        before, last = whole[-2:]
        noise = math.sqrt(2.0 * last.value * (1.0 - last.value) / items)
        return before.value - last.value > 2.0 * noise

    @property
    def is_below_floor(self) -> bool:
        """Whether a simple method is at least as good as the recipe."""
        floor = self.evidence.floor
        return floor is not None and self.target.yardstick.reaches(floor, self.spread.mean)
