"""The parent run of a study in MLflow, which the driver writes."""

from __future__ import annotations

import math
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE
from mlflow.utils.time import get_current_time_millis

from superconv_tune.core.errors import UserError
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.core.secrets import Address, masked
from superconv_tune.tracking.client import WHAT, absolute, configure, connect
from superconv_tune.tracking.data_set import data_input
from superconv_tune.tracking.experiment import experiment_id_of, show
from superconv_tune.tracking.handle import ParentRun, StudyHandle, Subject, TrackingError
from superconv_tune.tracking.notes import NOTE, parent_note
from superconv_tune.tracking.views import ROLE

# A worker that writes to a server never needs it.
SqlAlchemyStore = LazyFunction("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore")

PROBE_TIMEOUT_S = 5.0
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
PARAM_CHARS = 6000  # MLflow's limit for the value of a param


def check(tracking_uri: Address | str, artifact_root: Path | None = None) -> None:
    """Check that the store can be used; creates the tables of a new sqlite file.

    A sqlite file is also checked for writing. Whether a server may be written shows only on writing: `open_study`,
    which comes next and before any training, finds out.

    Args:
        tracking_uri: address of the store.
        artifact_root: folder for the files of experiments in a new sqlite file that are created without us, such as
            MLflow's own ``Default``, which would otherwise keep them in the working folder.

    Raises:
        UserError: if the store is of a kind that cannot be used, cannot be reached or cannot be written.
    """
    address = Address.of(tracking_uri, WHAT)
    _refuse_unusable(address)
    with _store_checked(address):
        _probe(address)
        if artifact_root is not None and _is_empty(address):
            configure()
            SqlAlchemyStore(absolute(address).reveal(), artifact_root.resolve().as_uri())
        connect(absolute(address)).search_experiments(max_results=1)


def open_study(tracking_uri: Address | str, artifact_root: Path | None, run: ParentRun) -> StudyHandle:
    """Create the experiment, if it does not exist, and the parent run of this study.

    Args:
        tracking_uri: address of the store; a relative sqlite path is relative to the working directory.
        artifact_root: folder for the files of a new experiment; None lets an MLflow server decide. An existing
            experiment keeps its folder.
        run: the parent run.

    Raises:
        UserError: if the store cannot be used, reached or written; no run is left running then, nor after an
            interruption.
    """
    address = Address.of(tracking_uri, WHAT)
    _refuse_unusable(address)
    uri = absolute(address)
    with _store_checked(address):
        client = connect(uri)
        experiment_id = experiment_id_of(client, run.experiment, artifact_root)
        tags = {**source_tags(run.subject), ROLE: run.role, "metric": run.subject.metric, **run.tags}
        run_id: str = client.create_run(experiment_id, tags=tags, run_name=run.name).info.run_id
        handle = StudyHandle(uri, experiment_id, run_id, run.subject)
        try:
            texts = [Param(key, str(value)[:PARAM_CHARS]) for key, value in run.params.items()]
            client.log_batch(run_id, params=texts, tags=[RunTag(NOTE, parent_note(handle, run.text))])
            log_data_set(client, handle, run_id)
            show(client, handle, run.name)
        except BaseException:
            with suppress(Exception):  # the first failure is what is told
                client.set_terminated(run_id, "KILLED")
            raise
    return handle


def source_tags(subject: Subject) -> dict[str, str]:
    """What MLflow shows as the source of a run."""
    tags = {MLFLOW_SOURCE_NAME: subject.source, MLFLOW_GIT_COMMIT: subject.commit}
    known = {key: value for key, value in tags.items() if value}
    return known | {MLFLOW_SOURCE_TYPE: "LOCAL"} if known else known


def log_data_set(client: MlflowClient, handle: StudyHandle, run_id: str) -> None:
    """Name the data of the study as the input of a run; may be repeated."""
    if handle.subject.data_set is not None:
        client.log_inputs(run_id, datasets=[data_input(handle.subject.data_set)])


def reopen_study(handle: StudyHandle) -> None:
    """Set the parent run to RUNNING again, for a study that is resumed, and give it what earlier versions lacked.

    Raises:
        UserError: if the store or the run cannot be reached.
    """
    with _store_checked(handle.tracking_uri):
        client = connect(handle.tracking_uri)
        client.update_run(handle.run_id, status="RUNNING")
        show(client, handle, client.get_run(handle.run_id).info.run_name)


def is_gone(handle: StudyHandle) -> bool:
    """Whether the file of the store is not there: the study's files were moved without it."""
    path = handle.tracking_uri.file
    return path is not None and not path.exists()


def is_open(handle: StudyHandle) -> bool:
    """Whether the parent run is still marked as running, because MLflow was unreachable when the study ended.

    Raises:
        TrackingError: if MLflow cannot be read.
    """
    if is_gone(handle):
        return False
    try:
        return bool(connect(handle.tracking_uri).get_run(handle.run_id).info.status == "RUNNING")
    except Exception as error:  # that of a store, or of any library on the way to its files
        place = handle.tracking_uri
        raise TrackingError(f"The run {handle.run_id} at {place} cannot be read: {masked(str(error))}") from error


def close_study(
    handle: StudyHandle,
    *,
    status: Literal["FINISHED", "FAILED", "KILLED"],
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    artifacts: Sequence[Path],
    text: str = "",
) -> None:
    """Write tags, finite metrics and files to the parent run and end it; children still running are ended as KILLED.

    Args:
        handle: the study.
        status: of the run.
        tags: more of its tags.
        metrics: its metrics.
        artifacts: its files.
        text: what its note says was found, in Markdown; empty to leave the note.

    Raises:
        TrackingError: if MLflow cannot be written. The files themselves stay where they are.
    """
    now = get_current_time_millis()
    values = [Metric(key, value, now, 0) for key, value in metrics.items() if math.isfinite(value)]
    if text:
        tags = {**tags, NOTE: parent_note(handle, text, [path.name for path in artifacts])}
    try:
        client = connect(handle.tracking_uri)
        for child in _running_children(client, handle):
            client.set_tag(child.info.run_id, "status", "killed")
            client.set_terminated(child.info.run_id, "KILLED")
        client.log_batch(handle.run_id, metrics=values, tags=[RunTag(key, value) for key, value in tags.items()])
        for path in artifacts:
            client.log_artifact(handle.run_id, str(path))
        client.set_terminated(handle.run_id, status)
    except Exception as error:  # that of a store, or of any library on the way to its files
        place = handle.tracking_uri
        raise TrackingError(f"The run {handle.run_id} at {place} could not be ended: {masked(str(error))}") from error


def children_of(handle: StudyHandle) -> str:
    """The filter that finds the child runs of this study."""
    return f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{handle.run_id}'"


def _running_children(client: MlflowClient, handle: StudyHandle) -> list[Run]:
    where = f"{children_of(handle)} and attributes.status = 'RUNNING'"
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([handle.experiment_id], where, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _refuse_unusable(tracking_uri: Address) -> None:
    if tracking_uri.scheme in ("", "file"):
        raise UserError(
            f"The MLflow tracking URI {tracking_uri.shown!r} is a folder, and MLflow 3.13 and later refuse "
            "to keep runs in plain files. Use a database such as sqlite:///runs/mlflow.db, or a server such as http://localhost:5000."
        )
    if tracking_uri.scheme.startswith("sqlite") and tracking_uri.file is None:
        raise UserError(
            f"The MLflow tracking URI {tracking_uri.shown!r} names no file, but the workers are separate processes "
            "that can share only a file. Use for example sqlite:///runs/mlflow.db."
        )


@contextmanager
def _store_checked(tracking_uri: Address) -> Iterator[None]:
    """Turn the failure of a store, or of a library on the way to it, into an error that says how to fix it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"MLflow cannot be used at {tracking_uri.shown!r}: {masked(str(error))}. "
            "Fix it, name another store with --tracking-uri, or record nothing with --tracking-uri none."
        ) from error


def _is_empty(tracking_uri: Address) -> bool:
    """Whether it is a sqlite file without tables."""
    path = tracking_uri.file
    if path is None:
        return False
    with closing(sqlite3.connect(path, timeout=PROBE_TIMEOUT_S)) as database:
        return database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _probe(tracking_uri: Address) -> None:
    """Fail at once if a database cannot be opened, where MLflow itself would retry for minutes."""
    path = tracking_uri.file
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=PROBE_TIMEOUT_S)) as database:
            database.execute("BEGIN IMMEDIATE")
        return
    address = urlsplit(tracking_uri.reveal())
    scheme = address.scheme.partition("+")[0]
    if scheme in DATABASE_PORTS:
        place = (address.hostname or "localhost", address.port or DATABASE_PORTS[scheme])
        socket.create_connection(place, PROBE_TIMEOUT_S).close()
