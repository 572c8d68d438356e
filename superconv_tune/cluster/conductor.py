"""What a cluster asks of whoever decides."""

from __future__ import annotations

from typing import Protocol

from superconv_tune.planner.ask import Signal
from superconv_tune.record.trial import TrialOutcome, TrialRequest


class Conductor(Protocol):
    """Hands out trials and takes their outcomes. A real cluster and a simulated one ask the same two questions."""

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
