"""The parent run of a study in MLflow, or none; MLflow is imported only if something is recorded."""

from __future__ import annotations

import logging
import shlex
from contextlib import nullcontext, suppress
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal.schema import creating_tables
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import duration, goal
from superconv_tune.reporting.summary import markdown
from superconv_tune.study.places import ARTIFACTS, Places
from superconv_tune.study.question import Question
from superconv_tune.study.stored import StoredStudy
from superconv_tune.study.subject import subject_of
from superconv_tune.tracking.handle import NO_TRACKING, ParentRun, StudyHandle, TrackingError
from superconv_tune.tracking.views import run_link
from superconv_tune.verdict.verdict import Target

logger = logging.getLogger(__name__)

USUAL_SERVER = "http://127.0.0.1:5000"  # where `mlflow ui` answers
# Parts of the spec that become params of the parent run.
SHOWN = (
    "data", "task", "model", "optimizer", "schedule", "baselines", "metric", "target", "budget", "strategy", "sampler",
    "seed",
)  # fmt: skip


def check(tracking_uri: Address, storage: Address, artifact_root: Path | None) -> None:
    """Check that MLflow works before anything is trained.

    Args:
        tracking_uri: its address.
        storage: keeps the tables of two new searches apart.
        artifact_root: where a new sqlite file keeps what belongs to no study of ours.

    Raises:
        UserError: if it cannot be used, reached or written.
    """
    if tracking_uri.shown != NO_TRACKING:
        from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed

        has_tables = tracking_uri.scheme not in ("http", "https")  # a server makes its own
        with creating_tables(storage) if has_tables else nullcontext():
            study_run.check(tracking_uri, artifact_root)


def begin_run(where: Places, question: Question) -> StudyHandle | None:
    """Create the parent run of a new study; None if nothing is recorded.

    Raises:
        UserError: if MLflow cannot be used, reached or written.
    """
    if not where.is_tracked:
        return None
    from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed

    spec = question.spec
    values = spec.model_dump(mode="json")
    params = {key: values[key] for key in SHOWN if values[key] is not None}
    asked = goal(Target(spec.metric_name, spec.direction, spec.target, spec.reliability))
    run = ParentRun(
        experiment=spec.name,
        name=where.name,
        params=params,
        tags={"phase": "search", "target": str(spec.target)},
        subject=subject_of(question.payload, question.card, "superconv_tune.search"),
        text=f"Asked for {asked} within {duration(spec.budget_s)}; the search is underway.",
    )
    return study_run.open_study(where.tracking_uri, where.artifact_root, run)


def give_up_run(handle: StudyHandle | None) -> None:
    """End the parent run of a study that could not be opened."""
    if handle is not None:
        from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed

        with suppress(TrackingError):
            study_run.close_study(handle, status="KILLED", tags={"phase": "refused"}, metrics={}, artifacts=[])


def resume_run(handle: StudyHandle | None, where: Places) -> None:
    """Mark the parent run as running again.

    Raises:
        UserError: if MLflow or the run cannot be reached.
    """
    if handle is not None:
        from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed

        try:
            _follow_move(handle, where)
        except TrackingError as error:
            raise UserError(str(error)) from error
        study_run.reopen_study(handle)


def end_run(findings: Findings, stored: StoredStudy, files: list[Path]) -> bool:
    """Send the files, and what the workers could not send, to MLflow; False if it did not accept all of them.

    Raises:
        UserError: if the password of the MLflow address is not set.
    """
    handle, where = stored.handle(), stored.where
    if handle is None:
        return True
    from superconv_tune.tracking import study_run, worker  # noqa: PLC0415 - MLflow need not be installed

    left = worker.recover(handle, where.spill_dir)
    if left:
        logger.warning("%d trials could not be sent to MLflow; they are kept in %s.", left, where.spill_dir)
    closed = findings.study.closed
    try:
        study_run.close_study(
            handle,
            status="KILLED" if closed is None or closed.reason == "interrupted" else "FINISHED",
            tags={"verdict": str(findings.verdict.word), "target": str(findings.target.value), "phase": "done"},
            metrics=_metrics(findings),
            artifacts=files,
            text=markdown(findings),
        )
    except TrackingError as error:
        logger.warning("The parent run was not ended: %s", error)
        return False
    return _send_model(findings, stored, handle) and not left


def _send_model(findings: Findings, stored: StoredStudy, handle: StudyHandle) -> bool:
    """Send the kept model, last of all because it may be large; False if MLflow did not accept it."""
    if not findings.kept:
        return True
    from superconv_tune.tracking import model  # noqa: PLC0415 - MLflow need not be installed

    try:
        if not model.has_model(handle, stored.where.model):
            model.log_model(handle, stored.where.model, stored.spec.name)
    except TrackingError as error:
        logger.warning("The model was not sent: %s", error)
        return False
    return True


def catch_up(findings: Findings, stored: StoredStudy, files: list[Path]) -> bool:
    """Send what MLflow missed of a study that has ended; False if it still does not accept it."""
    try:
        handle = stored.handle()
        if handle is None:
            return True
        from superconv_tune.tracking import study_run, worker  # noqa: PLC0415 - MLflow need not be installed

        _follow_move(handle, stored.where)
        is_behind = bool(worker.unsent(handle, stored.where.spill_dir)) or study_run.is_open(handle)
        return end_run(findings, stored, files) if is_behind else _send_model(findings, stored, handle)
    except (TrackingError, UserError) as error:  # the latter if its password is not set
        logger.warning("MLflow could not be brought up to date: %s", error)
        return False


def _follow_move(handle: StudyHandle, where: Places) -> None:
    """Where the store moved with the folder of studies, so did the files that it names."""
    from superconv_tune.tracking.moved import follow_move  # noqa: PLC0415 - beside MLflow

    store = handle.tracking_uri.file
    if store is not None and store.resolve().parent == where.root.resolve():
        follow_move(handle, where.root.resolve() / ARTIFACTS)


def where_curves_are(handle: StudyHandle | None) -> str:
    """The command and the address that show the curves, or that none were recorded."""
    if handle is None:
        return f"not recorded (--tracking-uri {NO_TRACKING})"
    page = run_link(handle, handle.run_id)
    if handle.tracking_uri.file is not None:
        command = f"mlflow ui --backend-store-uri {shlex.quote(handle.tracking_uri.shown)}"
        return f"{command}, then {USUAL_SERVER}/{page}"
    if handle.tracking_uri.scheme in ("http", "https"):
        return f"{handle.tracking_uri.shown.rstrip('/')}/{page}"
    return handle.tracking_uri.shown


def _metrics(findings: Findings) -> dict[str, float]:
    numbers = {"used_s": findings.used_s, "minutes": findings.used_s / 60, "training_share": findings.training_share}
    if findings.verdict.probability is not None:
        numbers["probability"] = findings.verdict.probability
    if findings.verdict.estimate is not None:
        estimate = findings.verdict.estimate
        numbers |= {"estimate": estimate.value, "estimate_low": estimate.low, "estimate_high": estimate.high}
    return numbers
