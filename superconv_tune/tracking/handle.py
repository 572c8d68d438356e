"""Where the runs of a study are, in plain text; MLflow need not be installed for it."""

from __future__ import annotations

from dataclasses import dataclass

NO_TRACKING = "none"  # in the place of a tracking URI: nothing is recorded


class TrackingError(Exception):
    """MLflow could not be written; nothing that was learned depends on it."""


@dataclass(frozen=True)
class StudyHandle:
    """Where the runs of a study go; plain text, so that it travels to workers and into the journal.

    Attributes:
        tracking_uri: of the store; a sqlite path in it is absolute.
        experiment_id: of the experiment that holds parent and children.
        run_id: of the parent run.
    """

    tracking_uri: str
    experiment_id: str
    run_id: str
