"""A store that was moved with its artifacts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.core.secrets import Address
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.handle import ParentRun, StudyHandle, TrackingError
from superconv_tune.tracking.moved import follow_move
from superconv_tune.tracking.study_run import close_study, open_study


@pytest.fixture
def moved(handle: StudyHandle, store: Path, tmp_path: Path) -> tuple[StudyHandle, Path]:
    """The handle in the new folder, and the old one, which is gone."""
    files = store.parent / "mlartifacts" / handle.run_id / "artifacts"
    files.mkdir(parents=True)  # by hand: MLflow remembers in each process where the files of a run are
    (files / "note.txt").write_text("first", encoding="utf-8")
    new = Path(shutil.move(store.parent, tmp_path / "elsewhere"))
    return replace(handle, tracking_uri=Address(f"sqlite:///{new / 'mlflow.db'}")), store.parent


def test_files_of_before_are_found_and_those_of_after_lie_beside_them(moved: tuple[StudyHandle, Path]) -> None:
    handle, old = moved
    store = handle.tracking_uri.file
    assert store is not None
    for _ in range(2):  # a second time changes nothing
        follow_move(handle, store.parent / "mlartifacts")
    more = store.parent / "more.txt"
    more.write_text("second", encoding="utf-8")
    other = open_study(handle.tracking_uri, store.parent / "mlartifacts", ParentRun("digits", "another"))
    for one in (handle, other):
        close_study(one, status="FINISHED", tags={}, metrics={}, artifacts=[more])
    client = connect(handle.tracking_uri)
    assert {file.path for file in client.list_artifacts(handle.run_id)} == {"note.txt", "more.txt"}
    assert len(list((store.parent / "mlartifacts").rglob("more.txt"))) == 2
    assert not old.exists()


def test_a_store_that_was_not_moved_or_whose_folder_somebody_chose_stays_as_it_is(
    handle: StudyHandle, store: Path, tmp_path: Path
) -> None:
    def where() -> str:
        return str(connect(handle.tracking_uri).get_run(handle.run_id).info.artifact_uri)

    before = where()
    for name in ("mlartifacts", "other", "missing"):
        folder = store.parent / name
        if name != "missing":
            folder.mkdir(exist_ok=True)
        follow_move(handle, folder)
    follow_move(replace(handle, tracking_uri=Address("http://localhost:5000")), store.parent / "mlartifacts")
    follow_move(replace(handle, tracking_uri=Address(f"sqlite:///{tmp_path}/no.db")), store.parent / "mlartifacts")
    assert where() == before
    assert not (tmp_path / "no.db").exists()


def test_a_store_that_is_no_database_is_one_kind_of_error(handle: StudyHandle, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database, just a long enough text " * 40, encoding="utf-8")
    with pytest.raises(TrackingError, match=r"notes\.db"):
        follow_move(replace(handle, tracking_uri=Address(f"sqlite:///{tmp_path}/notes.db")), tmp_path)
