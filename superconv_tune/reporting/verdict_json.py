"""verdict.json: the answer for programs. Its format is ``verdict.schema.json`` beside this file."""

from __future__ import annotations

from typing import Any

from superconv_tune.core.codec import encode
from superconv_tune.reporting.findings import Findings, publishable, trained_params

SCHEMA_VERSION = 1


def verdict_json(findings: Findings) -> dict[str, Any]:
    """The content of verdict.json: strict JSON, with null for missing numbers."""
    opened = findings.study.opened
    verdict = findings.verdict
    account = {
        "schema_version": SCHEMA_VERSION,
        "name": opened.name,
        "question": _question(findings),
        "verdict": verdict.word,
        "probability": verdict.probability,
        "estimate": verdict.estimate,
        "reachable": verdict.reachable,
        "settling": verdict.settling,
        "best": _best(findings),
        "confirmation": _confirmation(findings),
        "leaderboard": findings.leaderboard,
        "kept": _kept(findings),
        "ensemble": findings.kept.ensemble if findings.kept else None,
        "baselines": findings.baselines,
        "ladder": findings.ladder,
        "range_test": _range_test(findings),
        "trials": findings.statuses,
        "budget": _budget(findings),
        "reasons": verdict.reasons,
        "warnings": verdict.warnings,
        "mlflow": {key: opened.mlflow.get(key) for key in ("tracking_uri", "experiment_id", "run_id")},
        "environment": opened.environment,
    }
    content: dict[str, Any] = publishable(account)
    return content


def _question(findings: Findings) -> dict[str, Any]:
    spec, target = findings.study.opened.spec, findings.target
    return {
        "data": spec.get("data") or spec.get("task"),
        "model": spec.get("model"),
        "metric": target.metric,
        "target": target.value,
        "budget_s": findings.limit_s,
        "horizon_epochs": spec.get("horizon"),
    }


def _best(findings: Findings) -> dict[str, Any] | None:
    if findings.winner is None:
        return None
    request = findings.winner.request
    return {"params": trained_params(findings.winner), "seed": request.seed, "trial": request.trial_id}


def _confirmation(findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "seed": trial.request.seed,
            "validation": trial.outcome.validation,
            "test": trial.outcome.test,
            "wall_s": trial.outcome.wall_s,
        }
        for trial in findings.confirmations
    ]


def _kept(findings: Findings) -> dict[str, Any] | None:
    """The trained models, in the folder ``model`` beside this file."""
    kept = findings.kept
    if kept is None:
        return None
    return {"models": kept.models, "seed": kept.seed, "size_bytes": kept.size_bytes}


def _range_test(findings: Findings) -> dict[str, Any] | None:
    if findings.range_test is None:
        return None
    result = encode(findings.range_test)
    return {name: result[name] for name in ("lr_at_minimum", "edge", "max_lr", "min_lr", "quality")}


def _budget(findings: Findings) -> dict[str, float]:
    names = ("limit_s", "used_s", "worker_s", "training_share")
    return {name: getattr(findings, name) for name in names}
