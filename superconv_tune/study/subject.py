"""What MLflow shows a study to be about: its metric, its data and its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.tracking.handle import DataSet, Subject

GIT_S = 2.0  # a repository on a slow disk is not waited for


def subject_of(payload: Payload, card: DataCard, command: str) -> Subject:
    """The subject of a study of these data.

    Args:
        payload: the question, with the user's files.
        card: facts about its data.
        command: our command that is run, such as ``superconv_tune.search``; the user's own file stands before it.
    """
    spec = payload.spec
    files = [Path(source.file) for source in payload.sources if source.file]
    return Subject(
        metric=spec.metric_name,
        higher_is_better=spec.direction == "max",
        data_set=_data_set(spec, card),
        source=str(files[0]) if files else command,
        commit=commit_at(files[0].parent if files else Path.cwd()),
    )


def commit_at(folder: Path) -> str:
    """The commit of the git repository that the folder is in; empty without git or a repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _data_set(spec: ExperimentSpec, card: DataCard) -> DataSet:
    path = spec.data.path if spec.data is not None else None
    made_by = spec.task.factory if spec.task is not None else spec.data.format if spec.data is not None else spec.name
    return DataSet(
        name=Path(path).name if path else Path(made_by).name,
        fingerprint=card.fingerprint,
        source=path or made_by,
        is_path=bool(path),
        shape=card.input_shape,
        items={"train": card.train_items, "validation": card.validation_items, "test": card.test_items},
    )
