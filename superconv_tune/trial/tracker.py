"""The interface of whatever records a trial."""

from __future__ import annotations

from typing import Literal, Protocol

from superconv_tune.core.curve import Curve
from superconv_tune.record.trial import TrialOutcome, TrialRequest

Phase = Literal["range_test", "cycle"]


class Tracker(Protocol):
    """Records one trial at a time: `start`, any number of `record`, `finish`. No call may slow the training down."""

    def start(self, request: TrialRequest) -> str | None:
        """Begin the record of this attempt; returns the run's id, or None where there is none."""
        ...

    def record(self, phase: Phase, block: Curve) -> None:
        """Record the next block of the curve of this phase, in order; returns at once."""
        ...

    def finish(self, outcome: TrialOutcome) -> None:
        """Record the outcome; returns once everything is written or safely spilled to disk."""
        ...
