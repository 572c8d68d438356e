"""Can the target be reached, and how sure are we?

The procedure is that of a sequential test on fresh models: one recipe is frozen on validation, fresh seeds of it are
trained at the longest cycle, the test part is read once per model, and after each look the one-sided limit at
``ALPHA / (j (j + 1))`` is held against the target (those levels sum to ``ALPHA`` over all looks). Everything between a
demonstration and a refusal that even optimism cannot save is called by its name: likely, or undecided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from superconv_tune.core.ladder import Rung
from superconv_tune.core.statistics import Correct, Spread, confidence_above, interval, over_seeds, proportion

Word = Literal["demonstrated", "likely", "undecided", "infeasible"]

ALPHA = 0.05  # chance of a wrong `demonstrated` over all looks together
LEVEL = 0.95  # of the two-sided interval that is shown
LIKELY = 0.8  # one-sided confidence from which "likely" is said
MIN_SEEDS = 3  # fewer fresh models demonstrate nothing: the spread over seeds would be a guess
HORIZON = 8.0  # "this budget of training" means cycles up to so many times the longest one that was trained
REACH = 4.0  # what the optimist may still be wrong by; generous, until the rule is calibrated
MIN_STRETCH = 1.5  # between the lengths of two rungs, for their difference to tell anything


@dataclass(frozen=True)
class Target:
    """The question: is ``metric`` at least ``value`` (at most, for direction ``min``) within reach?

    ``value`` is None where the user only asks how far one can get.
    """

    metric: str
    direction: Literal["max", "min"]
    value: float | None


@dataclass(frozen=True)
class Estimate:
    """What a fresh model of the recipe is expected to reach on fresh data, with a two-sided interval at ``level``."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        word: the verdict; None where no target was given.
        probability: one-sided confidence that the confirmed recipe reaches the target; None where no target was given
            or nothing was confirmed.
        estimate: of the confirmed recipe; None where nothing was confirmed.
        reasons: sentences that a manager understands, the most important first.
        warnings: what makes the answer weaker than it looks.
    """

    word: Word | None
    probability: float | None
    estimate: Estimate | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the verdict rests on.

    Attributes:
        values: test metric of every fresh model of the frozen recipe.
        correct: shape [models, items], for a metric that is a mean over items; None else.
        looks: how often the evidence has been judged, this time included, at least 1.
        rungs: the ladder on validation, shortest cycle first.
        validation_items: size of the validation part; None for a metric that is no mean over items.
        epochs: cycle length of the fresh models.
    """

    values: Sequence[float]
    correct: Correct | None
    looks: int
    rungs: Sequence[Rung]
    validation_items: int | None
    epochs: float


def judge(target: Target, evidence: Evidence) -> Verdict:
    """The verdict on the evidence."""
    spread = _spread(evidence)
    if spread is None:
        return _unconfirmed(target, evidence)
    low, high = interval(spread, LEVEL)
    estimate = Estimate(spread.mean, low, high, LEVEL)
    warnings = _warnings(evidence)
    measured = (
        f"{len(evidence.values)} fresh models trained for {evidence.epochs:g} epochs reached {target.metric} "
        f"{spread.mean:.4g} on the test part, {LEVEL:.0%} interval [{low:.4g}, {high:.4g}]."
    )
    if target.value is None:
        return Verdict(None, None, estimate, (measured,), warnings)
    confidence = _confidence(spread, target, target.value)
    word, why = _word(target, target.value, evidence, estimate, confidence)
    return Verdict(word, round(confidence, 4), estimate, (*why, measured), warnings)


def _spread(evidence: Evidence) -> Spread | None:
    if evidence.correct is not None and len(evidence.correct):
        return proportion(evidence.correct)
    return over_seeds(evidence.values) if len(evidence.values) > 1 else None


def _confidence(spread: Spread, target: Target, value: float) -> float:
    confidence = confidence_above(spread, value)
    return confidence if target.direction == "max" else 1.0 - confidence


def _word(
    target: Target, value: float, evidence: Evidence, estimate: Estimate, confidence: float
) -> tuple[Word, tuple[str, ...]]:
    bar = 1.0 - ALPHA / (evidence.looks * (evidence.looks + 1))
    sure = f"{confidence:.1%}" if confidence < 0.999 else "above 99.9%"
    question = f"{target.metric} {'>=' if target.direction == 'max' else '<='} {value:g}"
    if confidence >= bar and len(evidence.values) >= MIN_SEEDS:
        return "demonstrated", (f"Fresh models reached {question} on untouched test data (confidence {sure}).",)
    hoped = _hoped_errors(target, evidence, estimate)
    if hoped is not None and (1.0 - value) * REACH < hoped:
        return "infeasible", (
            f"{question} leaves room for {1.0 - value:.3g} errors. The last step up in cycle length gained nothing "
            f"beyond the noise; even if it gained as much as the noise allows, and a cycle {HORIZON:g} times as "
            f"long went on so, {hoped:.3g} would be left, more than {REACH:g} times as many.",
            "More data, another model family or cleaner labels would change this; more time of the same would not.",
        )
    if confidence >= LIKELY:
        return "likely", (
            f"The fresh models are on the right side of {question}, but not by enough to call it demonstrated "
            f"(confidence {sure}, needed {bar:.1%} from at least {MIN_SEEDS} models).",
            "More fresh seeds or a larger test part would change this.",
        )
    return "undecided", (
        f"The fresh models do not show {question} (confidence {sure}), nor that it is out of reach.",
        "A longer budget, and with it a longer cycle, would change this.",
    )


def _hoped_errors(target: Target, evidence: Evidence, estimate: Estimate) -> float | None:
    """The errors that an optimist expects of a cycle `HORIZON` times as long; None where there is ground for hope.

    Only for a proportion that is to be high, where "errors" has a meaning, only with enough fresh models, and only
    where the last rung was flat: its gain over a shorter one is within two standard errors. The optimist adds those to
    the gain and lets errors fall by the same factor again with every such step in length, beginning at the low end of
    the confirmed interval.
    """
    is_counted = evidence.correct is not None and target.direction == "max" and evidence.validation_items
    if not is_counted or len(evidence.values) < MIN_SEEDS or len(evidence.rungs) < 2:
        return None
    before, top = evidence.rungs[-2], evidence.rungs[-1]
    noise = 2.0 * math.sqrt(2.0 * top.value * (1.0 - top.value) / (evidence.validation_items or 1))
    stretch = top.epochs / before.epochs
    if stretch < MIN_STRETCH or top.value - before.value > noise or before.value >= 1.0:
        return None
    factor = min(1.0, max(0.0, 1.0 - top.value - noise) / (1.0 - before.value))
    return (1.0 - estimate.high) * math.pow(factor, math.log(HORIZON) / math.log(stretch))


def _warnings(evidence: Evidence) -> tuple[str, ...]:
    if len(evidence.values) < MIN_SEEDS:
        return (f"Only {len(evidence.values)} fresh models were confirmed; {MIN_SEEDS} are needed to demonstrate.",)
    return ()


def _unconfirmed(target: Target, evidence: Evidence) -> Verdict:
    reasons = ["No fresh model of one recipe was confirmed on the test part."]
    if evidence.rungs:
        best = evidence.rungs[-1].value
        reasons.append(
            f"The best validation {target.metric} of the longest cycles was {best:.4g}; chosen, so it flatters."
        )
    return Verdict(None if target.value is None else "undecided", None, None, tuple(reasons))
