"""What a cluster asks of whoever decides, and what it may be answered."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from superconv_tune.record.trial import TrialOutcome, TrialRequest


class Signal(Enum):
    """An answer that is no trial."""

    WAIT = "wait"  # something runs whose outcome decides what is next
    DONE = "done"  # nothing more is to be asked


class Conductor(Protocol):
    """Hands out trials and takes their outcomes. Ray and the cluster in this process ask the same two questions."""

    def next(self) -> TrialRequest | Signal:
        """A trial for a free worker, `Signal.WAIT`, or `Signal.DONE`."""
        ...

    def observe(self, outcome: TrialOutcome) -> None:
        """A trial came back."""
        ...

    def lost(self, trial_id: str, reason: str) -> None:
        """A trial will not come back: its worker or its node is gone."""
        ...

    def resized(self, workers: int) -> None:
        """So many trials run at once from now on; told often, changed or not."""
        ...

    def should_stop(self) -> bool:
        """Whether everything that still runs is to be ended now."""
        ...
