"""Who trains a long run: this process, or several that train together on Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from superconv_tune.core.errors import UserError
from superconv_tune.kept.keeper import ModelKeeper
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.study.call import connecting
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Tracker


@dataclass(frozen=True)
class LongCycle:
    """The one cycle of a long run.

    Attributes:
        request: the cycle.
        payload: the question.
        problem: the question on the device of this process.
        checkpoint: where it is saved after every epoch, and whom to tell.
        drafts: folder for the trained model.
        state: a file beside the checkpoint that tells this attempt from all others.
    """

    request: TrialRequest
    payload: Payload
    problem: Problem
    checkpoint: Checkpoint
    drafts: Path
    state: Path

    @property
    def keeper(self) -> ModelKeeper:
        """Keeps the model."""
        return ModelKeeper(self.drafts, self.payload, most=1)


class Trainer(Protocol):
    """Trains a long cycle."""

    def check(self, cycle: LongCycle) -> str:
        """What the user should know of how it is trained; empty for nothing.

        Raises:
            UserError: if it cannot be trained so.
        """
        ...

    def train(self, cycle: LongCycle, tracker: Tracker) -> TrialOutcome:
        """Train from the checkpoint, or from the beginning; evaluate and keep the model.

        Raises:
            UserError: if there is no room for it any more.
        """
        ...


class Alone:
    """Trains in this process."""

    def check(self, cycle: LongCycle) -> str:  # noqa: ARG002 - the protocol's
        """There is nothing to say."""
        return ""

    def train(self, cycle: LongCycle, tracker: Tracker) -> TrialOutcome:
        """Train here."""
        return run(cycle.request, cycle.problem, tracker, time.time, checkpoint=cycle.checkpoint, keeper=cycle.keeper)


ALONE = Alone()


@contextmanager
def trainer_of(workers: int, address: str | None) -> Iterator[Trainer]:
    """Whoever trains with so many processes; Ray starts in the background where it is needed, and ends with the block.

    Raises:
        UserError: if the address leads to no cluster, or only one process is to use it.
    """
    if workers == 1:
        if address is not None:
            raise UserError(
                "--address: one process trains on this machine. Add --workers N for processes on a cluster."
            )
        yield ALONE
        return
    with connecting(address) as (place, ray):
        from superconv_tune.study.together import Together  # noqa: PLC0415 - imports Ray, in its surroundings

        yield Together(workers, ray, is_local=place is None)
