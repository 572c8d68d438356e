"""The kept model of a study in MLflow: among the files of the parent run, and registered where that is possible."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import Schema, TensorSpec

from superconv_tune.core.secrets import masked
from superconv_tune.data.inputs import typical
from superconv_tune.data.scratch import scratch
from superconv_tune.kept.description import INDEX, Description, read_index
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.handle import StudyHandle, TrackingError
from superconv_tune.tracking.study_run import is_gone

logger = logging.getLogger(__name__)

PLACE = "model"  # among the files of the run
TAG = "kept_model"  # of the run: digest of the model that was sent last, once all of it was accepted
LOADER = "superconv_tune.tracking.loader"
NEEDS = ["superconv-tune"]  # to load it; the versions of the training are in the model's own description


def has_model(handle: StudyHandle, folder: Path) -> bool:
    """Whether MLflow has the model that is in this folder, or is gone.

    Raises:
        TrackingError: if MLflow cannot be read.
    """
    if is_gone(handle):
        return True
    try:
        return bool(connect(handle.tracking_uri).get_run(handle.run_id).data.tags.get(TAG) == _digest(folder))
    except Exception as error:  # as in `close_study`
        raise _failed(handle, error) from error


def log_model(handle: StudyHandle, folder: Path, name: str) -> None:
    """Send the models in a folder; ``mlflow.pyfunc.load_model`` then loads the one that validated best.

    Args:
        handle: the parent run.
        folder: of the models.
        name: under which the model is registered.

    Raises:
        TrackingError: if MLflow cannot be written. The model itself stays where it is.
    """
    client = connect(handle.tracking_uri)
    with scratch() as place:
        try:
            packed = place / PLACE
            _pack(folder, packed)
            client.log_artifacts(handle.run_id, str(packed), PLACE)
            _register(client, handle, name)
            client.set_tag(handle.run_id, TAG, _digest(folder))
        except Exception as error:  # as in `close_study`
            raise _failed(handle, error) from error


def _pack(folder: Path, packed: Path) -> None:
    """The model in MLflow's own layout, with a signature and an example where the inputs are known."""
    known = read_index(folder).description
    example = typical(known.reading, known.input_shape, np.dtype(known.input_type)) if known.input_type else None
    mlflow.pyfunc.save_model(
        str(packed),
        loader_module=LOADER,
        data_path=str(folder),
        signature=None if example is None else _signature(known, example),
        input_example=example,
        pip_requirements=NEEDS,
    )


def _signature(known: Description, example: Any) -> ModelSignature:
    """Inputs as in the example; outputs are labels, or numbers in the units of the targets."""
    inputs = infer_signature(example).inputs
    answer = known.answer
    if answer.kind == "raw":
        return ModelSignature(inputs=inputs)
    kind = np.asarray(answer.labels).dtype if answer.kind == "classes" else np.dtype(np.float64)
    shape = (-1, *(answer.shape if answer.kind == "numbers" else ()))
    return ModelSignature(inputs=inputs, outputs=Schema([TensorSpec(np.dtype(kind.type), shape)]))


def _register(client: MlflowClient, handle: StudyHandle, name: str) -> None:
    """Make it the latest version of the model of this name; a store without a registry keeps the files alone."""
    try:
        with suppress(MlflowException):  # it exists
            client.create_registered_model(name)
        client.create_model_version(name, f"runs:/{handle.run_id}/{PLACE}", handle.run_id)
    except MlflowException as error:
        logger.info("MLflow does not register the model: %s", masked(str(error)))


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / INDEX).read_bytes()).hexdigest()


def _failed(handle: StudyHandle, error: Exception) -> TrackingError:
    return TrackingError(f"The model of run {handle.run_id} at {handle.tracking_uri}: {masked(str(error))}")
