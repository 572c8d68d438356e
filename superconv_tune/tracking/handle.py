"""Identifies the parent run of a study, in plain text; MLflow need not be installed."""

from __future__ import annotations

from dataclasses import dataclass

NO_TRACKING = "none"  # instead of a tracking URI: nothing is recorded


class TrackingError(Exception):
    """MLflow could not be written; the results of a study do not depend on it."""


@dataclass(frozen=True)
class StudyHandle:
    """The parent run of a study; plain text, so that it can be sent to workers and kept in the journal.

    Attributes:
        tracking_uri: address of the store; a sqlite path in it is absolute.
        experiment_id: id of the experiment that holds parent and children.
        run_id: id of the parent run.
    """

    tracking_uri: str
    experiment_id: str
    run_id: str
