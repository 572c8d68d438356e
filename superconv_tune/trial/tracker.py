"""The interface of whatever records a trial."""

from __future__ import annotations

from typing import Literal, Protocol

from superconv_tune.core.curve import Curve
from superconv_tune.record.trial import TrialOutcome, TrialRequest

Phase = Literal["range_test", "cycle"]


class Tracker(Protocol):
    """Records one trial at a time: `start`, any number of `record`, `run_id`, `finish`. None may slow training down."""

    def start(self, request: TrialRequest) -> None:
        """Begin the record of this attempt; returns at once."""
        ...

    def record(self, phase: Phase, block: Curve) -> None:
        """Record the next block of the curve of this phase, in order; returns at once."""
        ...

    def run_id(self) -> str | None:
        """Id of the run of the attempt that has been trained; None where there is none."""
        ...

    def finish(self, outcome: TrialOutcome) -> None:
        """Record the outcome; returns once everything is written or safely spilled to disk."""
        ...
