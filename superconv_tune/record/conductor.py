"""The interface between a cluster, which runs trials, and the conductor, which decides what to run."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from superconv_tune.record.trial import TrialOutcome, TrialRequest


class Signal(Enum):
    """An answer other than a trial."""

    WAIT = "wait"  # the next trial depends on the outcome of one that is running
    DONE = "done"  # there is nothing more to run


class Conductor(Protocol):
    """Hands out trials and takes their outcomes; used alike by Ray and by the in-process cluster."""

    def next(self) -> TrialRequest | Signal:
        """A trial for a free worker, `Signal.WAIT`, or `Signal.DONE`."""
        ...

    def observe(self, outcome: TrialOutcome) -> None:
        """Take in the outcome of a trial."""
        ...

    def lost(self, trial_id: str, reason: str) -> None:
        """Take in that a trial will not return an outcome, because its worker or node is gone."""
        ...

    def resized(self, workers: int) -> None:
        """Set the number of trials that can run at once; called often, whether or not it changed."""
        ...

    def should_stop(self) -> bool:
        """Whether all running trials should be stopped now."""
        ...
