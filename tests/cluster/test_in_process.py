"""Trials inside this process, on a virtual clock and really trained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import ENDED, InProcessCluster, RealClock, TrainingExecutor
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.interruption import SIGNALS
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from tests.fakes import HookedSource, MemoryTracker, TensorSource, toy_problem

FOREVER = 1e12


def asked(number: int, seconds: float = 1.0) -> TrialRequest:
    """A trial whose seed says how long it takes."""
    purpose, seed = Probe(0.1), round(seconds)
    return TrialRequest(
        f"{number}", 1, purpose, Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=seed, deadline=FOREVER
    )


@dataclass
class Script:
    """A conductor that hands out what it was given, and notes what came back and when."""

    clock: VirtualClock
    answers: deque[TrialRequest | Signal]
    ends_at: float = FOREVER
    seen: list[tuple[float, str, str]] = field(default_factory=list)

    def next(self) -> TrialRequest | Signal:
        return self.answers.popleft() if self.answers else Signal.DONE

    def observe(self, outcome: TrialOutcome) -> None:
        self.seen.append((self.clock.now, outcome.trial_id, outcome.status))

    def lost(self, trial_id: str, reason: str) -> None:
        assert reason == ENDED
        self.seen.append((self.clock.now, trial_id, "lost"))

    def resized(self, workers: int) -> None:
        raise AssertionError("nothing resizes a cluster in this process")

    def should_stop(self) -> bool:
        return self.clock.now >= self.ends_at


class Seconds:
    """Every trial takes as many seconds as its seed says; those of a lost worker have no outcome."""

    def __init__(self, lost: str = "") -> None:
        self.slots: list[int] = []
        self._lost = lost

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome | None, float]:
        self.slots.append(slot)
        outcome = TrialOutcome(request.trial_id, request.attempt, "finished", 0.5)
        return None if request.trial_id == self._lost else outcome, float(request.seed)


def test_trials_overlap_on_the_workers_and_a_free_slot_is_used_again() -> None:
    clock, executor = VirtualClock(), Seconds()
    script = Script(clock, deque([asked(0, 5), asked(1, 2), asked(2, 2)]))
    InProcessCluster(executor, clock, 2).run(script)
    assert script.seen == [(2.0, "1", "finished"), (4.0, "2", "finished"), (5.0, "0", "finished")]
    assert executor.slots == [0, 1, 1]


def test_a_trial_without_an_outcome_is_lost_when_its_time_is_over() -> None:
    clock = VirtualClock()
    script = Script(clock, deque([asked(0, 3)]))
    InProcessCluster(Seconds(lost="0"), clock).run(script)
    assert script.seen == [(3.0, "0", "lost")]


def test_a_worker_that_leaves_takes_the_latest_trial_and_one_that_comes_gets_one() -> None:
    clock = VirtualClock()
    script = Script(clock, deque([asked(0, 9), asked(1, 9), asked(2, 1)]))
    InProcessCluster(Seconds(), clock, 2, changes=[(2.0, 1), (5.0, 2)]).run(script)
    assert script.seen == [(2.0, "1", "lost"), (6.0, "2", "finished"), (9.0, "0", "finished")]


def test_the_conductor_is_looked_at_while_trials_run_and_ends_them() -> None:
    clock = VirtualClock()
    script = Script(clock, deque([asked(0, 1000)]), ends_at=10.0)
    InProcessCluster(Seconds(), clock).run(script)
    assert clock.now == 10.0
    assert script.seen == []


def test_a_conductor_that_waits_for_nothing_is_an_error_of_ours() -> None:
    clock = VirtualClock()
    with pytest.raises(RuntimeError, match="waits although no trial runs"):
        InProcessCluster(Seconds(), clock).run(Script(clock, deque([Signal.WAIT])))


def cycle(seed: int, epochs: float = 2.0) -> TrialRequest:
    params = Hyperparameters(cycle_epochs=epochs, batch_size=48)
    return replace(asked(seed), params=params, deadline=time.time() + 100.0)


def test_trials_are_really_trained_and_recorded_one_after_the_other() -> None:
    clock, tracker = RealClock(), MemoryTracker()
    problem = toy_problem()
    executor = TrainingExecutor(lambda _: problem, tracker)
    outcomes = [executor.run(cycle(seed), clock(), slot=0) for seed in (1, 2)]
    assert [left_s for _, left_s in outcomes] == [0.0, 0.0]
    assert all(outcome.validation is not None and outcome.validation > 0.5 for outcome, _ in outcomes)
    assert [outcome.trial_id for outcome in tracker.outcomes] == ["1", "2"]
    assert len(tracker.curve("cycle")) == 40


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_trial_at_once_after_the_handler_that_was_there(number: signal.Signals) -> None:
    handled: list[int] = []
    before = signal.signal(number, lambda received, _frame: handled.append(received))
    try:
        ours = signal.getsignal(number)
        problem = toy_problem()
        assert isinstance(problem.train, TensorSource)
        steps: list[int] = []

        def interrupt(step: int) -> None:
            steps.append(step)
            if step == 7:
                os.kill(os.getpid(), number)

        hooked = replace(problem, train=HookedSource(problem.train, interrupt))
        outcome, _ = TrainingExecutor(lambda _: hooked, MemoryTracker()).run(cycle(1, epochs=50.0), time.time(), slot=0)
        assert (outcome.status, outcome.objective) == ("interrupted", problem.trivial_value)
        assert handled == [number]
        assert max(steps) < 20
        assert signal.getsignal(number) is ours
    finally:
        signal.signal(number, before)


def test_a_real_clock_waits_and_does_not_wait_for_what_has_passed() -> None:
    clock = RealClock()
    begin = time.monotonic()
    clock.wait_until(clock() - 100.0)
    clock.wait_until(clock() + 0.05)
    assert time.monotonic() - begin >= 0.05


def test_it_needs_neither_ray_nor_mlflow_nor_optuna() -> None:
    code = "import sys, superconv_tune.cluster.in_process; print({'ray', 'mlflow', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
