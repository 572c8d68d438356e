"""recipe.yaml: what the long run needs, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from superconv_tune.lr.schedule import as_mapping
from superconv_tune.record.trial import Trial
from superconv_tune.reporting.files import write_atomically
from superconv_tune.reporting.findings import Findings, publishable, trained_params

RECIPE_VERSION = 1

# Parts of the spec that describe the search and not the training; all others go on into the recipe.
SEARCH_ONLY = {
    "name", "target", "budget", "schedule", "space", "strategy", "sampler", "trials", "seed", "resources", "scheduler",
    "horizon", "tracking_uri", "storage", "output",
}  # fmt: skip

HEADER = """\
# The recipe that the study below found.
# The long run:  python -m superconv_tune.train recipe.yaml --epochs N
# `params.max_lr` is the peak for a cycle of `params.cycle_epochs`; `lr_multiplier` only says how it came about.
"""


def write_recipe(findings: Findings, path: Path) -> bool:
    """Write the winner's recipe; False, and nothing written, where no trial finished."""
    if findings.winner is None:
        return False
    text = yaml.safe_dump(recipe(findings, findings.winner), sort_keys=False, allow_unicode=True)
    write_atomically(path, (HEADER + text).encode())
    return True


def recipe(findings: Findings, winner: Trial) -> dict[str, Any]:
    """The content of recipe.yaml: the question's parts as in the spec, ``params``, ``seed`` and provenance."""
    request, outcome = winner.request, winner.outcome
    opened = findings.study.opened
    content: dict[str, Any] = publishable(
        {
            "recipe_version": RECIPE_VERSION,
            **{part: value for part, value in opened.spec.items() if part not in SEARCH_ONLY},
            "schedule": as_mapping(request.schedule),
            "precision": request.precision,
            "seed": request.seed,
            "params": trained_params(winner),
            "estimate": findings.verdict.estimate,
            "provenance": {
                "study": opened.name,
                "trial": request.trial_id,
                "verdict": findings.verdict.word,
                "validation": outcome.validation,
                "mlflow_run_id": outcome.mlflow_run_id,
                "environment": opened.environment,
            },
        }
    )
    return content
