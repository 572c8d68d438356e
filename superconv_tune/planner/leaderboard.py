"""What every family of models reached, and which one the answer is about."""

from __future__ import annotations

from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import gather
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.calibration import library
from superconv_tune.verdict.ladder import best, independent_items
from superconv_tune.verdict.standing import Standing
from superconv_tune.verdict.statistics import LEVEL, wilson
from superconv_tune.verdict.verdict import Case


def leading(study: Study, brief: Brief) -> Study:
    """The study of the family that the answer is about: of the recipe, or before there is one of the best trial."""
    top = None if study.recipe is not None else best(_whole(study), yardstick_of(study, brief))
    return study.lead if top is None else study.arms.get(top.request.family, study)


def leaderboard(study: Study, brief: Brief) -> tuple[Standing, ...]:
    """All families with a result: that of the recipe first, then by the validation part; a single network alone."""
    arms = study.arms or {_only(study): study}
    found = [each for name, arm in arms.items() if (each := _standing(name, arm, study, brief)) is not None]
    yardstick = brief.target.yardstick
    return tuple(sorted(found, key=lambda each: (not each.is_recipe, -yardstick.worth(each.validation))))


def _standing(name: str, arm: Study, study: Study, brief: Brief) -> Standing | None:
    yardstick = yardstick_of(study, brief)
    top = best(_whole(arm), yardstick)
    if top is None:
        return None
    evidence = gather(arm, brief)
    case = Case.of(brief.target, evidence, library())
    items = independent_items(top, yardstick)
    low, high = wilson(top.value, items, LEVEL) if items else (None, None)
    return Standing(
        family=name,
        value=top.value if case is None else case.estimate.value,
        low=low if case is None else case.estimate.low,
        high=high if case is None else case.estimate.high,
        level=LEVEL,
        part="validation" if case is None else "test",
        models=1 if case is None else len(evidence.values),
        validation=top.value,
        seconds=sum(outcome.wall_s for outcome in arm.outcomes.values()),
        size=_size(arm, top),
        unit="bytes" if arm.is_fitted else "parameters",
        is_recipe=study.recipe is not None and study.lead is arm,
    )


def _whole(study: Study) -> list[Trial]:
    return [trial for trial in study.trials("search", "fit", "confirm") if trial.is_whole]


def _size(arm: Study, top: Trial) -> int | None:
    if arm.is_fitted:
        return top.outcome.model_bytes
    return arm.family.parameters if arm.family is not None else None


def _only(study: Study) -> str:
    """The name of the only model of a study."""
    model = study.opened.spec.get("model")
    named = model if isinstance(model, dict) else {}
    return str(named.get("name") or named.get("factory") or "model of the task")
