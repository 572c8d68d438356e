"""Identifies the parent run of a study, in plain text; MLflow need not be installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from superconv_tune.core.secrets import Address

NO_TRACKING = "none"  # instead of a tracking URI: nothing is recorded


class TrackingError(Exception):
    """MLflow could not be written; the results of a study do not depend on it."""


@dataclass(frozen=True)
class StudyHandle:
    """The parent run of a study, as it is sent to workers; what the journal keeps of it is `recorded`.

    Attributes:
        tracking_uri: address of the store; a sqlite path in it is absolute.
        experiment_id: id of the experiment that holds parent and children.
        run_id: id of the parent run.
    """

    tracking_uri: Address
    experiment_id: str
    run_id: str

    @staticmethod
    def of(recorded: Mapping[str, str]) -> StudyHandle:
        """The handle that was recorded; a password in its address is missing."""
        return StudyHandle(Address(recorded["tracking_uri"]), recorded["experiment_id"], recorded["run_id"])

    @property
    def recorded(self) -> dict[str, str]:
        """The handle in plain text, without a password."""
        return {
            "tracking_uri": self.tracking_uri.shown,
            "experiment_id": self.experiment_id,
            "run_id": self.run_id,
        }
