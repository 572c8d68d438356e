"""Gather from a study the evidence for the verdict."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from superconv_tune.core.bits import unpack
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.brief import Brief
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.calibration import library
from superconv_tune.verdict.judge import judge
from superconv_tune.verdict.ladder import rungs
from superconv_tune.verdict.verdict import Case, Evidence, Repeat, Verdict, Word


def yardstick_of(study: Study, brief: Brief) -> Yardstick:
    """The metric on the validation part of a study, as a yardstick."""
    items = study.opened.measured.validation_items if brief.item_level else None
    return Yardstick(brief.target.metric, brief.target.direction, items)


def confirmed(study: Study) -> list[Trial]:
    """Fresh models of the current recipe that trained the whole cycle and were evaluated on the test part."""
    return [trial for trial in study.fresh_models() if trial.outcome.test is not None]


def gather(study: Study, brief: Brief) -> Evidence:
    """The evidence of the study so far.

    It is judged once when all planned seeds of a recipe have finished, and again after every later seed. The number of
    looks follows from the numbers of recipes and seeds alone, so that a replay gives the same verdict.
    """
    trials = confirmed(study)
    outcomes = [trial.outcome for trial in trials]
    packed = [outcome.test_correct for outcome in outcomes if outcome.test_correct is not None]
    correct = np.stack([unpack(text, outcomes[0].test_items) for text in packed]) if packed else None
    planned = study.plan.confirm_seeds if study.plan else len(outcomes)
    yardstick = yardstick_of(study, brief)
    return Evidence(
        values=tuple(outcome.test for outcome in outcomes if outcome.test is not None),
        correct=correct,
        looks=max(1, len(study.recipes)) + max(0, len(outcomes) - planned),
        rungs=rungs(study, yardstick),
        validation_items=yardstick.items,
        epochs=trials[0].request.params.cycle_epochs if trials else 0.0,
        repeats=_repeats(study),
        horizon=brief.horizon,
    )


def _repeats(study: Study) -> tuple[Repeat, ...]:
    """Mean validation results of fresh models of the recipe, by length and by share of the data."""
    values: defaultdict[tuple[float, float], list[float]] = defaultdict(list)
    for trial in study.came_back([*study.of_recipe("confirm"), *study.of_recipe("scaling")]):
        if trial.is_whole:
            key = (trial.request.params.cycle_epochs, trial.request.cycle.data_share)
            values[key].append(trial.value)
    return tuple(Repeat(*key, math.fsum(found) / len(found), len(found)) for key, found in values.items())


def verdict_of(study: Study, brief: Brief) -> Verdict:
    """The verdict on the study so far."""
    return judge(brief.target, gather(study, brief), library())


def word_of(study: Study, brief: Brief) -> Word | None:
    """The one-word verdict, cheaper than `verdict_of`; None if no target was given or nothing is confirmed."""
    case = None if brief.target.value is None else Case.of(brief.target, gather(study, brief), library())
    return None if case is None else case.word


def is_decided(study: Study, brief: Brief) -> bool:
    """Whether no more seeds are needed: those planned are in, and the verdict is final or no target was given."""
    enough = study.plan is not None and len(confirmed(study)) >= study.plan.confirm_seeds
    if brief.target.value is None:
        return enough
    return enough and word_of(study, brief) in ("demonstrated", "infeasible")
