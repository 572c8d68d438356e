"""Real sqlite stores in temporary folders."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.study_run import check, open_study


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making them takes two seconds, copying them nothing."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with warnings.catch_warnings():
        # MLflow 3.17 on SQLAlchemy 2.1, when its store is imported for the first time.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        check(f"sqlite:///{path}")
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "with space"
    folder.mkdir()
    return Path(shutil.copy(empty_store, folder / "mlflow.db"))


@pytest.fixture
def handle(store: Path) -> StudyHandle:
    artifacts = store.parent / "mlartifacts"
    return open_study(f"sqlite:///{store}", artifacts, "digits", "quiet-otter", {"target": 0.97}, {"phase": "search"})


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
