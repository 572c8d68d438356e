from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address
from superconv_tune.spec.addresses import address_of
from superconv_tune.tracking.client import absolute, connect
from superconv_tune.tracking.handle import ParentRun, StudyHandle, TrackingError
from superconv_tune.tracking.study_run import check, close_study, is_open, open_study, reopen_study


def closed_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_parent_run_has_its_params_tags_and_name(handle: StudyHandle) -> None:
    run = connect(handle.tracking_uri).get_run(handle.run_id)
    assert (run.info.run_name, run.info.status) == ("quiet-otter", "RUNNING")
    assert run.data.params == {"target": "0.97"}
    assert run.data.tags["phase"] == "search"
    assert connect(handle.tracking_uri).get_experiment(handle.experiment_id).name == "digits"


def test_a_study_ends_with_its_files_metrics_and_tags(handle: StudyHandle, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>likely</p>")
    metrics = {"validation/accuracy": 0.98, "max_lr": float("nan")}
    close_study(handle, status="FINISHED", tags={"verdict": "likely"}, metrics=metrics, artifacts=[report])
    client = connect(handle.tracking_uri)
    run = client.get_run(handle.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["verdict"] == "likely"
    assert run.data.metrics == {"validation/accuracy": 0.98}
    assert Path(client.download_artifacts(handle.run_id, "report.html")).read_text() == "<p>likely</p>"
    assert run.info.artifact_uri.startswith("file:///")


def test_children_that_still_run_are_killed_and_others_are_left(handle: StudyHandle) -> None:
    client = connect(handle.tracking_uri)
    lost, done, stranger = (
        client.create_run(handle.experiment_id, tags={"mlflow.parentRunId": parent, "status": "running"}).info.run_id
        for parent in (handle.run_id, handle.run_id, "another")
    )
    client.set_terminated(done, "FINISHED")
    close_study(handle, status="KILLED", tags={}, metrics={}, artifacts=[])
    assert client.get_run(lost).info.status == "KILLED"
    assert client.get_run(lost).data.tags["status"] == "killed"
    assert client.get_run(done).info.status == "FINISHED"
    assert client.get_run(stranger).info.status == "RUNNING"


def test_a_resumed_study_runs_again(handle: StudyHandle) -> None:
    close_study(handle, status="KILLED", tags={}, metrics={}, artifacts=[])
    reopen_study(handle)
    assert connect(handle.tracking_uri).get_run(handle.run_id).info.status == "RUNNING"


@pytest.mark.parametrize("name", ["C# 100% (neu) & ü?", "a%20b", "what?x=1", "{SCHEMA_VERSION}", "it's [1]; + +"])
def test_a_folder_may_have_any_name(name: str, empty_store: Path, tmp_path: Path) -> None:
    """Nothing is made beside it, where MLflow would make the folder of a quoted address (mlflow pull request 19205)."""
    folder = tmp_path / "in here" / name
    folder.mkdir(parents=True)
    shutil.copy(empty_store, folder / "mlflow.db")
    address = address_of(folder / "mlflow.db")
    check(address)
    handle = open_study(address, folder / "mlartifacts", ParentRun("digits", "a"))
    (folder / "report.html").write_text("<p>likely</p>", encoding="utf-8")
    close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[folder / "report.html"])
    client = connect(handle.tracking_uri)
    assert handle.tracking_uri.file == folder / "mlflow.db"
    assert client.get_run(handle.run_id).info.status == "FINISHED"
    assert Path(client.download_artifacts(handle.run_id, "report.html")).read_text() == "<p>likely</p>"
    assert list((folder / "mlartifacts").rglob("report.html"))
    assert [path.name for path in (tmp_path / "in here").iterdir()] == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["in here"]


def test_two_studies_share_an_experiment(handle: StudyHandle, tmp_path: Path) -> None:
    other = open_study(handle.tracking_uri, tmp_path / "elsewhere", ParentRun("digits", "brave-fox"))
    assert other.experiment_id == handle.experiment_id
    assert other.run_id != handle.run_id


def test_a_relative_store_is_the_same_for_every_process(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.parent)
    handle = open_study("sqlite:///mlflow.db", Path("mlartifacts"), ParentRun("digits", "a"))
    assert handle.tracking_uri.reveal() == f"sqlite:///{store}"
    artifacts = connect(handle.tracking_uri).get_run(handle.run_id).info.artifact_uri
    assert artifacts.startswith((store.parent / "mlartifacts").as_uri())


def test_only_sqlite_paths_are_made_absolute() -> None:
    for uri in map(Address, ("http://localhost:5000", "postgresql://host/mlflow", "sqlite:////var/mlflow.db")):
        assert absolute(uri) == uri


def test_check_accepts_a_store_that_can_be_written(store: Path) -> None:
    check(f"sqlite:///{store}")


@pytest.mark.parametrize("uri", ["./mlruns", "file:///var/mlruns", "mlruns"])
def test_a_file_store_is_refused_with_the_reason(uri: str) -> None:
    with pytest.raises(UserError, match=r"plain files.*sqlite:///"):
        check(uri)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(uri: str) -> None:
    with pytest.raises(UserError, match="names no file"):
        check(uri)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, just a long enough text " * 20)
    with pytest.raises(UserError, match="not a database"):
        check(f"sqlite:///{tmp_path / 'notes.db'}")


def test_a_folder_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unable to open"):
        check(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--tracking-uri"):
        check(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_is_away_is_refused(scheme: str) -> None:
    with pytest.raises(UserError, match=f"{scheme}://.*refused"):
        check(f"{scheme}://127.0.0.1:{closed_port()}")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://me:secret@127.0.0.1:{port}", r"me:\*\*\*@.*refused"),
        ("postgresql://me:secret@127.0.0.1:{port}/x", r"me:\*\*\*@.*refused"),
        ("postgresql://me:se@cret@127.0.0.1:{port}/x", "%40 for @"),
        ("http://me:se/cret@127.0.0.1:{port}", "%2F for /"),
        ("file://me:se%40cret@host/runs", "plain files"),
    ],
)
def test_a_password_is_not_repeated_when_a_store_is_refused(uri: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        check(uri.format(port=closed_port()))
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("ask", [is_open, partial(close_study, status="FINISHED", tags={}, metrics={}, artifacts=[])])
def test_a_password_is_not_repeated_when_a_store_is_away(ask: Callable[[StudyHandle], object]) -> None:
    handle = StudyHandle(Address(f"http://me:se%40cret@127.0.0.1:{closed_port()}"), "0", "run")
    with pytest.raises(TrackingError, match=r"me:\*\*\*@127") as away:
        ask(handle)
    assert "cret" not in str(away.value)


def test_a_deleted_experiment_is_named(handle: StudyHandle) -> None:
    connect(handle.tracking_uri).delete_experiment(handle.experiment_id)
    with pytest.raises(UserError, match=f"restore --experiment-id {handle.experiment_id}"):
        open_study(handle.tracking_uri, None, ParentRun("digits", "b"))


def test_a_study_is_open_until_it_is_closed_and_nothing_is_made_where_the_store_is_gone(
    handle: StudyHandle, store: Path
) -> None:
    assert is_open(handle)
    close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[])
    assert not is_open(handle)
    store.unlink()
    assert not is_open(handle)
    assert not store.exists()


def test_ending_a_run_that_is_gone_is_one_kind_of_error(handle: StudyHandle, store: Path) -> None:
    with closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("DELETE FROM runs")
        database.commit()
    with pytest.raises(TrackingError, match=handle.run_id):
        close_study(handle, status="FINISHED", tags={"verdict": "likely"}, metrics={}, artifacts=[])


def test_a_new_store_is_made_without_a_word(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    code = (
        "from pathlib import Path\n"
        "from superconv_tune.tracking.study_run import *\n"
        f"check({uri!r})\n"
        f"handle = open_study({uri!r}, Path({str(tmp_path)!r}), ParentRun('e', 'n'))\n"
        "close_study(handle, status='FINISHED', tags={}, metrics={}, artifacts=[])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_driver_that_is_not_installed_is_told_in_one_message() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match="No module named") as told:
            check(f"mysql://me@127.0.0.1:{port}/runs")
    assert len(told.value.messages) == 1


@pytest.mark.parametrize("cut", [KeyboardInterrupt, OSError])
def test_a_run_that_could_not_be_opened_is_not_left_running(
    store: Path, monkeypatch: pytest.MonkeyPatch, cut: type[BaseException]
) -> None:
    def log_batch(*_: object, **__: object) -> None:
        raise cut

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    with pytest.raises((KeyboardInterrupt, UserError)):
        open_study(address_of(store), store.parent / "files", ParentRun("digits", "quiet-otter"))
    client = connect(address_of(store))
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["KILLED"]


def test_files_that_go_where_a_library_is_missing_are_one_kind_of_error(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with files on S3 and without boto3, which nothing needs before the end."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    uri = address_of(store)
    connect(uri).create_experiment("cloud", artifact_location="s3://bucket/files")
    handle = open_study(uri, None, ParentRun("cloud", "quiet-otter"))
    with pytest.raises(TrackingError, match=r"could not be ended: .*boto3"):
        close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[store])
