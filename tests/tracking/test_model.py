"""The kept model in MLflow: loaded by MLflow's own function, it says what ours says."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from superconv_tune.core.secrets import Address
from superconv_tune.kept.predictor import load
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.handle import StudyHandle, TrackingError
from superconv_tune.tracking.model import has_model, log_model
from tests.kept.confirmed import confirmed
from tests.kept.questions import LOADERS, QUESTIONS, task
from tests.samples import flowers

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture
def here(handle: StudyHandle) -> StudyHandle:
    mlflow.set_tracking_uri(handle.tracking_uri.reveal())
    return handle


def test_a_model_of_a_table_is_loaded_by_mlflow(here: StudyHandle, tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["table"](tmp_path))
    assert not has_model(here, asked.folder)
    log_model(here, asked.folder, "flowers")
    assert has_model(here, asked.folder)
    new = flowers(20, seed=5).drop(columns="label")
    expected = load(asked.folder).predict(new)
    for place in (f"runs:/{here.run_id}/model", "models:/flowers/1"):
        loaded = mlflow.pyfunc.load_model(place)
        np.testing.assert_array_equal(loaded.predict(new), expected)
    assert {column.name for column in loaded.metadata.signature.inputs} == {"length", "colour"}
    assert loaded.metadata.signature.outputs is not None
    example = loaded.input_example
    assert example is not None
    assert loaded.predict(example).tolist()[0] in load(asked.folder).labels
    with pytest.raises(MlflowException, match="colour"):
        loaded.predict(new.drop(columns="colour"))


def test_a_second_model_of_a_name_is_its_second_version(here: StudyHandle, tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["numbers"](tmp_path), models=1)
    log_model(here, asked.folder, "numbers")
    log_model(here, asked.folder, "numbers")
    versions = connect(here.tracking_uri).search_model_versions("name = 'numbers'")
    assert sorted(int(version.version) for version in versions) == [1, 2]
    loaded = mlflow.pyfunc.load_model("models:/numbers/2")
    signature = loaded.metadata.signature.outputs.to_dict()
    assert signature[0]["tensor-spec"]["dtype"] == "float64"


def test_a_model_whose_inputs_only_its_loaders_know_has_no_signature(here: StudyHandle, tmp_path: Path) -> None:
    asked = confirmed(tmp_path, task(tmp_path, LOADERS), models=1)
    log_model(here, asked.folder, "loaders")
    assert mlflow.pyfunc.load_model(f"runs:/{here.run_id}/model").metadata.signature is None


def test_a_store_without_a_registry_has_the_files(
    here: StudyHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise MlflowException("the registry of this server is off")

    monkeypatch.setattr(MlflowClient, "create_registered_model", refuse)
    monkeypatch.setattr(MlflowClient, "create_model_version", refuse)
    asked = confirmed(tmp_path, QUESTIONS["table"](tmp_path), models=1)
    with caplog.at_level(logging.INFO):
        log_model(here, asked.folder, "flowers")
    assert has_model(here, asked.folder)
    assert "does not register the model: the registry of this server is off" in caplog.text


def test_a_store_that_refuses_does_not_have_it(here: StudyHandle, tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["table"](tmp_path), models=1)
    lost = StudyHandle(here.tracking_uri, here.experiment_id, "0" * 32)
    for call in (lambda: has_model(lost, asked.folder), lambda: log_model(lost, asked.folder, "flowers")):
        with pytest.raises(TrackingError, match="The model of run 000"):
            call()
    gone = StudyHandle(Address("sqlite:////nowhere/mlflow.db"), "0", "0")
    assert has_model(gone, asked.folder)  # as nothing can be sent to it


def test_a_model_that_goes_where_a_library_is_missing_is_one_kind_of_error(
    here: StudyHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with files on S3 and without boto3."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    client = connect(here.tracking_uri)
    elsewhere = client.create_experiment("cloud", artifact_location="s3://bucket/files")
    run_id = client.create_run(elsewhere).info.run_id
    asked = confirmed(tmp_path, QUESTIONS["table"](tmp_path), models=1)
    with pytest.raises(TrackingError, match="boto3"):
        log_model(StudyHandle(here.tracking_uri, elsewhere, run_id), asked.folder, "flowers")
