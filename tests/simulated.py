"""A simulated problem: trials whose outcomes come from a formula, on workers that come, go, hang and differ in speed.

The conductor, the cluster and the clock are those of `benchmarks.simulation`; here they are watched.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import InProcessCluster
from superconv_tune.core.bits import pack
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.journal.memory import MemoryJournal
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.planner.brief import Brief
from superconv_tune.proposer.at_random import RandomProposer
from superconv_tune.record.conductor import Signal
from superconv_tune.record.events import Event, Measured, Observed, Opened, Requested
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialOutcome, TrialRequest
from superconv_tune.study.conductor import StudyConductor
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


START_S = 30.0  # seconds from the command to the first request
HANGS_S = 5.0  # seconds after its deadline at which a hanging trial is ended
EVAL_S = 0.5  # seconds of an evaluation, of the validation or of the test part
AROUND_S = EVAL_S + 0.3  # seconds of evaluation and set-up in a trial; a fresh model evaluates twice


def brief(target: float | None = 0.9, **changes: object) -> Brief:
    """A brief over `SPACE`, with some fields changed."""
    values: dict[str, object] = {
        "target": Target("accuracy", "max", target),
        "space": SPACE,
        "defaults": Hyperparameters(),
        "optimizer": "sgd",
        "schedule": Schedule(),
        "strategy": "ladder",
        "seed": 0,
        "trials": None,
        "item_level": True,
        "report_s": 8.0,
        "baselines": tuple(map(schedule_from, ("step", "linear", "constant"))),
    }
    return Brief(**{**values, **changes})  # type: ignore[arg-type]


def opened(budget_s: float, workers: int, step_s: float = 0.01, at: float = 1_000_000.0, alike: bool = False) -> Opened:
    """A study on 10,000 examples, half a minute after the command; ``alike`` as in `World`."""
    sizes = {str(size): step_s * _times(size, alike) for size in (64, 128, 256)}
    measured = Measured(10_000, 2_000, 2_000, sizes, eval_s=EVAL_S, overhead_s=0.3, trivial_value=0.1)
    return Opened("simulated", at, at + budget_s, workers, spec={}, measured=measured)


def _times(batch_size: int, alike: bool) -> float:
    """Duration of a step of ``batch_size`` examples, relative to one of 128."""
    return 1.0 if alike else batch_size / 128


@dataclass
class World:
    """The true properties of the simulated problem.

    The best learning rate of a cycle of T epochs is ``best_lr * T^exponent``, and its accuracy is
    ``ceiling - 0.3 / sqrt(T)``; an octave away costs 1.5 points, half of the data two, and four octaves above it
    nothing is learned. A cycle that the deadline cut short looks better than any other, so that trusting it shows in a
    test. Other policies lose ``handicap``, other batch sizes than ``best_size`` a tenth, and images that are augmented,
    or not, other than in ``best_augment`` five points. Range tests pick about
    ``misled`` times the best rate of one epoch. The validation part looks ``flattery`` better than
    the test part. With ``alike`` all steps take the same time whatever the batch size;
    without it all epochs do.
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
    best_augment: int | None = None
    alike: bool = False
    flattery: float = 0.0

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
        max_lr = request.cycle.max_lr
        octaves = math.log2(max_lr / (self.best_lr * params.cycle_epochs**self.exponent))
        steps = max(1, round(params.cycle_epochs * (10_000 // params.batch_size)))
        train_s = steps * self.step_s * _times(params.batch_size, self.alike) * self.slow(request) * slowness
        eval_s = EVAL_S * (1 + (request.kind == "confirm"))
        around_s = AROUND_S - EVAL_S + eval_s
        room_s = max(0.0, request.deadline - now - around_s)  # as a trial's pacer keeps time for the evaluation
        shortened = train_s > room_s
        train_s = min(train_s, room_s)
        status = self.fate(request)
        if status == "finished" and octaves > 4.0:
            status = "diverged"
        skill = self.ceiling - 0.3 / math.sqrt(params.cycle_epochs) - 0.015 * octaves**2 + rng.normal(0.0, 0.003)
        skill += 0.02 * math.log2(request.cycle.data_share)
        skill -= 0.1 * (self.best_size not in (None, params.batch_size))
        skill -= 0.05 * (self.best_augment not in (None, params.augment))
        skill = 1.0 if shortened else skill - self.handicap * (request.kind == "baseline")
        skill = float(np.clip(skill, 0.1, 1.0)) if status == "finished" else 0.1
        test = rng.random(2_000) < skill
        skill = min(1.0, skill + self.flattery) if status == "finished" else skill
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
            eval_s=eval_s,
            wall_s=train_s + around_s,
        ), math.inf if self.hangs(request) else train_s + around_s


@dataclass(frozen=True)
class Workers:
    """Runs the trials of a world.

    Attributes:
        world: the problem, which determines the outcomes.
        nodes: factor by which each worker is slower than the world's speed; empty if none is.
    """

    world: World
    nodes: tuple[float, ...] = ()

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome | None, float]:
        """The outcome (None for a trial lost with its worker), and the seconds it took."""
        outcome, took = self.world.run(request, now, self.nodes[slot] if self.nodes else 1.0)
        if math.isinf(took):  # as a worker ends a trial that hangs
            return None, max(0.0, request.deadline - now) + HANGS_S
        if outcome.status == "preempted":
            return None, took
        return replace(outcome, node=f"node-{slot}" if self.nodes else ""), took


class WatchedConductor(StudyConductor):
    """The conductor of a search in memory, which records its events and the times a worker was idle.

    Attributes:
        brief: what the user asked for.
        events: all events, in order.
        idle: number of events so far, and Unix time, each time a worker got no trial.
    """

    def __init__(self, opened: Opened, brief: Brief, clock: Callable[[], float]) -> None:
        proposer = RandomProposer(brief.space, brief.seed)
        super().__init__(Study(opened), brief, MemoryJournal(), proposer, clock, on_event=lambda: None)
        self.brief = brief
        self.events: list[Event] = [opened]
        self.idle: list[tuple[int, float]] = []

    def record(self, event: Event) -> None:
        super().record(event)
        self.events.append(event)

    @property
    def spent_s(self) -> dict[str, float]:
        """Worker-seconds of trials that ended or were lost, by kind."""
        asked_at: dict[tuple[str, int], float] = {}
        spent: defaultdict[str, float] = defaultdict(float)
        for event in self.events:
            if isinstance(event, Requested):
                asked_at[event.request.trial_id, event.request.attempt] = event.at
            elif isinstance(event, Observed):
                outcome = event.outcome
                kind = self.study.requests[outcome.trial_id].kind
                spent[kind] += event.at - asked_at[outcome.trial_id, outcome.attempt]
        return spent

    @property
    def busy_s(self) -> float:
        """Worker-seconds of all trials."""
        return sum(self.spent_s.values())

    def next(self) -> TrialRequest | Signal:
        answer = super().next()
        if isinstance(answer, Signal):
            self.idle.append((len(self.events), self._clock()))
        return answer


def searched(
    workers: Workers, start: Opened, how: Brief, changes: Sequence[tuple[float, int]] = ()
) -> tuple[WatchedConductor, VirtualClock]:
    """Run a search from half a minute after the command to its end."""
    clock = VirtualClock(start.started_at + START_S)
    conductor = WatchedConductor(start, how, clock)
    InProcessCluster(workers, clock, start.workers, changes).run(conductor)
    return conductor, clock
