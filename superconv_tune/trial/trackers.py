"""Trackers that need neither Ray nor MLflow."""

from __future__ import annotations

import logging
from traceback import format_exc

from superconv_tune.core.curve import Curve
from superconv_tune.core.secrets import masked
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.trial.tracker import Phase, Tracker

_log = logging.getLogger(__name__)


class NullTracker:
    """Keeps nothing; for debugging, and for the smoke trial before a search."""

    def start(self, request: TrialRequest) -> None:
        """There is nothing to begin."""

    def record(self, phase: Phase, block: Curve) -> None:
        """The block is dropped."""

    def run_id(self) -> str | None:
        """There is no run."""

    def finish(self, outcome: TrialOutcome) -> None:
        """There is nothing to write."""


class FaultTolerantTracker:
    """Wraps a tracker so that its failures lose the record and not the trial: they are logged, and recording ends."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._works = True

    def start(self, request: TrialRequest) -> None:
        """As the wrapped tracker."""
        try:
            self._tracker.start(request)
        except Exception:  # noqa: BLE001 - a broken record must not cost the trial
            self._give_up("start")

    def record(self, phase: Phase, block: Curve) -> None:
        """As the wrapped tracker, until it fails."""
        if not self._works:
            return
        try:
            self._tracker.record(phase, block)
        except Exception:  # noqa: BLE001 - a broken record must not cost the trial
            self._give_up("record")

    def run_id(self) -> str | None:
        """As the wrapped tracker; None if it has failed."""
        try:
            return self._tracker.run_id() if self._works else None
        except Exception:  # noqa: BLE001 - a broken record must not cost the trial
            self._give_up("run_id")
            return None

    def finish(self, outcome: TrialOutcome) -> None:
        """As the wrapped tracker, even after it failed: it may still close its run."""
        try:
            self._tracker.finish(outcome)
        except Exception:  # noqa: BLE001 - a broken record must not cost the trial
            self._give_up("finish")

    def _give_up(self, call: str) -> None:
        self._works = False
        _log.warning("The tracker failed in `%s`; the trial continues unrecorded.\n%s", call, masked(format_exc()))
