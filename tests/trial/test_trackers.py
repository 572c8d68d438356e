from __future__ import annotations

import logging

import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.trial.tracker import Phase
from superconv_tune.trial.trackers import FaultTolerantTracker, NullTracker
from tests.fakes import MemoryTracker

REQUEST = TrialRequest(
    "t", 1, Probe(0.1), Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=0, deadline=0.0
)
OUTCOME = TrialOutcome("t", 1, "finished", 0.5)


class BrokenTracker(MemoryTracker):
    """A store that is full."""

    def start(self, request: TrialRequest) -> None:
        super().start(request)
        raise OSError("no space left for postgresql://me:se@cret@host/db")

    def record(self, phase: Phase, block: Curve) -> None:
        super().record(phase, block)
        raise OSError("no space left")

    def finish(self, outcome: TrialOutcome) -> None:
        super().finish(outcome)
        raise OSError("no space left")


def test_a_broken_tracker_is_asked_once_warned_about_and_still_finished(caplog: pytest.LogCaptureFixture) -> None:
    broken = BrokenTracker()
    tolerant = FaultTolerantTracker(broken)
    with caplog.at_level(logging.WARNING):
        tolerant.start(REQUEST)
        tolerant.record("cycle", Curve.empty())
        assert tolerant.run_id() is None
        tolerant.finish(OUTCOME)
    assert (len(broken.requests), len(broken.blocks), len(broken.outcomes)) == (1, 0, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "no space left for postgresql://me:***@host/db" in caplog.text
    assert "cret" not in caplog.text


def test_a_sound_tracker_gets_everything() -> None:
    tracker = MemoryTracker()
    tolerant = FaultTolerantTracker(tracker)
    tolerant.start(REQUEST)
    tolerant.record("cycle", Curve.empty())
    assert tolerant.run_id() == "run-1"
    tolerant.finish(OUTCOME)
    assert (tracker.requests, tracker.outcomes) == ([REQUEST], [OUTCOME])
    assert len(tracker.blocks) == 1


def test_the_null_tracker_has_no_run() -> None:
    tracker = NullTracker()
    tracker.start(REQUEST)
    tracker.record("cycle", Curve.empty())
    assert tracker.run_id() is None
    tracker.finish(OUTCOME)
