"""Cycles that the claims ask for, each trained once and kept in ``cycles.csv``.

A claim is written as searches: generators that ask for cycles and are sent what these reached. `resolve` runs many of
them side by side and trains what the table has not; so a command goes on where it was stopped, and what one claim has
trained the next one reads.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.range_test.tasks import TASKS, BenchTask
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Knobs, Schedule
from superconv_tune.lr.span import Span
from superconv_tune.problems.problem import Problem
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, train
from superconv_tune.training.randomness import seed_all
from superconv_tune.trial.divergence import DivergenceWatch

TABLE = Path(__file__).with_name("cycles.csv")
NAMES = ("mnist1d-mlp", "mnist1d-cnn", "mnist1d-bn")
TRAINING, HELD_OUT, SPARE = 4000, 10_000, 1000  # examples; the spare ones are not used
BATCH_SIZE = 100
BLOCKS = 10  # that the held-out examples are counted in: a search calls one of them validation
CLASSES = 10
WORKERS = 2
MARK = ";"  # between the counts of two marks

Percent = NDArray[np.float64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Cycle:
    """One one-cycle from a fresh model.

    Attributes:
        task: one of `NAMES`.
        epochs: length of the whole cycle.
        max_lr: its peak.
        seed: of weights and batches.
        base_momentum: as in `Hyperparameters`, like the next three.
        momentum_width: see there.
        weight_decay: see there.
        pct_start: see there.
        marks: shares of the cycle at which the model is judged; it is trained up to the last one.
    """

    task: str
    epochs: float
    max_lr: float
    seed: int
    base_momentum: float = 0.85
    momentum_width: float = 0.1
    weight_decay: float = 5e-4
    pct_start: float = 0.3
    marks: tuple[float, ...] = (1.0,)

    @property
    def key(self) -> tuple[str, ...]:
        """The cycle as the first cells of its row."""
        values = [getattr(self, field.name) for field in fields(self)]
        return tuple(" ".join(map(repr, v)) if isinstance(v, tuple) else str(v) for v in values)


COLUMNS = (*(field.name for field in fields(Cycle)), "status", "correct")
Search = Generator[Sequence[Cycle], list[Percent], Result]


def problem_of(name: str) -> Problem:
    """MNIST-1D with many held-out examples, which are its validation part; its test part are the spare ones."""
    total = TRAINING + HELD_OUT + SPARE
    data = {"format": "mnist1d", "args": {"samples": total}}
    split = {"validation": HELD_OUT / total, "test": SPARE / total}
    spec = {"data": data, "model": TASKS[name].spec["model"], "split": split}
    return BenchTask("mnist1d", spec, BATCH_SIZE).problem("sgd")


_problem = cache(problem_of)


def run(cycle: Cycle, problem: Problem) -> tuple[str, list[list[int]]]:
    """The status, and at every mark that was reached how many of each block of the held-out examples were right.

    The steps are those of a trial of the search, with looks in between.
    """
    params = Hyperparameters(
        cycle_epochs=cycle.epochs,
        base_momentum=cycle.base_momentum,
        momentum_width=cycle.momentum_width,
        weight_decay=cycle.weight_decay,
        pct_start=cycle.pct_start,
        batch_size=BATCH_SIZE,
    )
    steps = max(1, round(cycle.epochs * problem.train.steps_per_epoch(BATCH_SIZE)))
    knobs = _knobs(params, cycle.max_lr, steps)
    seed_all(cycle.seed)
    model, runtime, watch = problem.make_model(), Runtime(problem.device), DivergenceWatch(steps)
    optimizer = problem.make_optimizer(model, params)
    batches = problem.train.stream(BATCH_SIZE, cycle.seed)
    counts: list[list[int]] = []
    done = 0
    for mark in cycle.marks:
        until = round(mark * steps)
        blocks = train(
            model,
            optimizer,
            batches,
            _loss(problem),
            _up_to(until, knobs),
            runtime=runtime,
            clock=monotonic,
            first_step=done,
        )
        for block in blocks:
            if watch.judge(block.loss) is not None:
                return "diverged", counts
        counts.append(_right(problem, *evaluate(model, problem.validation.batches(), runtime)))
        done = until
    return "finished", counts


def _knobs(params: Hyperparameters, max_lr: float, steps: int) -> Callable[[int], Knobs]:
    knobs = Schedule().knobs(Span.of(params, steps, max_lr))
    return lambda step: knobs(step / max(1, steps - 1))


def _up_to(until: int, knobs: Callable[[int], Knobs]) -> Callable[[int], Knobs | None]:
    return lambda step: knobs(step) if step < until else None


def _loss(problem: Problem) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return lambda outputs, targets: problem.loss(outputs, targets, 0.0)


def _right(problem: Problem, outputs: torch.Tensor, targets: torch.Tensor) -> list[int]:
    assert problem.metric.correct is not None
    counts: list[int] = problem.metric.correct(outputs, targets).reshape(BLOCKS, -1).sum(dim=1).tolist()
    return counts


def _row(cycle: Cycle) -> tuple[str, ...]:
    torch.set_num_threads(1)
    status, counts = run(cycle, _problem(cycle.task))
    return (*cycle.key, status, MARK.join(" ".join(map(str, each)) for each in counts))


def _percent(row: Sequence[str]) -> Percent:
    """Accuracy in percent by mark and block; a cycle that diverged is worth a guess at the marks that it missed."""
    marks = len(row[-3].split(" "))
    found = np.full((marks, BLOCKS), 100.0 / CLASSES)
    for mark, counts in enumerate(row[-1].split(MARK) if row[-1] else ()):
        found[mark] = [100.0 * int(count) / (HELD_OUT / BLOCKS) for count in counts.split(" ")]
    return found


Known = dict[tuple[str, ...], Percent]


def read(table: Path) -> Known:
    """The cycles so far."""
    if not table.exists():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        return {tuple(row[:-2]): _percent(row) for row in list(csv.reader(file))[1:]}


def resolve(searches: Sequence[Search[Result]], table: Path = TABLE) -> list[Result]:
    """Run all searches to their ends; in every round what any of them waits for is trained.

    Args:
        searches: fresh ones.
        table: what was trained before, and where it goes.

    Returns:
        What the searches returned, in their order.
    """
    known = read(table)
    if not known:
        table.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    results: dict[int, Result] = {}
    asked: dict[int, Sequence[Cycle]] = {}
    with ProcessPoolExecutor(WORKERS) as pool:
        while len(results) < len(searches):
            for index, search in enumerate(searches):
                if index not in results:
                    _advance(search, index, asked, results, known)
            missing = [cycle for cycles in asked.values() for cycle in cycles if cycle.key not in known]
            _train(pool, missing, known, table)
    return [results[index] for index in range(len(searches))]


def _advance(
    search: Search[Result],
    index: int,
    asked: dict[int, Sequence[Cycle]],
    results: dict[int, Result],
    known: Known,
) -> None:
    """Feed one search with what is known, until it asks for something that is not, or ends."""
    try:
        if index not in asked:
            asked[index] = next(search)
        while all(cycle.key in known for cycle in asked[index]):
            asked[index] = search.send([known[cycle.key] for cycle in asked[index]])
    except StopIteration as end:
        results[index] = end.value
        asked.pop(index, None)


def _train(pool: ProcessPoolExecutor, missing: Iterable[Cycle], known: Known, table: Path) -> None:
    wanted = list(dict.fromkeys(missing))
    for count, row in enumerate(pool.map(_row, wanted), 1):
        with table.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)
        known[tuple(row[:-2])] = _percent(row)
        if count % 20 == 0 or count == len(wanted):
            print(f"{count} of {len(wanted)} cycles of this round", flush=True)  # noqa: T201 - progress of a command


def seeded(cycle: Cycle, seeds: Iterable[int]) -> list[Cycle]:
    """The same cycle from other seeds."""
    return [replace(cycle, seed=seed) for seed in seeds]
