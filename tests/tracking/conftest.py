"""Real sqlite stores in temporary folders."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from superconv_tune.tracking.handle import DataSet, ParentRun, StudyHandle, Subject
from superconv_tune.tracking.study_run import check, open_study

DATA = DataSet("digits", "f1" * 32, "digits", is_path=False, shape=(1, 8, 8), items={"train": 898, "test": 360})
SUBJECT = Subject("accuracy", data_set=DATA, source="superconv_tune.search", commit="c0" * 20)
RUN = ParentRun("digits", "quiet-otter", params={"target": 0.97}, tags={"phase": "search"}, subject=SUBJECT)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making them takes two seconds, copying them nothing."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with warnings.catch_warnings():
        # MLflow 3.17 on SQLAlchemy 2.1, when its store is imported for the first time.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        check(f"sqlite:///{path}", path.parent / "mlartifacts")
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "with space"
    folder.mkdir()
    return Path(shutil.copy(empty_store, folder / "mlflow.db"))


@pytest.fixture
def handle(store: Path) -> StudyHandle:
    artifacts = store.parent / "mlartifacts"
    return open_study(f"sqlite:///{store}", artifacts, RUN)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
