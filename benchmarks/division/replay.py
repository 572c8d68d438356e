"""One search replayed in a world of recorded cycles: the real conductor and planner on a fake clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from benchmarks.division.world import AROUND_S, END_S, SIZES, START_S, TABLE, Setting, TabledWorld, Task, tasks
from benchmarks.simulation import Simulated, simulate
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.planner.brief import Brief, Division
from superconv_tune.record.events import Event, Measured, Observed, Opened, Requested
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import TrialRequest
from superconv_tune.verdict.verdict import Target

STARTED_AT = 1_000_000.0  # Unix time of every replay
PHASES = ("range test", "lower rungs", "top rung", "confirmation and after", "left over")
SPACE: SearchSpace = {
    "cycle_epochs": Interval(1.0, 300.0, log=True),
    "lr_multiplier": Interval(0.35, 2.0, log=True),
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "batch_size": Choice(tuple(map(float, SIZES))),
}


@dataclass(frozen=True)
class Question:
    """What is searched, and for how long.

    Attributes:
        task: name in the table.
        minutes: time budget.
        workers: number of trials at once.
        target: points of accuracy by which the target lies above the best in hindsight; None for no target.
        baselines: whether three other policies are to be compared.
        folder: of the table.
    """

    task: str
    minutes: float
    workers: int
    target: float | None = None
    baselines: bool = False
    folder: Path = TABLE

    @property
    def budget_s(self) -> float:
        """Seconds from the command to the report."""
        return 60.0 * self.minutes

    @property
    def world(self) -> Task:
        """The task, as slow as the budget requires."""
        return tasks(self.folder)[self.task].slowed(self.budget_s)

    @property
    def best(self) -> float:
        """The best in hindsight."""
        return _best(self.task, self.budget_s, self.folder)


@lru_cache
def _best(task: str, budget_s: float, folder: Path) -> float:
    return tasks(folder)[task].slowed(budget_s).best(budget_s)


@dataclass(frozen=True)
class Replay:
    """A search that was replayed.

    Attributes:
        question: what was searched.
        task: its world.
        search: the study and its events.
    """

    question: Question
    task: Task
    search: Simulated

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that was confirmed; None if there was none."""
        return self.search.study.recipe

    @property
    def truth(self) -> float:
        """Expected accuracy of the confirmed recipe; that of a constant guess where there is none."""
        return self.task.surface.trivial if self.recipe is None else self.task.expected(setting_of(self.recipe))

    @property
    def loss(self) -> float:
        """Points of expected accuracy below the best in hindsight."""
        return 100.0 * (self.question.best - self.truth)

    @property
    def longest(self) -> float:
        """Longest cycle that was trained to its end, in epochs."""
        return max((t.outcome.epochs for t in self.search.study.trials() if t.is_whole), default=0.0)

    @property
    def idle(self) -> dict[str, float]:
        """Worker-seconds without a trial by phase, as a share of all between start-up and report."""
        opened = self.search.study.opened
        return idle_shares(self.search.events, opened.workers, opened.started_at + START_S, opened.deadline - END_S)


def setting_of(recipe: Recipe) -> Setting:
    """What the recipe trains."""
    params = recipe.params
    return Setting(params.cycle_epochs, params.batch_size, recipe.max_lr, params.weight_decay, params.label_smoothing)


def replay(question: Question, seed: int = 0, division: Division | None = None) -> Replay:
    """One search; no division is the default one."""
    task = question.world
    search = simulate(TabledWorld(task), _opened(question, task), _brief(question, task, seed, division), _begins_at())
    return Replay(question, task, search)


def _begins_at() -> float:
    return STARTED_AT + START_S


def _opened(question: Question, task: Task) -> Opened:
    """The study as a preflight opens it: it measured the speed of one worker on an idle machine."""
    measured = Measured(
        train_items=task.items.train,
        validation_items=task.items.validation,
        test_items=task.items.test,
        step_s={str(size): task.slow * seconds for size, seconds in task.alone_s.items()},
        eval_s=task.slow * task.eval_s,
        overhead_s=AROUND_S,
        trivial_value=task.surface.trivial,
    )
    return Opened("replay", STARTED_AT, STARTED_AT + question.budget_s, question.workers, spec={}, measured=measured)


def _brief(question: Question, task: Task, seed: int, division: Division | None) -> Brief:
    target = None if question.target is None else min(0.999, question.best + question.target / 100.0)
    brief = Brief(
        target=Target("accuracy", "max", target),
        space=SPACE,
        defaults=Hyperparameters(),
        optimizer=task.optimizer,
        schedule=Schedule(),
        strategy="ladder",
        seed=seed,
        trials=None,
        item_level=True,
        report_s=END_S,
        baselines=tuple(map(schedule_from, ("step", "linear", "constant"))) if question.baselines else (),
    )
    return brief if division is None else replace(brief, division=division)


def idle_shares(events: Sequence[Event], workers: int, begin: float, end: float) -> dict[str, float]:
    """Worker-seconds without a trial, by phase, as a share of all worker-seconds from ``begin`` to ``end``.

    A phase begins with its first request; the last one with the last outcome.
    """
    idle = dict.fromkeys(PHASES, 0.0)
    running, phase, last = 0, 0, begin
    for at, change, of in sorted(_moves(events, end)):
        idle[PHASES[phase]] += (workers - running) * (at - last)
        running, phase, last = running + change, max(phase, of), at
    idle[PHASES[-1]] += workers * (end - last)
    total = workers * (end - begin)
    return {name: seconds / total for name, seconds in idle.items()}


def _moves(events: Sequence[Event], end: float) -> Iterator[tuple[float, int, int]]:
    """(time, +1 or -1, phase) of every beginning and end of a trial."""
    top = max((e.request.rung for e in events if isinstance(e, Requested)), default=0)
    for event in events:
        if isinstance(event, Requested):
            yield min(event.at, end), 1, _phase(event.request, top)
        elif isinstance(event, Observed):
            yield min(event.at, end), -1, 0


def _phase(request: TrialRequest, top: int) -> int:
    if request.kind == "range_test":
        return 0
    if request.kind != "search":
        return 3
    return 2 if request.rung == top > 0 else 1


def lines(of: Replay) -> Iterator[str]:
    """The replay trial by trial, in the order of their beginnings, and the recipe with its true loss."""
    study, task = of.search.study, of.task
    question = of.question
    yield (
        f"{question.task}, {question.minutes:g} minutes on {question.workers} workers, everything {task.slow:g} times "
        f"as slow as recorded; best in hindsight {100 * question.best:.2f}"
    )
    yield f"{'start':>7} {'end':>7} wk rung {'purpose':<11} {'epochs':>7} batch {'lr':>9} {'wd':>8}   ls  value   truth"
    slots: Mapping[str, int] = _slots(of.search.events)
    for event in of.search.events:
        if isinstance(event, Requested):
            yield _line(of, event, slots[event.request.trial_id])
    for recipe in study.recipes:
        truth = 100.0 * task.expected(setting_of(recipe))
        fresh = [t.outcome.test for t in study.trials("confirm") if t.request.recipe == recipe.number]
        tests = [100.0 * value for value in fresh if value is not None]
        yield (
            f"recipe {recipe.number}: {recipe.params.cycle_epochs:.3g} epochs, batch {recipe.params.batch_size}, "
            f"max_lr {recipe.max_lr:.4g}, weight decay {recipe.params.weight_decay:.2g}; expected {truth:.2f}, "
            f"{len(tests)} fresh models {fmean(tests) if tests else float('nan'):.2f}"
        )
    shares = ", ".join(f"{name} {100.0 * share:.1f} %" for name, share in of.idle.items())
    yield f"true loss {of.loss:.2f} points; longest whole cycle {of.longest:.3g} epochs; idle: {shares}"


def _line(of: Replay, event: Requested, slot: int) -> str:
    request, study = event.request, of.search.study
    begin = event.at - STARTED_AT
    outcome = study.outcomes.get(request.trial_id)
    end = f"{begin + study.turnaround_s[request.trial_id]:7.1f}" if outcome is not None else "      -"
    params = request.params
    start = f"{begin:7.1f} {end} {slot:2d} {request.rung:4d} {request.purpose.name:<11}"
    if request.kind == "range_test":
        seen = None if outcome is None else outcome.range_test
        picked = "nothing" if seen is None or seen.refusal is not None else f"{seen.max_lr:.4g}"
        return f"{start} picks {picked}"
    setting = Setting(
        params.cycle_epochs, params.batch_size, request.cycle.max_lr, params.weight_decay, params.label_smoothing
    )
    value = "" if outcome is None else f"{100.0 * outcome.objective:6.2f}  {100.0 * of.task.expected(setting):6.2f}"
    marks = "" if outcome is None else " ".join(
        [*([outcome.status] if outcome.status != "finished" else []), *(["shortened"] if outcome.shortened else [])]
    )  # fmt: skip
    share = "" if request.cycle.data_share == 1.0 else f" on {request.cycle.data_share:.2g} of the data"
    return (
        f"{start} {params.cycle_epochs:7.3g} {params.batch_size:5d} {request.cycle.max_lr:9.4g} "
        f"{params.weight_decay:8.2g} {params.label_smoothing:4.2g}  {value} {marks}{share}".rstrip()
    )


def _slots(events: Sequence[Event]) -> dict[str, int]:
    """Number of the worker of every trial: the lowest that was free."""
    slots: dict[str, int] = {}
    busy: dict[str, int] = {}
    for event in events:
        if isinstance(event, Requested):
            trial_id = event.request.trial_id
            slots[trial_id] = busy[trial_id] = min({*range(len(busy) + 1)} - {*busy.values()})
        elif isinstance(event, Observed):
            busy.pop(event.outcome.trial_id, None)
    return slots
