"""A long run in MLflow: a parent run with one child per attempt; the last child holds the whole curve."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from superconv_tune.core.codec import encode
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.study.parent_run import check
from superconv_tune.study.places import places
from superconv_tune.tracking.handle import ParentRun, StudyHandle, Subject, TrackingError
from superconv_tune.trial.tracker import Tracker
from superconv_tune.trial.trackers import NullTracker

logger = logging.getLogger(__name__)

SPILL = "spill"  # subfolder of the run: records that MLflow did not accept


class LongRunRecord:
    """Where a long run is recorded.

    Args:
        recipe: path of the recipe; by default the run goes to the MLflow store of the recipe's study.
        tracking_uri: of MLflow, or ``none``; None takes the environment's, or else that of the study.
    """

    def __init__(self, recipe: Path, tracking_uri: str | None) -> None:
        studies = recipe.absolute().parent.parent
        root = studies if (studies / "mlflow.db").exists() else Path("runs")
        self._where = places(root, "long_run", None, tracking_uri)
        self._handle: StudyHandle | None = None
        self._spill = Path(SPILL)
        self.reference: dict[str, str] | None = None

    def begin(
        self, name: str, subject: Subject, request: TrialRequest, folder: Path, before: Mapping[str, str] | None
    ) -> Tracker:
        """Open the parent run, or reopen it, and return the tracker of one attempt.

        Args:
            name: name of the experiment.
            subject: what is trained on.
            request: the long run as a trial.
            folder: folder of the run.
            before: `reference` of the previous attempt; None in the first.

        Raises:
            UserError: if MLflow cannot be used, reached or written.
        """
        self.reference = None if before is None else dict(before)
        self._spill = folder.absolute() / SPILL
        if not self._where.is_tracked:
            return NullTracker()
        check(self._where.tracking_uri, self._where.storage, self._where.artifact_root)
        from superconv_tune.tracking import worker  # noqa: PLC0415 - MLflow need not be installed

        self._handle = self._reopened(before) or self._opened(name, subject, request, folder)
        self.reference = self._handle.recorded
        return worker.MlflowTracker(self._handle, self._spill)

    def end(self, status: Status | None, numbers: Mapping[str, float], files: Sequence[Path]) -> str:
        """Close the parent run; returns a warning for the user, or an empty text.

        Args:
            status: how the long run ended; None if it was interrupted.
            numbers: metrics of the parent run.
            files: artifacts of the parent run; missing ones are skipped.
        """
        if self._handle is None:
            return ""
        from superconv_tune.tracking import study_run, worker  # noqa: PLC0415 - MLflow need not be installed

        left = worker.recover(self._handle, self._spill)
        try:
            study_run.close_study(
                self._handle,
                status="KILLED" if status is None else "FINISHED" if status == "finished" else "FAILED",
                tags={"phase": "done", "status": status or "interrupted"},
                metrics=numbers,
                artifacts=[path for path in files if path.exists()],
            )
        except TrackingError as error:
            logger.warning("The parent run was not ended: %s", error)
            left += 1
        return f"warning: MLflow has not received all of this run; the rest is kept in {self._spill}/." if left else ""

    def _reopened(self, before: Mapping[str, str] | None) -> StudyHandle | None:
        """The parent run of the previous attempt, if it is in this store."""
        from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed
        from superconv_tune.tracking.client import absolute  # noqa: PLC0415

        uri = absolute(self._where.tracking_uri)
        if before is None or before["tracking_uri"] != uri.shown:
            return None
        handle = replace(StudyHandle.of(before), tracking_uri=uri)
        study_run.reopen_study(handle)
        return handle

    def _opened(self, name: str, subject: Subject, request: TrialRequest, folder: Path) -> StudyHandle:
        from superconv_tune.tracking import study_run  # noqa: PLC0415 - MLflow need not be installed

        params = encode(request.params) | {
            "max_lr": request.cycle.max_lr,
            "schedule": request.schedule.label,
            "precision": request.precision,
            "seed": request.seed,
            "folder": folder,
        }
        run = ParentRun(
            experiment=name,
            name=f"{name}-long-run-{time.strftime('%Y%m%d-%H%M%S')}",
            role="long_run",
            params=params,
            tags={"phase": "long_run"},
            subject=subject,
            text=f"One cycle of {request.params.cycle_epochs:g} epochs with the recipe of a search.",
        )
        return study_run.open_study(self._where.tracking_uri, self._where.artifact_root, run)
