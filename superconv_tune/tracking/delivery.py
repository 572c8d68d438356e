"""One attempt of a trial as a folder on the worker's disk, and how it is sent from there to MLflow.

The folder is written when the trial ends and removed once MLflow has everything. While MLflow is unreachable the folder
stays and is sent later. Sending twice does no harm: the same point, param or file is stored once.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.figures.trial import draw_cycle, draw_range_test
from superconv_tune.lr.schedule import as_mapping
from superconv_tune.record.trial import INFORMATIVE, Cycle, TrialOutcome, TrialRequest
from superconv_tune.record.versions import upgraded_request
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.series import Phase, Point
from superconv_tune.tracking.study_run import children_of

RECORD = "attempt.json"
FIGURES = {"range_test": draw_range_test, "cycle": draw_cycle}
TAG_CHARS = 5000  # MLflow's limit for the value of a tag


@dataclass(frozen=True)
class Attempt:
    """An attempt that has ended, with what MLflow has not received yet.

    Attributes:
        request: the trial.
        outcome: its outcome.
        run_id: id of its run; None if MLflow was unreachable when the trial began.
        points: metric values that MLflow has not confirmed.
    """

    request: TrialRequest
    outcome: TrialOutcome
    run_id: str | None
    points: Sequence[Point]

    def write(self, folder: Path) -> None:
        """Replace the record in this folder atomically."""
        value = {
            "request": encode(self.request),
            "outcome": encode(self.outcome),
            "run_id": self.run_id,
            "points": self.points,
        }
        part = folder / f"{RECORD}.part"
        part.write_text(json.dumps(value), encoding="utf-8")
        part.replace(folder / RECORD)

    @staticmethod
    def read(folder: Path) -> Attempt:
        """The record in this folder."""
        value = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Attempt(
            request=decode(TrialRequest, upgraded_request(value["request"])),
            outcome=decode(TrialOutcome, value["outcome"]),
            run_id=value["run_id"],
            points=[Point(*point) for point in value["points"]],
        )


def save(folder: Path, attempt: Attempt, curves: Mapping[Phase, Curve]) -> None:
    """Write the curves, the figures and last the record of the attempt; a folder with a record is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(curve_table(curves), folder / "curves.parquet", compression="zstd")
    for phase, curve in curves.items():
        if len(curve) > 0:
            FIGURES[phase](folder / f"{phase}.png", curve, attempt.outcome)
    attempt.write(folder)


def deliver(client: MlflowClient, handle: StudyHandle, folder: Path) -> None:
    """Send a saved attempt to MLflow, end its run and remove the folder; may be repeated after any error."""
    attempt = Attempt.read(folder)
    outcome = attempt.outcome
    run_id = attempt.run_id
    if run_id is None:
        # A server that did not answer in time may have created the run nevertheless.
        made = runs_of(client, handle, attempt.request.trial_id, attempt.request.attempt)
        run_id = made[0].info.run_id if made else create_run(client, handle, attempt.request)
        replace(attempt, run_id=run_id).write(folder)  # so that a repetition does not create a second run
    describe(client, handle, attempt.request, run_id)
    send(client, run_id, attempt.points, outcome_tags(outcome))
    for path in sorted(folder.iterdir()):
        if path.suffix in (".parquet", ".png"):
            client.log_artifact(run_id, str(path))
    client.set_terminated(run_id, "FINISHED" if outcome.status in INFORMATIVE else "FAILED")
    shutil.rmtree(folder)


def create_run(client: MlflowClient, handle: StudyHandle, request: TrialRequest) -> str:
    """Create a child run for this attempt; returns its id."""
    tags = {
        MLFLOW_PARENT_RUN_ID: handle.run_id,
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
    """Write the params of the attempt, and mark older attempts of the same trial as superseded."""
    client.log_batch(run_id, params=[Param(key, str(value)) for key, value in request_params(request).items()])
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
    return searched | known | {name: getattr(request, name) for name in fixed}


def outcome_tags(outcome: TrialOutcome) -> Mapping[str, str]:
    """The tags that are known at the end of a trial."""
    tags = {
        "status": outcome.status,
        "phase": "cycle" if outcome.steps > 0 else "range_test",
        "shortened": str(outcome.shortened).lower(),
    }
    if outcome.reason:
        tags["reason"] = outcome.reason[:TAG_CHARS]
    if outcome.range_test is not None:
        tags["range_test.quality"] = outcome.range_test.quality
    return tags


def curve_table(curves: Mapping[Phase, Curve]) -> pa.Table:
    """All iterations: columns phase, step, lr, momentum, loss, elapsed_s."""
    joined = Curve.join(list(curves.values()))
    phases = np.repeat(list(curves), [len(curve) for curve in curves.values()])
    columns = {name: pa.array(getattr(joined, name)) for name in COLUMNS}
    return pa.table(
        {"phase": pa.array(phases.tolist(), pa.string())} | columns | {"step": pa.array(joined.step.astype(np.int64))}
    )
