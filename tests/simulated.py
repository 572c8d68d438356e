"""A whole cluster in memory: fake clock, workers with speeds, trials whose outcomes come from a formula.

It speaks the same protocol as Ray does (`superconv_tune.cluster.conductor.Conductor`), so that an hour of planning is
tested in well under a second.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from superconv_tune.cluster.conductor import Conductor
from superconv_tune.core.bits import pack
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.planner.ask import Ask, Signal, fill
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.planner.decide import decide
from superconv_tune.record.events import Event, Measured, Observed, Opened, Planned, Requested, Resized
from superconv_tune.record.plan import Plan
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialOutcome, TrialRequest
from superconv_tune.verdict.verdict import Target

SPACE: SearchSpace = {
    "cycle_epochs": Interval(1.0, 30.0, log=True),
    "lr_multiplier": Interval(0.35, 2.0, log=True),
    "base_momentum": Interval(0.80, 0.90),
    "momentum_width": Interval(0.0, 0.12),
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "pct_start": Interval(0.1, 0.5),
    "batch_size": Choice((64, 128, 256)),
}


HANGS_S = 5.0  # after its deadline a trial that hangs is ended
AROUND_S = 0.8  # of evaluation and set-up in a trial
LOOK_S = 1.0  # the driver looks at the clock this often when nothing happens


def brief(target: float | None = 0.9, **changes: object) -> Brief:
    """A brief that searches `SPACE`."""
    values: dict[str, object] = {
        "target": Target("accuracy", "max", target),
        "space": SPACE,
        "defaults": Hyperparameters(),
        "optimizer": "sgd",
        "schedule": "one_cycle",
        "strategy": "ladder",
        "seed": 0,
        "trials": None,
        "item_level": True,
        "report_s": 8.0,
        "baselines": ("step", "linear", "constant"),
    }
    return Brief(**{**values, **changes})  # type: ignore[arg-type]


def opened(budget_s: float, workers: int, step_s: float = 0.01, at: float = 1_000_000.0, alike: bool = False) -> Opened:
    """A study on 10,000 examples, half a minute after the command; ``alike`` as in `World`."""
    sizes = {str(size): step_s * _times(size, alike) for size in (64, 128, 256)}
    measured = Measured(10_000, 2_000, 2_000, sizes, eval_s=0.5, overhead_s=0.3, trivial_value=0.1)
    return Opened("simulated", at, at + budget_s, workers, spec={}, measured=measured)


def _times(batch_size: int, alike: bool) -> float:
    """A step of this many examples takes so many times as long as one of 128."""
    return 1.0 if alike else batch_size / 128


class Outcomes(Protocol):
    """What trials give, and how long they take."""

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        """The outcome of a trial that begins now, and its seconds on a machine this much slower."""
        ...


@dataclass
class World:
    """What is true of the simulated problem.

    The best learning rate of a cycle of T epochs is ``best_lr * T^exponent``, and its accuracy is
    ``ceiling - 0.3 / sqrt(T)``; an octave away costs 1.5 points, half of the data two, and four octaves above it
    nothing is learned. A cycle that the deadline cut short looks better than any: whoever trusts it is found out. Other
    policies lose ``handicap``, other batch sizes than ``best_size`` a tenth. Range tests pick ``misled`` times the best
    rate of one epoch, give or take. Where steps are ``alike`` they take as long with any batch size, else epochs do.
    """

    ceiling: float = 0.97
    best_lr: float = 0.1
    exponent: float = 0.25
    step_s: float = 0.01
    slow: Callable[[TrialRequest], float] = lambda _: 1.0
    fate: Callable[[TrialRequest], Status] = lambda _: "finished"
    hangs: Callable[[TrialRequest], bool] = lambda _: False
    handicap: float = 0.0
    misled: float = 1.0
    best_size: int | None = None
    alike: bool = False

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        """The outcome of the trial and the seconds it takes on a machine this much slower."""
        rng = np.random.default_rng(request.seed)
        if request.kind == "range_test":
            pick = self.misled * self.best_lr * 2.0 ** rng.normal(0.0, 0.3)
            found = RangeTestResult(pick * 2, pick * 8, pick, pick / 5, "good", 0.0, 285)
            took = min(285 * self.step_s * slowness, max(0.0, request.deadline - now))
            took = math.inf if self.hangs(request) else took
            step = np.arange(285, dtype=np.float64)
            curve = Curve(step, step, step, step, step * self.step_s * slowness)
            facts = {"range_test": found, "range_curve": curve, "wall_s": took}
            return TrialOutcome(request.trial_id, request.attempt, "finished", 0.1, **facts), took  # type: ignore[arg-type]
        return self._cycle(request, now, rng, slowness)

    def _cycle(
        self, request: TrialRequest, now: float, rng: np.random.Generator, slowness: float
    ) -> tuple[TrialOutcome, float]:
        params = request.params
        assert request.pick_lr is not None
        max_lr = request.pick_lr * params.lr_multiplier
        octaves = math.log2(max_lr / (self.best_lr * params.cycle_epochs**self.exponent))
        steps = max(1, round(params.cycle_epochs * (10_000 // params.batch_size)))
        train_s = steps * self.step_s * _times(params.batch_size, self.alike) * self.slow(request) * slowness
        room_s = max(0.0, request.deadline - now - AROUND_S)  # as a trial's pacer keeps time for the evaluation
        shortened = train_s > room_s
        train_s = min(train_s, room_s)
        status = self.fate(request)
        if status == "finished" and octaves > 4.0:
            status = "diverged"
        skill = self.ceiling - 0.3 / math.sqrt(params.cycle_epochs) - 0.015 * octaves**2 + rng.normal(0.0, 0.003)
        skill += 0.02 * math.log2(request.data_share)
        skill -= 0.1 * (self.best_size not in (None, params.batch_size))
        skill = 1.0 if shortened else skill - self.handicap * (request.kind == "baseline")
        skill = float(np.clip(skill, 0.1, 1.0)) if status == "finished" else 0.1
        test = rng.random(2_000) < skill
        is_confirm = request.kind == "confirm" and status == "finished"
        return TrialOutcome(
            request.trial_id,
            request.attempt,
            status,
            objective=skill,
            max_lr=max_lr,
            validation=skill if status == "finished" else None,
            test=float(test.mean()) if is_confirm else None,
            test_correct=pack(test) if is_confirm else None,
            test_items=2_000 if is_confirm else 0,
            steps=steps,
            epochs=params.cycle_epochs,
            shortened=shortened,
            train_s=train_s,
            eval_s=0.5,
            wall_s=train_s + AROUND_S,
        ), math.inf if self.hangs(request) else train_s + AROUND_S


class PlanningConductor:
    """The planner with a random sampler and a journal in memory; a full `Conductor`."""

    def __init__(self, study: Study, brief: Brief, clock: Callable[[], float]) -> None:
        self.study = study
        self.brief = brief
        self.events: list[Event] = [study.opened]
        self._clock = clock
        self._rng = np.random.default_rng(brief.seed)
        self.promoted: dict[str, Ask] = {}  # search trials whose parameters the planner took from the rung below
        self.idle: list[tuple[int, float]] = []  # how many events there were, and when, each time a worker got nothing

    def record(self, event: Event) -> None:
        self.events.append(event)
        self.study.apply(event)

    def next(self) -> TrialRequest | Signal:
        while True:
            decision = decide(self.study, self.brief, self._clock())
            if isinstance(decision, Signal):
                self.idle.append((len(self.events), self._clock()))
                return decision
            if isinstance(decision, Plan):
                self.record(Planned(self._clock(), decision))
                continue
            request = self._complete(decision)
            if "lr_multiplier" in (decision.fixed or {}) and request.attempt == 1 and request.rung > 0:
                self.promoted[request.trial_id] = decision
            self.record(Requested(self._clock(), request))
            return request

    def observe(self, outcome: TrialOutcome) -> None:
        self.record(Observed(self._clock(), outcome))

    def lost(self, trial_id: str, reason: str) -> None:
        request = self.study.requests[trial_id]
        status: Status = "deadline" if self._clock() > request.deadline else "preempted"
        self.observe(TrialOutcome(trial_id, request.attempt, status, 0.1, reason))

    def resized(self, workers: int) -> None:
        if workers != self.study.workers:
            self.record(Resized(self._clock(), workers))

    def should_stop(self) -> bool:
        return self._clock() > self.study.deadline - self.brief.report_s / 2

    def _complete(self, ask: Ask) -> TrialRequest:
        if ask.study is None:
            return ask.request
        return fill(ask, {**self._draw(), **(ask.fixed or {})}, (ask.study, len(self.events)))

    def _draw(self) -> dict[str, float]:
        drawn: dict[str, float] = {}
        for name, dimension in self.brief.space.items():
            low, high = bounds(dimension, 0.0)
            if isinstance(dimension, Choice):
                drawn[name] = float(self._rng.choice(dimension.values))
            elif dimension.log:
                drawn[name] = float(np.exp(self._rng.uniform(np.log(low), np.log(high))))
            else:
                drawn[name] = float(self._rng.uniform(low, high))
        return drawn


@dataclass(order=True)
class Running:
    """A trial on a worker."""

    ends: float
    number: int
    began: float = field(compare=False)
    request: TrialRequest = field(compare=False)
    outcome: TrialOutcome = field(compare=False)
    slot: int = field(compare=False)


@dataclass
class SimulatedCluster:
    """Runs a conductor on ``workers`` workers until it is done; time passes when all workers are busy or waiting.

    Attributes:
        world: what a trial gives.
        workers: at once.
        now: Unix time.
        changes: (time, workers from then on), in order; who leaves takes the trial that began last with it.
        nodes: how much slower than the world's speed each worker is, in a cluster of different machines.
        busy_s: worker-seconds in trials.
        spent_s: the same by kind of trial.
    """

    world: Outcomes
    workers: int
    now: float
    changes: list[tuple[float, int]] = field(default_factory=list)
    nodes: tuple[float, ...] = ()
    spent_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _running: list[Running] = field(default_factory=list)
    _count: int = 0

    def clock(self) -> float:
        return self.now

    @property
    def busy_s(self) -> float:
        return sum(self.spent_s.values())

    def run(self, conductor: Conductor) -> None:
        while not conductor.should_stop():
            signal = self._fill(conductor)
            if not self._running and not self.changes:
                assert signal is Signal.DONE, "the conductor waits although nothing runs"
                return
            self._pass_time(conductor)

    def _fill(self, conductor: Conductor) -> TrialRequest | Signal:
        signal: TrialRequest | Signal = Signal.WAIT
        while len(self._running) < self.workers:
            signal = conductor.next()
            if isinstance(signal, Signal):
                break
            slot = min(set(range(self.workers)) - {running.slot for running in self._running})
            outcome, took = self.world.run(signal, self.now, self.nodes[slot] if self.nodes else 1.0)
            outcome = replace(outcome, node=f"node-{slot}" if self.nodes else "")
            if math.isinf(took):  # as a worker ends a trial that hangs
                outcome, took = replace(outcome, status="preempted"), max(0.0, signal.deadline - self.now) + HANGS_S
            self._count += 1
            heapq.heappush(self._running, Running(self.now + took, self._count, self.now, signal, outcome, slot))
        return signal

    def _pass_time(self, conductor: Conductor) -> None:
        """To the next end of a trial, the next change of the workers, or the next look at the clock."""
        ends = self._running[0].ends if self._running else math.inf
        changes = self.changes[0][0] if self.changes else math.inf
        next_look = self.now + LOOK_S
        if next_look < min(ends, changes):
            self.now = next_look
        elif changes <= ends:
            self.now, self.workers = self.changes.pop(0)
            self._shrink(conductor)
        else:
            self._return(heapq.heappop(self._running), conductor)

    def _return(self, trial: Running, conductor: Conductor) -> None:
        self.now = trial.ends
        self.spent_s[trial.request.kind] += trial.ends - trial.began
        if trial.outcome.status == "preempted":
            conductor.lost(trial.request.trial_id, "killed")
        else:
            conductor.observe(trial.outcome)

    def _shrink(self, conductor: Conductor) -> None:
        while len(self._running) > self.workers:
            trial = max(self._running, key=lambda running: running.number)
            self._running.remove(trial)
            heapq.heapify(self._running)
            self.spent_s[trial.request.kind] += self.now - trial.began
            conductor.lost(trial.request.trial_id, "its worker left")
