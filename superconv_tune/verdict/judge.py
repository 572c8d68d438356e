"""The verdict on the evidence, in sentences that a manager understands."""

from __future__ import annotations

import math

from superconv_tune.core.words import number, percent, probability_words
from superconv_tune.verdict.groups import FEW
from superconv_tune.verdict.more_data import FARTHEST, Growth, Slope, times_needed, with_more_data
from superconv_tune.verdict.outlook import Calibration, error_of
from superconv_tune.verdict.reliability import MIN_MODELS, MOST_FAILURES, least_p, possible_failures
from superconv_tune.verdict.settling import longer_may_help, obstacles, settling
from superconv_tune.verdict.statistics import LEVEL
from superconv_tune.verdict.verdict import (
    ALPHA,
    HOPELESS,
    LEAST_TELLING,
    REACHABLE_LEVEL,
    Case,
    Evidence,
    Target,
    Verdict,
    by_length,
    data_slope,
)


def judge(target: Target, evidence: Evidence, calibration: Calibration, growth: Growth | None = None) -> Verdict:
    """Judge the evidence: the verdict with its reasons and warnings.

    Args:
        target: the question.
        evidence: what the study found.
        calibration: what longer cycles gained on tasks with known truth.
        growth: what more data gained on data sets of which more is known; None to say nothing of it.
    """
    case = Case.of(target, evidence, calibration)
    if case is None:
        return _unconfirmed(target, evidence)
    is_open = target.value is None
    return Verdict(
        word=None if is_open else case.word,
        probability=None if is_open else round(case.probability, 4),
        estimate=case.estimate,
        reachable=case.reachable,
        settling=None if is_open else settling(case),
        longer_may_help=longer_may_help(case),
        reasons=tuple(_reasons(case, growth)),
        warnings=tuple(_warnings(case)),
    )


def _unconfirmed(target: Target, evidence: Evidence) -> Verdict:
    reasons = [_too_few(target, evidence)]
    if evidence.rungs:
        best = evidence.rungs[-1].value
        reasons.append(
            f"The best validation {target.metric} of the longest cycles was {number(best)}; "
            "it was selected as the best, so it is optimistic."
        )
    return Verdict(None if target.value is None else "undecided", None, None, reasons=tuple(reasons))


def _too_few(target: Target, evidence: Evidence) -> str:
    """What the fresh models reached, of which too little is known to say how sure that is."""
    models, failed = len(evidence.values), evidence.failed
    diverged = f"{failed} fresh training{'s' * (failed != 1)} diverged" if failed else ""
    if not models:
        said = "No fresh model of one recipe was confirmed on the test part"
        return f"{said}: {diverged}." if diverged else f"{said}."
    also = f"; {diverged}" if diverged else ""
    mean = math.fsum(evidence.values) / models
    return (
        f"{models} fresh model{'s' * (models != 1)} reached {target.metric} {number(mean)} on the test part{also}. "
        f"How sure that is cannot be said: {_unknown(evidence)}."
    )


def _unknown(evidence: Evidence) -> str:
    if len(evidence.values) == 1:
        return "it takes two models at least"
    return "what other test items would show is not known"


def _reasons(case: Case, growth: Growth | None) -> list[str]:
    """Sentences that explain the verdict, the most important first."""
    measured = [_measured(case), *_longer(case), *_more_data(case, growth)]
    if case.target.value is None:
        return measured
    return [_answer(case), *obstacles(case), *measured]


def _warnings(case: Case) -> list[str]:
    found, models = _spent(case), len(case.evidence.values)
    if models < MIN_MODELS:
        confirmed = "1 fresh model was" if models == 1 else f"{models} fresh models were"
        found.append(f"Only {confirmed} confirmed; {MIN_MODELS} are needed to demonstrate.")
    if models < LEAST_TELLING and not case.evidence.is_fitted:
        found.append("The interval counts test items, and not seeds: how far other models would lie is not known.")
    if case.evidence.failed:
        trained = models + case.evidence.failed
        found.append(
            f"{case.evidence.failed} of {trained} fresh trainings diverged: each is a miss for a demonstration, but "
            f"estimate and probability are of those that ended well."
        )
    found += _assumed(case)
    found += _counted(case)
    if case.outlook is None and _is_open(case) and not case.evidence.is_fitted:
        found.append(_why_no_outlook(case))
    return found


def _assumed(case: Case) -> list[str]:
    """What a demonstration by few models takes for granted."""
    if case.target.value is None or case.word != "demonstrated":
        return []
    possible = possible_failures(len(case.evidence.values), 1.0 - case.level)
    if case.evidence.is_fitted or case.evidence.failed or possible <= 1.0 - case.target.reliability:
        return []
    return [
        f"That no more than {percent(MOST_FAILURES)} of fresh trainings fail is taken for granted: that none of "
        f"{len(case.evidence.values)} did would be no surprise (at the confidence asked for) up to "
        f"{percent(round(possible, 2))}."
    ]


def _counted(case: Case) -> list[str]:
    """What the number of test items, or of their groups, means for the interval."""
    evidence, groups = case.evidence, case.evidence.test_groups
    count, unit = (groups, "groups") if groups else (evidence.test_items, "items")
    if count and evidence.correct is None and not evidence.items_se:
        return [f"The interval counts seeds, and not that the test part has no more than {count} {unit}."]
    if 0 < groups < FEW and evidence.correct is None:
        return [
            f"The test part has {groups} groups only, samples of which say little of others: the interval may be too "
            f"narrow."
        ]
    if 0 < groups < FEW:
        return [
            f"The test part has {groups} groups only, so that the interval is wide: a larger split.test, or more "
            f"groups, would narrow it."
        ]
    return []


def _is_open(case: Case) -> bool:
    """Whether the fresh models alone do not answer the question."""
    return case.target.value is None or case.word != "demonstrated"


def _answer(case: Case) -> str:
    question, luck = _question(case.target), _luck(case)
    often = f"with probability at least {percent(case.target.reliability)}"
    if case.word == "demonstrated":
        return (
            f"Fresh models reached {question} on untouched test data: a fresh training does so {often} (confidence "
            f"{probability_words(1.0 - case.luck)})."
        )
    hope = "there are no longer cycles of it" if case.evidence.is_fitted else "nothing is known about longer cycles"
    longer = case.reachable
    if longer is not None:
        chance = probability_words(case.probability)
        hope = f"with cycles of up to {number(longer.epochs)} epochs it is within reach with probability {chance}"
    if case.word == "likely":
        return f"It is not demonstrated that a fresh training reaches {question} {often} ({luck}); {hope}."
    if case.word == "infeasible":
        return f"The fresh models do not reach {question} {often}, and {hope}; longer cycles hardly helped any more."
    return (
        f"The fresh models do not show that a fresh training reaches {question} {often} ({luck}), nor that it is "
        f"out of reach: {hope}{_hopeless(case)}."
    )


def _luck(case: Case) -> str:
    """The probability that models as good as these are luck, against the one that is allowed, in words."""
    evidence = case.evidence
    models = len(evidence.values)
    if models < MIN_MODELS or least_p(models, evidence.failed, case.target.reliability) > case.level:
        return "too few trainings ended well to tell"
    return f"probability of luck {case.luck:.3g}, allowed {case.level:.3g}"


def _hopeless(case: Case) -> str:
    """A clause for an undecided verdict: the cycle length that is certainly too short, rounded down."""
    epochs = case.hopeless_epochs
    if epochs is None:
        return ""
    unit = 10.0 ** (math.floor(math.log10(epochs)) - 1)
    certain = unit * math.floor(epochs / unit)
    return f", but with no more than {number(certain)} it is out of reach (below {percent(HOPELESS)})"


def _spent(case: Case) -> list[str]:
    """A sentence where the test part was looked at before."""
    looks, others = case.evidence.looks, case.evidence.others
    if looks == 1 or case.target.value is None:
        return []
    after = f", after {len(others)} other search{'es' * (len(others) != 1)} ({', '.join(others)})" if others else ""
    return [
        f"This was look {looks} at the same test part{after}: it may demonstrate something by luck with probability "
        f"{case.level:.2g}, and a first look with {ALPHA / 2.0:g}."
    ]


def _measured(case: Case) -> str:
    estimate, models, groups = case.estimate, len(case.evidence.values), case.evidence.test_groups
    how = "fitted" if case.evidence.is_fitted else f"trained for {case.evidence.epochs:g} epochs"
    part = f"test part of {groups} group{'s' * (groups != 1)}" if groups else "test part"
    return (
        f"{models} fresh model{'s' * (models != 1)} {how} reached "
        f"{case.target.metric} {number(estimate.value)} on the {part}, {percent(LEVEL)} interval "
        f"[{number(estimate.low)}, {number(estimate.high)}]."
    )


def _longer(case: Case) -> list[str]:
    """Sentences on what longer cycles are expected to reach."""
    found, outlook = case.reachable, case.outlook
    if found is None or outlook is None:
        return []
    lengths, metric = by_length(case.evidence), case.target.metric
    sentences = []
    if len(lengths) > 1:
        shorter, longer = lengths[-2:]
        before = "the search's cycles" if shorter.is_searched else "fresh models of the recipe"
        sentences.append(
            f"On the validation part {before} of {number(shorter.epochs, 3)} epochs reached {metric} "
            f"{shorter.value:.4g}, and fresh models of {number(longer.epochs, 3)} epochs {longer.value:.4g}."
        )
    both = 1.0 - error_of(outlook.log_odds)
    sentences.append(f"On the validation and the test part together the fresh models reach {metric} {both:.4g}.")
    sentences.append(
        f"With cycles of up to {number(found.epochs)} epochs, {metric} of about {found.value:.4g} is to be expected, "
        f"{percent(REACHABLE_LEVEL)} interval [{found.low:.4g}, {found.high:.4g}]. That interval rests on "
        f"{case.rests_on}, and holds for data like these."
    )
    if case.is_overtrained:
        sentences.append(
            "Longer cycles made it worse: more weight decay, augmentation or data would help more than time."
        )
    return sentences


def _more_data(case: Case, growth: Growth | None) -> list[str]:
    """A sentence on the effect of less data, and what more would reach as intervals, where they are known to hold."""
    slope, evidence = data_slope(case.evidence), case.evidence
    if slope is None or not _is_open(case) or evidence.correct is None or not case.target.yardstick.higher_is_better:
        return []
    lead = "With less training data the recipe " + (
        "made more errors in the same number of steps" if slope.value > slope.se else "was about as good"
    )
    if evidence.groups is not None:
        return [f"{lead}, all groups being in it; what data of further groups would gain is not estimated here."]
    if not case.is_sound or growth is None:  # the errors may be those of the search, about which more data says nothing
        return [f"{lead}; what more data would gain is not estimated here."]
    metric = case.target.metric
    twice, most = (_with_more(case, slope, times, growth) for times in (2.0, FARTHEST))
    sentence = (
        f"{lead}. In as many steps on twice the data, {metric} of {twice} is to be expected, and on {FARTHEST:g} times "
        f"as much {most} ({percent(REACHABLE_LEVEL)} intervals, from data sets of which more is known)"
    )
    target = case.target.value
    if target is None or target <= case.spread.mean:
        return [f"{sentence}."]
    return [f"{sentence}; {target:g} would take {_times(case, slope, growth)} as much."]


def _with_more(case: Case, slope: Slope, times: float, growth: Growth) -> str:
    """The interval of the metric on more data, in words."""
    found, tail = with_more_data(case.spread, slope, times, growth), (1.0 - REACHABLE_LEVEL) / 2.0
    return f"{1.0 - found.error_at(1.0 - tail):.4g} to {1.0 - found.error_at(tail):.4g}"


def _times(case: Case, slope: Slope, growth: Growth) -> str:
    """How many times the data the target takes, in words."""
    tail = (1.0 - REACHABLE_LEVEL) / 2.0
    least, most = (
        times_needed(case.spread, slope, 1.0 - case.needed, probability, growth) for probability in (tail, 1.0 - tail)
    )
    if least is None:
        return f"more than {FARTHEST:g} times"
    return f"{least:.2g} or more times" if most is None else f"{least:.2g} to {most:.2g} times"


def _why_no_outlook(case: Case) -> str:
    if case.evidence.correct is None or not case.target.yardstick.higher_is_better:
        return (
            f"What longer cycles would reach is not estimated, and nothing is called infeasible: there is no "
            f"{case.target.metric} of a task with known truth to compare with."
        )
    return (
        "What longer cycles would reach is not estimated: there are no shorter ones to compare with, because there was "
        "no time, or they would be too short."
    )


def _question(target: Target) -> str:
    return f"{target.metric} {'>=' if target.yardstick.higher_is_better else '<='} {target.value:g}"
