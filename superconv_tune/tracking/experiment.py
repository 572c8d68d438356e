"""The experiment of a study: where its files go, and how MLflow's UI shows it."""

from __future__ import annotations

import logging
from pathlib import Path

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.time import get_current_time_millis

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.notes import NOTE, OPEN, experiment_note
from superconv_tune.tracking.views import searches, trials

logger = logging.getLogger(__name__)

KIND = {"mlflow.experimentKind": "custom_model_development"}  # model training, where the UI asks the experiment
OURS = "superconv_tune"  # tag of our experiments
MOST_COMPARED = 50


def experiment_id_of(client: MlflowClient, name: str, artifact_root: Path | None) -> str:
    """The experiment of this name, which is created if it does not exist.

    Raises:
        UserError: if it was deleted.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        place = None
        if artifact_root is not None:
            artifact_root.mkdir(parents=True, exist_ok=True)
            # Absolute, so that workers and `mlflow ui` find it from any working directory.
            place = artifact_root.resolve().as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=place, tags=_tags()))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another study created it first
    if found.lifecycle_stage != "active":
        raise UserError(
            f"The MLflow experiment {name!r} was deleted. Restore it with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or choose another name."
        )
    return str(found.experiment_id)


def show(client: MlflowClient, handle: StudyHandle, name: str) -> None:
    """Give the experiment the charts of this study, and what it lacks of kind, views and note.

    What somebody has changed or written there stays. A store that refuses it, as one of another version may, still
    records the study.

    Args:
        client: of the store.
        handle: the study.
        name: its name.
    """
    try:
        _show(client, handle, name)
    except MlflowException as error:
        logger.warning("MLflow shows the experiment without charts and note: %s", masked(str(error)))


def _show(client: MlflowClient, handle: StudyHandle, name: str) -> None:
    experiment = client.get_experiment(handle.experiment_id)
    others = client.search_experiments(filter_string=f"tags.{OURS} LIKE '%'", max_results=MOST_COMPARED)
    ids = [str(other.experiment_id) for other in others]
    view, content = trials(handle, name).tag(get_current_time_millis())
    wanted = {key: value for key, value in _tags().items() if key not in experiment.tags} | {view: content}
    note = experiment_note(
        handle.experiment_id, sorted({handle.experiment_id, *ids}, key=lambda each: (len(each), each))
    )
    if _is_ours(experiment) and experiment.tags.get(NOTE) != note:
        wanted[NOTE] = note
    for key, value in wanted.items():
        client.set_experiment_tag(handle.experiment_id, key, value)


def _tags() -> dict[str, str]:
    """Everything that is the same for every experiment."""
    view, content = searches().tag(get_current_time_millis())
    return {**KIND, OURS: "searches", view: content}


def _is_ours(experiment: Experiment) -> bool:
    return bool(experiment.tags.get(NOTE, OPEN).startswith(OPEN))
