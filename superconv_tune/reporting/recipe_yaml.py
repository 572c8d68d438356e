"""The recipe of a study's winner as recipe.yaml, which the long run reads."""

from __future__ import annotations

from pathlib import Path

from superconv_tune.core.codec import encode
from superconv_tune.core.files import write_atomically
from superconv_tune.record.trial import Fit, Trial
from superconv_tune.reporting.findings import Findings, publishable
from superconv_tune.spec.recipe_file import (
    QUESTION,
    Provenance,
    RecipeEstimate,
    RecipeFile,
    RecipeParams,
    recipe_text,
)
from superconv_tune.spec.spec import ExperimentSpec, of_family


def write_recipe(findings: Findings, path: Path) -> bool:
    """Write the winner's recipe; returns False, and writes nothing, if no trial finished."""
    if findings.winner is None:
        return False
    write_atomically(path, recipe_text(recipe(findings, findings.winner)).encode())
    return True


def recipe(findings: Findings, winner: Trial) -> RecipeFile:
    """The recipe: the question as in the spec, the winner's parameters and peak, the estimate and the provenance."""
    request, outcome = winner.request, winner.outcome
    opened, estimate = findings.study.opened, findings.verdict.estimate
    question = {part: value for part, value in opened.spec.items() if part in QUESTION}
    spec = ExperimentSpec.model_validate(publishable(question) | {"schedule": request.schedule})
    fit = dict(request.work.options) if isinstance(request.work, Fit) else None
    return RecipeFile(
        question=of_family(spec, request.family) if request.family else spec,
        precision=request.precision,
        seed=request.seed,
        params=_params(winner) if fit is None else None,
        fit=fit,
        estimate=None if estimate is None else RecipeEstimate(**publishable(estimate)),
        provenance=Provenance(
            **publishable(
                {
                    "study": opened.name,
                    "trial": request.trial_id,
                    "verdict": findings.verdict.word,
                    "validation": outcome.validation,
                    "mlflow_run_id": outcome.mlflow_run_id,
                    "environment": opened.environment,
                }
            )
        ),
    )


def _params(winner: Trial) -> RecipeParams:
    params = {key: value for key, value in encode(winner.request.params).items() if key != "lr_multiplier"}
    return RecipeParams(**params, max_lr=winner.max_lr)
