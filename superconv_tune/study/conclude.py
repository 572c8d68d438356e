"""From a study to its findings and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from superconv_tune.planner.baselines import comparison_of, remarks
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.planner.first_ramps import pooled_range_test
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.recipe import count, current, frozen, is_unsteady
from superconv_tune.record.study import Study, Trial
from superconv_tune.reporting.findings import Findings
from superconv_tune.verdict.comparison import compare
from superconv_tune.verdict.ladder import complete_cycles, rungs, winner
from superconv_tune.verdict.perspective import with_landmarks

EXPECTED_TRIALS = 100  # for the choice of the sampler, where the user named no number


def proposer_of(name: str, brief: Brief, sampler: str, storage: str) -> Proposer:
    """The sampler of a study, with all that it has been told."""
    return Proposer(
        storage,
        name,
        brief.space,
        brief.target.direction,
        sampler,
        brief.seed,
        brief.trials or EXPECTED_TRIALS,
    )


def findings_of(
    study: Study, brief: Brief, proposer: Proposer, now: float, data_warnings: Sequence[str] = ()
) -> Findings:
    """All that the study found, up to now; what in the data makes the answer weaker is said with it."""
    items = study.opened.measured.validation_items if brief.item_level else None
    direction = brief.target.direction
    verdict = with_landmarks(verdict_of(study, brief), brief.target, study.opened.measured.landmarks)
    return Findings(
        study=study,
        target=brief.target,
        verdict=replace(verdict, warnings=(*verdict.warnings, *_unsteady(study, items), *data_warnings)),
        ladder=rungs(study, direction, items),
        winner=_as_frozen(study, winner(study, direction, items)),
        range_test=pooled_range_test(study),
        importance=_importance(study, proposer),
        now=now,
        baselines=compare(study, direction, items),
        baseline_remarks=remarks(comparison_of(study, brief, now), brief),
    )


def _as_frozen(study: Study, best: Trial | None) -> Trial | None:
    """The search trial of the recipe that was confirmed; where that is a calmer one the winner, with its parameters."""
    recipe = current(study)
    if best is None or recipe is None:
        return best
    confirmed = (recipe.params, recipe.pick_lr)
    trials = ((trial, frozen(trial)) for trial in complete_cycles(study))
    request, outcome = next((trial for trial, same in trials if (same.params, same.pick_lr) == confirmed), best)
    params = replace(recipe.params, lr_multiplier=request.params.lr_multiplier)
    return replace(request, params=params), replace(outcome, max_lr=recipe.pick_lr)


def _unsteady(study: Study, validation_items: int | None) -> tuple[str, ...]:
    """That a recipe was given up, or ought to have been."""
    first = next(iter(study.asked("confirm").values()), None)
    recipe, recipes = current(study), count(study)
    if first is None or recipe is None:
        return ()
    if is_unsteady(study, None, validation_items):
        return (
            "Fresh seeds of the recipe lie far apart, or some of them failed: its learning rate is close to the edge. "
            "A lower one would be a steadier recipe; there was no time left to confirm it.",
        )
    if recipes == 1:
        return ()
    return (
        f"What looked best, with a peak learning rate of {first.pick_lr:.3g}, did not hold up over fresh seeds; this "
        f"recipe has one of {recipe.pick_lr:.3g}.",
    )


def _importance(study: Study, proposer: Proposer) -> dict[str, float]:
    """From the lowest rung, which has the most trials."""
    keys = [request.proposal[0] for request in study.requests.values() if request.proposal is not None]
    return proposer.importance(max(set(keys), key=keys.count)) if keys else {}
