"""The parent run of a study and what the study is about, in plain text; MLflow need not be installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.secrets import Address

NO_TRACKING = "none"  # instead of a tracking URI: nothing is recorded


class TrackingError(Exception):
    """MLflow could not be written; the results of a study do not depend on it."""


@dataclass(frozen=True)
class DataSet:
    """What MLflow shows of the data of a study; the data themselves stay where they are.

    Attributes:
        name: a short name, such as that of their folder.
        fingerprint: SHA-256 of all values.
        source: path of the data, or the name of what makes them.
        is_path: whether ``source`` is a path.
        shape: shape of one example.
        items: number of examples by part: ``train``, ``validation``, ``test``.
    """

    name: str
    fingerprint: str
    source: str
    is_path: bool
    shape: tuple[int, ...] = ()
    items: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """What a study is about: shown with its parent run and with every child.

    Attributes:
        metric: name of the metric, as metrics in MLflow call it; studies of earlier versions call it ``metric``.
        higher_is_better: its direction.
        data_set: its data; None if they are not known.
        source: the code that is run: the user's file, or our command.
        commit: commit of the git repository that the code, or the working folder, is in; empty if there is none.
    """

    metric: str = "metric"
    higher_is_better: bool = True
    data_set: DataSet | None = None
    source: str = ""
    commit: str = ""


@dataclass(frozen=True)
class ParentRun:
    """A parent run that is to be opened.

    Attributes:
        experiment: name of its experiment.
        name: its name.
        role: what it records: ``search``, ``range_test`` or ``long_run``.
        params: its params, written as text.
        tags: its tags.
        subject: what the study is about.
        text: its note until the study has ended, in Markdown.
    """

    experiment: str
    name: str
    role: Literal["search", "range_test", "long_run"] = "search"
    params: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    subject: Subject = Subject()
    text: str = ""


@dataclass(frozen=True)
class StudyHandle:
    """The parent run of a study, as it is sent to workers; what the journal keeps of it is `recorded`.

    Attributes:
        tracking_uri: address of the store; a sqlite path in it is absolute.
        experiment_id: id of the experiment that holds parent and children.
        run_id: id of the parent run.
        subject: what the study is about.
    """

    tracking_uri: Address
    experiment_id: str
    run_id: str
    subject: Subject = Subject()

    @staticmethod
    def of(recorded: Mapping[str, str]) -> StudyHandle:
        """The handle that was recorded; a password in its address is missing."""
        return StudyHandle(
            tracking_uri=Address(recorded["tracking_uri"]),
            experiment_id=recorded["experiment_id"],
            run_id=recorded["run_id"],
            subject=decode(Subject, json.loads(recorded.get("subject", "{}"))),
        )

    @property
    def recorded(self) -> dict[str, str]:
        """The handle in plain text, without a password."""
        return {
            "tracking_uri": self.tracking_uri.shown,
            "experiment_id": self.experiment_id,
            "run_id": self.run_id,
            "subject": json.dumps(encode(self.subject)),
        }
