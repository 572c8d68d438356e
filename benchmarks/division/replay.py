"""One search replayed over recorded cycles: the planner as it is, trials answered by a table on a fake clock."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from benchmarks.division.surface import Cycle, Surface
from benchmarks.range_test.tasks import TASKS
from benchmarks.rows import read as rows_of
from benchmarks.simulation import simulate
from superconv_tune.core.codec import decode
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.planner.brief import Brief, Division
from superconv_tune.planner.first_ramps import COARSE_STEPS, RAMP_STEPS
from superconv_tune.record.events import Event, Measured, Observed, Opened, Requested
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.verdict.verdict import Target

HERE = Path(__file__).parent
RANGE_TEST = HERE.parent / "range_test"
BATCH_SIZE, HALF_SIZE = 128, 64  # what the size that a task was recorded with, and half of it, are called here
STARTED_AT = 1_000_000.0  # Unix time of every replay
ITEMS = 2_000  # of the validation part and of the test part that a search is given
EPOCH_S = 0.1  # virtual seconds; so short that the next trial ends before the driver looks at the clock again
EVAL_S, AROUND_S = 0.1 * EPOCH_S, 0.05 * EPOCH_S  # of an evaluation, and around a trial
DIVERGED_SHARE = 0.3  # of its cycle, after which a diverging trial ends
CAP_FACTOR = 2.0  # of the edge that a trial's own ramp found (`superconv_tune.trial.ramp`)
BASELINE_HANDICAP = 0.01
CONFIRMED_SEEDS = 3  # that would have to be trained even if the best recipe were known in advance
DECAY_RANGE = (1e-6, 1e-2)
PHASES = ("range test", "lower rungs", "top rung", "confirmation and baselines", "left over")

Pair = tuple[str, str]  # task, optimizer


@dataclass(frozen=True)
class Question:
    """What is searched: a task with its optimizer, for a number of epochs in all, on a number of workers."""

    pair: Pair
    epochs: float
    workers: int


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes:
        loss: points of expected accuracy of the confirmed recipe below the best in hindsight.
        length: of the confirmed cycle, in epochs; 0 where nothing was confirmed.
        length_loss: points that the best recipe which takes no longer than that is below the best in hindsight.
        trials: number of trials requested.
        idle: worker-seconds without a trial, as a share of all until the deadline, by phase.
    """

    loss: float
    length: float
    length_loss: float
    trials: int
    idle: Mapping[str, float]


@lru_cache(maxsize=1)
def families() -> dict[str, str]:
    """Family of every task."""
    return {row["task"]: row["family"] for row in rows_of(RANGE_TEST / "cycles.csv")}


@dataclass(frozen=True)
class Size:
    """A task with one batch size: what its cycles reach, and the virtual seconds of an epoch."""

    surface: Surface
    epoch_s: float

    @property
    def step_s(self) -> float:
        """Virtual seconds of a step."""
        return self.epoch_s / self.surface.steps_per_epoch


@lru_cache(maxsize=1)
def tasks() -> dict[Pair, dict[int, Size]]:
    """Everything that was recorded, here and for the range test, by batch size."""
    cycles: dict[tuple[Pair, int], list[Cycle]] = defaultdict(list)
    for table in (RANGE_TEST / "cycles.csv", HERE / "cycles.csv"):
        for row in rows_of(table):
            plain = TASKS[row["task"]].batch_size
            size = BATCH_SIZE if int(row.get("batch_size") or plain) == plain else HALF_SIZE
            cycles[(row["task"], row["optimizer"]), size].append(_cycle(row))
    slower = _slower()
    found: dict[Pair, dict[int, Size]] = defaultdict(dict)
    for (pair, size), recorded in cycles.items():
        found[pair][size] = Size(Surface.of(recorded), EPOCH_S * (slower[pair[0]] if size == HALF_SIZE else 1.0))
    return found


def _cycle(row: Mapping[str, str]) -> Cycle:
    return Cycle(
        epochs=float(row["epochs"]),
        max_lr=float(row["max_lr"]),
        weight_decay=float(row.get("weight_decay") or Hyperparameters().weight_decay),
        finished=row["status"] == "finished",
        accuracy=float(row["validation"]),
        steps=int(row["steps"]),
    )


def _slower() -> dict[str, float]:
    """How many times as long an epoch takes with half the batch size, by task."""
    step_s = {(row["task"], int(row["batch_size"])): float(row["step_s"]) for row in rows_of(HERE / "sizes.csv")}
    sizes = {name: TASKS[name].batch_size for name, _ in step_s}
    return {name: 2.0 * step_s[name, size // 2] / step_s[name, size] for name, size in sizes.items()}


@lru_cache(maxsize=1)
def range_tests() -> dict[Pair, list[RangeTestResult]]:
    """Results of range tests of every task, from up to three seeds."""
    found: dict[Pair, list[RangeTestResult]] = defaultdict(list)
    for line in (RANGE_TEST / "findings.jsonl").read_text(encoding="utf-8").splitlines():
        finding = json.loads(line)
        found[finding["task"], finding["optimizer"]].append(decode(RangeTestResult, finding["range_test"]))
    return found


@dataclass(frozen=True)
class TabledWorld:
    """Trials of one task, simulated from its surfaces, with the noise of seeds and of a part of `ITEMS` items.

    Every step takes ``slow`` times as long as was measured beforehand.
    """

    sizes: Mapping[int, Size]
    found: Sequence[RangeTestResult]
    slow: float = 1.0

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome, float]:
        """The outcome of a trial that begins now, and its duration in seconds; all workers are equally fast here."""
        del slot
        rng = np.random.default_rng(request.seed)
        seen = self.found[int(rng.integers(len(self.found)))]
        if request.kind == "range_test":
            ramp_s = self.slow * self.sizes[BATCH_SIZE].step_s * (COARSE_STEPS + RAMP_STEPS)
            took = min(ramp_s, max(0.0, request.deadline - now))
            return TrialOutcome(request.trial_id, request.attempt, "finished", 0.0, range_test=seen, wall_s=took), took
        return self._cycle(request, now, rng, seen)

    def _cycle(
        self, request: TrialRequest, now: float, rng: np.random.Generator, seen: RangeTestResult
    ) -> tuple[TrialOutcome, float]:
        params = request.params
        surface, step_s = self.sizes[params.batch_size].surface, self.slow * self.sizes[params.batch_size].step_s
        max_lr, own_ramp = request.cycle.max_lr, request.cycle.own_ramp
        if own_ramp is not None:
            max_lr = min(max_lr, CAP_FACTOR * seen.edge)
        diverged = bool(rng.random() < surface.lost(params.cycle_epochs, max_lr))
        steps = max(1, round(params.cycle_epochs * surface.steps_per_epoch * (DIVERGED_SHARE if diverged else 1.0)))
        ramp_s = step_s * (0 if own_ramp is None else own_ramp.steps)
        room_s = max(0.0, request.deadline - now - ramp_s - EVAL_S - AROUND_S)
        train_s = min(steps * step_s, room_s)
        shortened = train_s < steps * step_s
        wall_s = ramp_s + train_s + EVAL_S + AROUND_S
        truth = float(surface.accuracy(params.cycle_epochs, max_lr, params.weight_decay))
        truth -= BASELINE_HANDICAP * (request.kind == "baseline")
        skill = truth + rng.normal(0.0, surface.spread(params.cycle_epochs))
        share = train_s / (steps * step_s)
        skill = surface.trivial + (min(max(skill, 0.0), 1.0) - surface.trivial) * (share if shortened else 1.0)
        validation, test = (float(rng.binomial(ITEMS, min(max(skill, 0.0), 1.0)) / ITEMS) for _ in range(2))
        outcome = TrialOutcome(
            request.trial_id,
            request.attempt,
            "diverged" if diverged else "finished",
            objective=surface.trivial if diverged else validation,
            max_lr=max_lr,
            validation=None if diverged else validation,
            test=test if request.cycle.reads_test and not diverged else None,
            steps=steps,
            epochs=params.cycle_epochs,
            shortened=shortened,
            train_s=train_s,
            eval_s=EVAL_S,
            wall_s=wall_s,
        )
        return outcome, wall_s


def replay(question: Question, division: Division, seed: int, slow: float = 1.0) -> Result:
    """One search."""
    sizes = tasks()[question.pair]
    budget_s = EPOCH_S * question.epochs / question.workers
    start = _opened(sizes, budget_s, question.workers)
    world = TabledWorld(sizes, range_tests()[question.pair], slow)
    search = simulate(world, start, _brief(question, division, seed), start.started_at)
    best = _best(question.pair, budget_s / math.ceil(CONFIRMED_SEEDS / question.workers))
    recipe = next(iter(search.study.recipes), None)
    reached, length, took_s = sizes[BATCH_SIZE].surface.trivial, 0.0, 0.0
    if recipe is not None:
        size, length = sizes[recipe.params.batch_size], recipe.params.cycle_epochs
        reached = float(size.surface.expected(length, recipe.max_lr, recipe.params.weight_decay))
        took_s = length * size.epoch_s
    return Result(
        loss=100.0 * (best - reached),
        length=length,
        length_loss=100.0 * (best - _best(question.pair, took_s)),
        trials=len(search.study.requests),
        idle=idle_shares(search.events, question.workers, start.started_at, start.deadline),
    )


def _opened(sizes: Mapping[int, Size], budget_s: float, workers: int) -> Opened:
    surface = sizes[BATCH_SIZE].surface
    measured = Measured(
        train_items=surface.steps_per_epoch * BATCH_SIZE,
        validation_items=ITEMS,
        test_items=ITEMS,
        step_s={str(name): size.step_s for name, size in sizes.items()},
        eval_s=EVAL_S,
        overhead_s=AROUND_S,
        trivial_value=surface.trivial,
    )
    return Opened("replay", STARTED_AT, STARTED_AT + budget_s, workers, spec={}, measured=measured)


def _brief(question: Question, division: Division, seed: int) -> Brief:
    sizes = tasks()[question.pair]
    surface = sizes[BATCH_SIZE].surface
    return Brief(
        target=Target("accuracy", "max", None),
        space={
            "cycle_epochs": Interval(min(surface.curves), surface.longest, log=True),
            "lr_multiplier": Interval(0.35, 2.0, log=True),
            "weight_decay": Interval(*DECAY_RANGE, log=True),
            "batch_size": Choice(tuple(sorted(map(float, sizes)))),
        },
        defaults=replace(Hyperparameters(), batch_size=BATCH_SIZE),
        optimizer=question.pair[1],
        schedule=Schedule(),
        strategy="ladder",
        seed=seed,
        trials=None,
        item_level=True,
        report_s=0.0,
        baselines=tuple(map(schedule_from, ("step", "linear", "constant"))),
        division=division,
    )


@cache
def _best(pair: Pair, longest_s: float) -> float:
    """The highest expected accuracy of any cycle, with any batch size, that takes no longer than that."""
    return max(size.surface.best(longest_s / size.epoch_s) for size in tasks()[pair].values())


def idle_shares(events: Sequence[Event], workers: int, begin: float, deadline: float) -> dict[str, float]:
    """Worker-seconds without a trial, by phase, as a share of all worker-seconds until the deadline.

    A phase begins with its first request; the last one with the last outcome.
    """
    moves = sorted(_moves(events, deadline))
    idle = dict.fromkeys(PHASES, 0.0)
    running, phase, last = 0, 0, begin
    for at, change, of in moves:
        idle[PHASES[phase]] += (workers - running) * (at - last)
        running, phase, last = running + change, max(phase, of), at
    idle[PHASES[-1]] += workers * (deadline - last)
    total = workers * (deadline - begin)
    return {name: seconds / total for name, seconds in idle.items()}


def _moves(events: Sequence[Event], deadline: float) -> Iterator[tuple[float, int, int]]:
    """(time, +1 or -1, phase) of every beginning and end of a trial."""
    top = max((e.request.rung for e in events if isinstance(e, Requested)), default=0)
    for event in events:
        if isinstance(event, Requested):
            yield event.at, 1, _phase(event.request, top)
        elif isinstance(event, Observed):
            yield min(event.at, deadline), -1, 0


def _phase(request: TrialRequest, top: int) -> int:
    if request.kind == "range_test":
        return 0
    if request.kind != "search":
        return 3
    return 2 if request.rung == top > 0 else 1
