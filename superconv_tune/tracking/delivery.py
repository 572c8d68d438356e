"""How the attempt of a trial is sent from its folder to MLflow.

While MLflow is unreachable the folder stays and is sent later. Sending twice does no harm: the same point, param or
file is stored once.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from superconv_tune.core.curve import Curve
from superconv_tune.figures.trial import draw_cycle, draw_range_test
from superconv_tune.lr.schedule import as_mapping
from superconv_tune.record.trial import INFORMATIVE, Cycle, Fit, TrialOutcome, TrialRequest
from superconv_tune.tracking.attempt import CURVES, Attempt, saved_curves
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.notes import NOTE, trial_note
from superconv_tune.tracking.series import Phase, Point
from superconv_tune.tracking.study_run import children_of, log_data_set, source_tags
from superconv_tune.tracking.views import ROLE

FIGURES = {"range_test": draw_range_test, "cycle": draw_cycle}
TAG_CHARS = 5000  # MLflow's limit for the value of a tag


def deliver(client: MlflowClient, handle: StudyHandle, folder: Path) -> None:
    """Send a saved attempt and its figures to MLflow, end its run and remove the folder; may be repeated."""
    attempt = Attempt.read(folder)
    outcome = attempt.outcome
    run_id = attempt.run_id
    if run_id is None:
        # A server that did not answer in time may have created the run nevertheless.
        made = runs_of(client, handle, attempt.request.trial_id, attempt.request.attempt)
        run_id = made[0].info.run_id if made else create_run(client, handle, attempt.request)
        replace(attempt, run_id=run_id).write(folder)  # so that a repetition does not create a second run
    describe(client, handle, attempt.request, run_id)
    curves = saved_curves(folder)
    note = trial_note(handle, run_id, attempt.request, outcome, curves)
    send(client, run_id, attempt.points, {**outcome_tags(outcome), NOTE: note})
    for path in (folder / CURVES, *_figures(folder, curves, outcome)):
        client.log_artifact(run_id, str(path))
    client.set_terminated(run_id, "FINISHED" if outcome.status in INFORMATIVE else "FAILED")
    shutil.rmtree(folder)


def _figures(folder: Path, curves: Mapping[Phase, Curve], outcome: TrialOutcome) -> list[Path]:
    """The files of the figures, drawn now."""
    drawn = []
    for phase, curve in curves.items():
        drawn.append(folder / f"{phase}.png")
        FIGURES[phase](drawn[-1], curve, outcome)
    return drawn


def create_run(client: MlflowClient, handle: StudyHandle, request: TrialRequest) -> str:
    """Create a child run for this attempt; returns its id."""
    tags = {
        MLFLOW_PARENT_RUN_ID: handle.run_id,
        **source_tags(handle.subject),
        ROLE: "trial",
        "trial_id": request.trial_id,
        "attempt": str(request.attempt),
        "kind": request.kind,
        "rung": str(request.rung),
        "phase": "start",
        "status": "running",
        "node": platform.node(),
    }
    name = request.trial_id if request.attempt == 1 else f"{request.trial_id} (attempt {request.attempt})"
    return str(client.create_run(handle.experiment_id, tags=tags, run_name=name).info.run_id)


def describe(client: MlflowClient, handle: StudyHandle, request: TrialRequest, run_id: str) -> None:
    """Write the params and the data of the attempt, and mark older attempts of the same trial as superseded."""
    client.log_batch(run_id, params=[Param(key, str(value)) for key, value in request_params(request).items()])
    log_data_set(client, handle, run_id)
    if request.attempt == 1:
        return
    for run in runs_of(client, handle, request.trial_id):
        if int(run.data.tags["attempt"]) < request.attempt:
            client.set_tag(run.info.run_id, "superseded", "true")


def runs_of(client: MlflowClient, handle: StudyHandle, trial_id: str, attempt: int | None = None) -> list[Run]:
    """The runs of a trial, or of one attempt of it."""
    where = f"{children_of(handle)} and tags.trial_id = '{trial_id}'"
    if attempt is not None:
        where += f" and tags.attempt = '{attempt}'"
    return list(client.search_runs([handle.experiment_id], where))


def send(client: MlflowClient, run_id: str, points: Sequence[Point], tags: Mapping[str, str]) -> None:
    """Write points and tags; the client splits them into requests of at most 1,000 metrics."""
    metrics = [Metric(*point) for point in points]
    client.log_batch(run_id, metrics=metrics, tags=[RunTag(key, value) for key, value in tags.items()])


def request_params(request: TrialRequest) -> Mapping[str, object]:
    """The params of a child run: every hyperparameter, and everything else that determines the trial.

    The schedule appears as the name of its policy (``schedule``) and each option that differs from its default.
    """
    if isinstance(request.work, Fit):
        return _fit_params(request, request.work)
    searched = {field.name: getattr(request.params, field.name) for field in fields(request.params)}
    fixed = ("seed", "kind", "rung", "precision", "pick_lr")
    options = {key: value for key, value in as_mapping(request.schedule).items() if key != "policy"}
    known: dict[str, object] = {
        "max_momentum": request.params.max_momentum,
        "purpose": request.purpose.name,
        "schedule": request.schedule.name,
        **options,
    }
    if isinstance(request.work, Cycle):
        known["data_share"] = request.work.data_share
    if request.recipe is not None:
        known["recipe"] = request.recipe
    if request.family:
        known["family"] = request.family
    return searched | known | {name: getattr(request, name) for name in fixed}


def _fit_params(request: TrialRequest, fit: Fit) -> Mapping[str, object]:
    """The params of a fit: its options, and no hyperparameter of a cycle."""
    known = {"family": request.family, "seed": request.seed, "kind": request.kind, "purpose": request.purpose.name}
    return {**fit.options, **known, **({} if request.recipe is None else {"recipe": request.recipe})}


def outcome_tags(outcome: TrialOutcome) -> Mapping[str, str]:
    """The tags that are known at the end of a trial."""
    tags = {
        "status": outcome.status,
        "phase": "cycle" if outcome.steps > 0 else "fit" if outcome.model_bytes > 0 else "range_test",
        "shortened": str(outcome.shortened).lower(),
        "wall_s": f"{outcome.wall_s:.6g}",
    }
    if outcome.reason:
        tags["reason"] = outcome.reason[:TAG_CHARS]
    if outcome.range_test is not None:
        tags["range_test.quality"] = outcome.range_test.quality
    return tags
