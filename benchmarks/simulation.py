"""An hour of searching in well under a second: the real conductor and the real planner, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from superconv_tune.cluster.in_process import Executor, InProcessCluster
from superconv_tune.journal.memory import MemoryJournal
from superconv_tune.planner.brief import Brief
from superconv_tune.proposer.at_random import RandomProposer
from superconv_tune.record.events import Event, Opened
from superconv_tune.record.study import Study
from superconv_tune.study.conductor import StudyConductor


@dataclass
class VirtualClock:
    """A virtual clock: Unix time in seconds, in which waiting takes no real time."""

    now: float = 0.0

    def __call__(self) -> float:
        """The virtual Unix time in seconds."""
        return self.now

    def wait_until(self, moment: float) -> None:
        """Set the time."""
        self.now = max(self.now, moment)


@dataclass(frozen=True)
class Simulated:
    """A search that has ended.

    Attributes:
        study: what was asked and what came back.
        events: the same, as the journal has it.
        ended_at: virtual Unix time.
    """

    study: Study
    events: Sequence[Event]
    ended_at: float


def simulate(executor: Executor, opened: Opened, brief: Brief, begins_at: float) -> Simulated:
    """A whole search with random proposals, on as many workers as the study was opened with."""
    clock, journal, study = VirtualClock(begins_at), MemoryJournal(), Study(opened)
    journal.append(opened.name, opened)
    proposer = RandomProposer(brief.space, brief.seed)
    conductor = StudyConductor(study, brief, journal, proposer, clock, on_event=lambda: None)
    InProcessCluster(executor, clock, opened.workers).run(conductor)
    conductor.close()
    return Simulated(study, journal.events(opened.name), clock.now)
