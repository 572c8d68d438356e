"""Trials inside this process, without Ray: for ``search --debug``, and for simulated searches on a virtual clock.

It calls the same methods of a `superconv_tune.record.conductor.Conductor` as Ray does.
"""

from __future__ import annotations

import heapq
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from types import FrameType
from typing import Protocol

from superconv_tune.core.interruption import SIGNALS
from superconv_tune.problems.problem import Problem
from superconv_tune.record.conductor import Conductor, Signal
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.training.memory import release
from superconv_tune.trial.keeper import Keeper
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Tracker

LOOK_S = 1.0  # the conductor is asked at least this often, because it may stop the search while trials run
ENDED = "its worker ended before it did"


class Executor(Protocol):
    """Runs one trial."""

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome | None, float]:
        """Run a trial.

        Args:
            request: what to run.
            now: the clock's time.
            slot: number of the worker that runs it, from 0.

        Returns:
            The outcome, or None if the worker ended and the trial is lost; and the seconds from ``now`` until the
            trial ends on the clock, 0 if they have passed already.
        """
        ...


class Clock(Protocol):
    """Unix time in seconds, real or virtual."""

    def __call__(self) -> float:
        """The time."""
        ...

    def wait_until(self, moment: float) -> None:
        """Return at this time; at once if it has passed."""
        ...


class RealClock:
    """The time of this machine."""

    def __call__(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def wait_until(self, moment: float) -> None:
        """Sleep until this time."""
        time.sleep(max(0.0, moment - time.time()))


@dataclass(order=True)
class _Running:
    """A trial on a worker; sorts by the time of its end."""

    ends: float
    number: int
    request: TrialRequest = field(compare=False)
    outcome: TrialOutcome | None = field(compare=False)
    slot: int = field(compare=False)


class InProcessCluster:
    """Runs the trials of a conductor on several workers until it is done or says stop.

    Time passes only while all workers are busy or have nothing to do. Trials that are really trained run one after the
    other, whatever the number of workers; simulated ones, whose outcome is known at once, overlap on the clock.

    Args:
        executor: runs a trial.
        clock: real or virtual time.
        workers: number of trials at once.
        changes: pairs of a time and the number of workers from then on, in order; when workers leave, the trials that
            began last are lost.
    """

    def __init__(
        self, executor: Executor, clock: Clock, workers: int = 1, changes: Sequence[tuple[float, int]] = ()
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._workers = workers
        self._changes = list(changes)
        self._running: list[_Running] = []
        self._count = 0

    def run(self, conductor: Conductor) -> None:
        """Run trials until the conductor is done or says stop; trials that run at a stop are dropped.

        Raises:
            RuntimeError: if the conductor waits although nothing runs: it would wait for ever.
        """
        while not conductor.should_stop():
            answer = self._fill(conductor)
            if not self._running and not self._changes:
                if answer is not Signal.DONE:
                    raise RuntimeError("The conductor waits although no trial runs.")
                return
            self._pass_time(conductor)

    def _fill(self, conductor: Conductor) -> TrialRequest | Signal:
        """Give every free worker a trial, and return the conductor's last answer."""
        answer: TrialRequest | Signal = Signal.WAIT
        while len(self._running) < self._workers:
            answer = conductor.next()
            if isinstance(answer, Signal):
                break
            slot = min(set(range(self._workers)) - {running.slot for running in self._running})
            outcome, left_s = self._executor.run(answer, self._clock(), slot)
            self._count += 1
            heapq.heappush(self._running, _Running(self._clock() + left_s, self._count, answer, outcome, slot))
        return answer

    def _pass_time(self, conductor: Conductor) -> None:
        """Wait for the end of a trial, a change of the workers or the next look at the conductor, and handle it."""
        ends = self._running[0].ends if self._running else math.inf
        changes = self._changes[0][0] if self._changes else math.inf
        look = self._clock() + LOOK_S
        if look < min(ends, changes):
            self._clock.wait_until(look)
        elif changes <= ends:
            at, self._workers = self._changes.pop(0)
            self._clock.wait_until(at)
            self._end_those_above(conductor)
        else:
            self._clock.wait_until(ends)
            _hand_back(heapq.heappop(self._running), conductor)

    def _end_those_above(self, conductor: Conductor) -> None:
        """Report the trials of workers that have left as lost."""
        while len(self._running) > self._workers:
            trial = max(self._running, key=lambda running: running.number)
            self._running.remove(trial)
            heapq.heapify(self._running)
            conductor.lost(trial.request.trial_id, ENDED)


def _hand_back(trial: _Running, conductor: Conductor) -> None:
    if trial.outcome is None:
        conductor.lost(trial.request.trial_id, ENDED)
    else:
        conductor.observe(trial.outcome)


class TrainingExecutor:
    """Really trains, in this thread, so that breakpoints in the user's code and in ours work.

    Ctrl-C, SIGTERM and SIGHUP first call the handler that was installed before, and end the trial at once, as with Ray.

    Args:
        problem_of: data, model, loss and metric with a family of models; empty for the only one.
        tracker: records each trial.
        keeper: keeps models; None keeps none.
    """

    def __init__(self, problem_of: Callable[[str], Problem], tracker: Tracker, keeper: Keeper | None = None) -> None:
        self._problem_of = problem_of
        self._tracker = tracker
        self._keeper = keeper

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome, float]:
        """Train a whole trial; 0 seconds are left when it returns."""
        del now, slot
        problem = self._problem_of(request.family)
        release(problem.device)
        try:
            guard = _ended_by_signals()
            return run(request, problem, self._tracker, time.time, guard=guard, keeper=self._keeper), 0.0
        except _Interrupted:
            worst, reason = problem.trivial_value, "the search was ended while the trial ran"
            return TrialOutcome(request.trial_id, request.attempt, "interrupted", worst, reason), 0.0


class _Interrupted(BaseException):
    """Ends a trial at once; not an Exception, which a trial would report as its own failure."""


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    arrive = current_thread() is main_thread()
    handlers = {number: signal.getsignal(number) for number in SIGNALS if arrive}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}

    def interrupt(number: int, frame: FrameType | None) -> None:
        before[signal.Signals(number)](number, frame)
        raise _Interrupted

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is interrupt:  # the earlier handler may have installed another one
                signal.signal(number, handler)
