"""Answers a cluster: the planner decides the next trial, the proposer fills it in, the journal keeps it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar

from superconv_tune.core.errors import StorageError, TakenOverError
from superconv_tune.planner.ask import Draw, Drop, Redraw
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.decide import decide
from superconv_tune.planner.evidence import (
    best_recipe,
    has_all_seeds,
    is_decided,
    unconfirmed_recipe,
    uncounted_look,
    word_of,
)
from superconv_tune.proposer.proposal import Proposed
from superconv_tune.record.conductor import Signal
from superconv_tune.record.events import (
    Closed,
    Dropped,
    Event,
    Frozen,
    Looked,
    Observed,
    Planned,
    Requested,
    Resized,
    Surveyed,
)
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Proposal
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialOutcome, TrialRequest

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
OnEvent = Callable[[], None]
FindLandmarks = Callable[[float], tuple[Landmark, ...] | None]
Result = TypeVar("Result")

# While a database restarts or a full disk is cleared, running trials continue; but not into the time of the report.
STORAGE_PATIENCE_S = 120.0
STORAGE_PAUSE_S = 1.0
FROZEN_S = 10.0  # a cluster asks a conductor many times a second: after a longer silence, this process was stopped
LANDMARKS_S = 4.0  # longest wait for the floors and ceilings of a search that ends before its deadline

PHASES = {
    "range_test": "range test",
    "search": "search",
    "confirm": "confirmation",
    "scaling": "scaling",
    "baseline": "baselines",
    "fit": "fits",
}


class EventStore(Protocol):
    """Stores events; `superconv_tune.journal` has one in a database and one in memory."""

    def append(self, study: str, event: Event, *, again: bool = False) -> None:
        """Store one more event of the study; ``again``: this is a retry, and the event may be stored already."""
        ...


class ProposalSource(Protocol):
    """Fills in sampled parameters; `superconv_tune.proposer` has one that learns and one that draws at random."""

    def ask(self, study: str, fixed: Mapping[str, float] | None = None) -> Proposed:
        """Parameters for the next trial of the rung ``study``; those in ``fixed`` come back as they are."""
        ...

    def tell(self, proposal: Proposal, outcome: TrialOutcome) -> None:
        """Learn the outcome of a proposal; a second report of it changes nothing."""
        ...

    def withdraw(self, proposal: Proposal) -> None:
        """Forget a proposal that was not handed out."""
        ...

    def warm_start(self, study: str, previous: str) -> None:
        """Let the rung ``study`` learn from what the rung ``previous`` found."""
        ...

    def reconcile(self, study: Study) -> None:
        """Forget proposals that no trial of the study uses, and learn outcomes that were not reported yet."""
        ...


class LookCounter(Protocol):
    """Counts the looks at one test part; `superconv_tune.journal` has one that all searches of a database share."""

    def count(self, study: str, recipe: int, models: int) -> tuple[int, tuple[str, ...]]:
        """Number of looks so far, this one included, and the other studies among them; a second call says the same."""
        ...


class StudyConductor:
    """Hands out trials and takes their outcomes; every event is stored in the journal before it has an effect.

    Once the search is over, because its deadline is near, the user ended it or it has closed, a database that does not
    answer holds up nothing: events are then kept in `unstored`, and the report is made from memory.

    Args:
        study: the state of the study, replayed up to its last event.
        brief: what the user asked for.
        journal: stores events.
        proposer: fills in sampled parameters.
        clock: Unix time in seconds.
        on_event: called after every event, once it is stored.
        landmarks: waits at most so many seconds for the floors and ceilings; called first when a trial has ended, and
            again until it returns them.
        counter: counts the looks at the test part; None counts those of this study only.
    """

    def __init__(  # noqa: PLR0913 - the last one is for whoever has floors and ceilings
        self,
        study: Study,
        brief: Brief,
        journal: EventStore,
        proposer: ProposalSource,
        clock: Clock,
        on_event: OnEvent,
        landmarks: FindLandmarks = lambda _: None,
        counter: LookCounter | None = None,
    ) -> None:
        self.study = study
        self._brief = brief
        self._journal = journal
        self._proposer = proposer
        self._clock = clock
        self._on_event = on_event
        self._landmarks = landmarks
        self._counter = counter
        self._interrupted = threading.Event()
        self._is_closing = False
        self._unstored: list[Event] = []
        self._seen_at = clock()
        self._frozen_s = 0.0
        self._frozen_before: dict[str, float] = {}  # `_frozen_s` when a trial was asked for

    @property
    def unstored(self) -> Sequence[Event]:
        """The events, in their order, that the database did not accept; the last of all that were recorded."""
        return tuple(self._unstored)

    def record(self, event: Event) -> None:
        """Store the event, then apply it to the study.

        Raises:
            StorageError: if the database stays unreachable, and the search is not over.
            TakenOverError: if another driver has taken the study over.
        """
        self._store(event)
        self.study.apply(event)
        self._on_event()

    def give_up_unfinished(self) -> None:
        """In a resumed study, mark the trials that the earlier driver left running; the planner repeats them.

        A recipe that could not be confirmed in time, so that an earlier one stood in the end, is taken up again.
        """
        for request in self.study.running():
            self._give_up(request, "interrupted", "the driver ended while the trial ran")
        latest = unconfirmed_recipe(self.study, self._brief.target.yardstick)
        if latest is not None:
            self.record(Frozen(self._clock(), latest))

    def close(self) -> None:
        """The cluster has finished: mark trials that it ended, and record why the search asked for no more."""
        self._is_closing = True
        for request in self.study.running():
            self._give_up(request, "interrupted", "the search was ended while the trial ran")
        reason = self._reason()
        self._find_landmarks(LANDMARKS_S if reason in ("decided", "exhausted") else 0.0)
        again = best_recipe(self.study, self._brief.target.yardstick)
        if again is not None and word_of(self.study.lead, self._brief) != "demonstrated":
            self.record(Frozen(self._clock(), again))
        self._count_look()
        self.record(Closed(self._clock(), reason))
        self._unless_over(lambda _: self._proposer.reconcile(self.study))

    def next(self) -> TrialRequest | Signal:
        """The next trial for a free worker, or a signal that there is none now or ever."""
        self._look_at_the_clock()
        while not self._interrupted.is_set() and not self._unstored:
            now = self._clock()
            match decide(self.study, self._brief, now):
                case Plan() as plan:
                    self.record(Planned(now, plan))
                case Recipe() as recipe:
                    self.record(Frozen(now, recipe))
                case Drop(family=family):
                    self.record(Dropped(now, family))
                case Draw() | Redraw() as draw:
                    return self._asked_for_drawn(now, draw)
                case TrialRequest() as request:
                    return self._asked(now, request)
                case Signal() as signal:
                    return signal
        return Signal.DONE

    def observe(self, outcome: TrialOutcome) -> None:
        """Record the outcome of a trial, and let the proposer learn from it."""
        self._look_at_the_clock()
        self._observe(self._excused(outcome))

    def _observe(self, outcome: TrialOutcome) -> None:
        self.record(Observed(self._clock(), outcome))
        request = self.study.requests[outcome.trial_id]
        if request.proposal is not None and request.attempt == outcome.attempt:
            proposal = request.proposal
            self._unless_over(lambda _: self._proposer.tell(proposal, outcome))
        if has_all_seeds(self.study.lead):
            self._count_look()
        self._find_landmarks(0.0)

    def lost(self, trial_id: str, reason: str) -> None:
        """Record that a trial has no outcome; the planner repeats it, unless it was ended past its deadline.

        Time in which this process was stopped itself, perhaps with its workers, does not count against a trial.
        """
        self._look_at_the_clock()
        request = self.study.requests[trial_id]
        is_late = self._clock() > request.deadline
        self._give_up(request, "deadline" if is_late else "preempted", reason)

    def resized(self, workers: int) -> None:
        """Record that the cluster now runs this number of trials at once."""
        if workers != self.study.workers:
            self.record(Resized(self._clock(), workers))

    def interrupt(self) -> None:
        """End running trials and start no more; safe in a signal handler."""
        self._interrupted.set()

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the search."""
        return self._interrupted.is_set()

    def should_stop(self) -> bool:
        """Whether running trials are to be ended: the user asked for it, or a trial outlived its deadline."""
        self._look_at_the_clock()
        is_late = self._clock() > self.study.deadline - self._brief.report_s / 2
        return self._interrupted.is_set() or bool(self._unstored) or is_late

    def _find_landmarks(self, wait_s: float) -> None:
        if self.study.opened.measured.landmarks:
            return
        found = self._landmarks(wait_s)
        if found:
            self.record(Surveyed(self._clock(), found))
            for mark in found:
                logger.info("%s: %s", mark.kind, mark.words)

    def _count_look(self) -> None:
        """Record that the fresh models are judged on the test part, before anything is decided by that.

        A database that does not answer when the search is over does not count it; it is judged as the next look then.
        """
        look = uncounted_look(self.study.lead)
        if look is None:
            return
        counter, name = self._counter, self.study.opened.name
        alone: tuple[int, tuple[str, ...]] = (len(self.study.looks) + 1, ())
        counted = alone if counter is None else self._unless_over(lambda _: counter.count(name, *look))
        if counted is not None:
            self.record(Looked(self._clock(), *look, *counted))

    def _give_up(self, request: TrialRequest, status: Status, reason: str) -> None:
        objective = self.study.opened.measured.trivial_value
        self._observe(self._excused(TrialOutcome(request.trial_id, request.attempt, status, objective, reason)))

    def _excused(self, outcome: TrialOutcome) -> TrialOutcome:
        """The outcome; if it came too late because this process was stopped meanwhile, the trial was interrupted."""
        frozen_s = self._frozen_s - self._frozen_before.get(outcome.trial_id, 0.0)
        late_s = self._clock() - self.study.requests[outcome.trial_id].deadline
        if outcome.status != "deadline" or frozen_s == 0.0 or late_s > frozen_s:
            return outcome
        reason = f"the search stood still for {frozen_s:.0f} s while the trial ran"
        return replace(outcome, status="interrupted", reason=reason)

    def _reason(self) -> str:
        if self.interrupted:
            return "interrupted"
        if self.should_stop():
            return "deadline"
        return "decided" if is_decided(self.study.lead, self._brief) else "exhausted"

    def _asked(self, now: float, request: TrialRequest) -> TrialRequest | Signal:
        """The request, once it is stored; DONE if the search ended meanwhile."""
        self._frozen_before[request.trial_id] = self._frozen_s
        self.record(Requested(now, request))
        return Signal.DONE if self._unstored else request

    def _asked_for_drawn(self, now: float, draw: Draw | Redraw) -> TrialRequest | Signal:
        drawn = self._unless_over(lambda again: self._proposed(draw, again=again))
        if drawn is None:
            return Signal.DONE
        try:
            return self._asked(now, draw.request(drawn.params, drawn.proposal))
        except TakenOverError:
            with suppress(StorageError):
                self._proposer.withdraw(drawn.proposal)
            raise

    def _proposed(self, draw: Draw | Redraw, *, again: bool) -> Proposed:
        if again:  # the sampler would count a proposal that was never handed out as running for ever
            self._proposer.reconcile(self.study)
        if draw.warm_start is not None:
            self._proposer.warm_start(draw.study, draw.warm_start)
        return self._proposer.ask(draw.study, draw.fixed)

    def _store(self, event: Event) -> None:
        """Store the event; once the search is over, keep it in `unstored` if the database does not accept it.

        Raises:
            StorageError: if the database stays unreachable, and the search is not over; the event is kept too.
        """
        name = self.study.opened.name
        if self._unstored:
            self._unstored.append(event)
            return
        try:
            self._patiently(lambda again: self._journal.append(name, event, again=again))
        except StorageError as error:
            self._unstored.append(event)
            if not self._is_over():
                raise
            logger.warning("The report is made from memory: %s", error)

    def _unless_over(self, act: Callable[[bool], Result]) -> Result | None:
        """Call ``act`` patiently; None if the search is over and the database does not answer.

        Raises:
            StorageError: if the database stays unreachable, and the search is not over.
        """
        if self._unstored:
            return None
        try:
            return self._patiently(act)
        except StorageError as error:
            if not self._is_over():
                raise
            logger.warning("Not tried again: %s", error)
            return None

    def _is_over(self) -> bool:
        """Whether nothing is left to do but the report."""
        return self._is_closing or self._interrupted.is_set() or self._clock() >= self._last_moment

    @property
    def _last_moment(self) -> float:
        """When the report begins at the latest."""
        return self.study.deadline - self._brief.report_s

    def _patiently(self, act: Callable[[bool], Result]) -> Result:
        """Call ``act``, and repeat it while the database is unreachable; its argument is False in the first call.

        Raises:
            StorageError: if the database stays unreachable, or the search is over meanwhile.
        """
        limit = self._clock() + STORAGE_PATIENCE_S
        again = False
        while True:
            try:
                return act(again)
            except StorageError as error:
                if self._is_over() or self._clock() > limit:
                    raise
                if not again:
                    logger.warning("Waiting for the storage: %s", error)
                again = True
                self._interrupted.wait(min(STORAGE_PAUSE_S, max(0.0, self._last_moment - self._clock())))

    def _look_at_the_clock(self) -> None:
        """Find out whether this process was stopped since the last look."""
        now = self._clock()
        if now - self._seen_at > FROZEN_S:
            self._frozen_s += now - self._seen_at
        self._seen_at = now


def phase(study: Study) -> str:
    """The name of the study's present phase, for the live view."""
    latest = next(reversed(study.requests.values()), None)
    return "starting" if latest is None else PHASES[latest.kind]
