"""Search every task of the library as the program would, and find out what longer cycles really reach: ``runs.csv``.

    python -m benchmarks.calibration.record [TASK ...]

Planner, sampler and trials are those of the program; only the clock is not: an optimizer step takes one virtual second,
so that every machine divides the hour alike and none is late. After the search, cycles of up to eight times the longest
one are trained with the recipe and its neighbours, of which validation chooses and fresh seeds tell the truth. Tasks
that the file already has are not trained again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.calibration.tasks import TASKS
from benchmarks.longer.search import PATIENCE_S, WORKERS
from benchmarks.longer.search import searched as virtual_search
from benchmarks.rows import append
from benchmarks.rows import read as rows_of
from superconv_tune.core.bits import pack, unpack
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.data.batches import ResidentSet, ResidentSource
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Trial, TrialRequest
from superconv_tune.study.question import brief_of
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from superconv_tune.verdict.ladder import best, complete_cycles

RUNS = Path(__file__).with_name("runs.csv")
COLUMNS = (
    "task",
    "role",
    "epochs",
    "steps",
    "data_share",
    "lr_factor",
    "decay_factor",
    "seed",
    "status",
    "validation",
    "test",
    "items",
    "correct",
)
SECONDS_PER_TOP_STEP = 8.0  # virtual, on two workers; the planner gives the longest cycles their share of it
LONGER = (8.0 / 3.0, 8.0)  # times the longest cycle of the search
NEIGHBOURS = ((1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 10.0))  # factors on max_lr and weight_decay
FRESH_SEEDS = 2  # of the neighbour that validation chose
SMALL_TEST = 1000  # items of the fresh ones that a user would have as a test part, at most

Row = tuple[object, ...]


def rows(name: str) -> list[Row]:
    """All that the table holds of one task."""
    torch.set_num_threads(1)
    problem, study = searched(name)
    runs = [_row(name, "rung", trial) for trial in _best_of_rungs(study)]
    recipe = study.recipe
    if recipe is None:
        return runs
    asked = [*study.of_recipe("confirm"), *study.of_recipe("scaling")]
    runs += [_row(name, trial.request.kind, trial) for trial in study.came_back(asked)]
    return [*runs, *_truth(name, problem, recipe), *_more_data(name, problem, recipe)]


def searched(name: str) -> tuple[Problem, Study]:
    """A task and its search."""
    spec = TASKS[name].spec(seed=sum(name.encode()))
    payload, _ = prepare(spec)
    problem = realise(payload, torch.device("cpu"))
    return problem, virtual_search(
        problem,
        replace(brief_of(spec), report_s=0.0),
        TASKS[name].batch_size,
        SECONDS_PER_TOP_STEP * TASKS[name].top_steps,
    )


def _best_of_rungs(study: Study) -> list[Trial]:
    cycles, accuracy = complete_cycles(study), Yardstick("accuracy", "max")
    rungs = sorted({trial.request.rung for trial in cycles})
    found = (best([trial for trial in cycles if trial.request.rung == rung], accuracy) for rung in rungs)
    return [trial for trial in found if trial is not None]


def _truth(name: str, problem: Problem, recipe: Recipe) -> Iterator[Row]:
    """The recipe and its neighbours in longer cycles, and the best of them by validation with fresh seeds."""
    for stretch in LONGER:
        epochs = stretch * recipe.params.cycle_epochs
        screened = []
        for lr_factor, decay_factor in NEIGHBOURS:
            trial = _train(problem, recipe, epochs, (lr_factor, decay_factor), seed=1)
            screened.append((trial.value, (lr_factor, decay_factor)))
            yield _row(name, "screen", trial, (lr_factor, decay_factor))
        _, best = max(screened)
        for seed in range(2, 2 + FRESH_SEEDS):
            yield _row(name, "truth", _train(problem, recipe, epochs, best, seed), best)


def _more_data(name: str, problem: Problem, recipe: Recipe) -> Iterator[Row]:
    """The recipe with as many steps on twice the data; the other half of them comes from the fresh examples."""
    train, test = problem.train, problem.test
    assert isinstance(train, ResidentSource)
    assert isinstance(test, ResidentSet)
    items = len(train.targets)
    if len(test) < 2 * items:
        return
    more = replace(
        problem,
        train=replace(
            train,
            inputs=torch.cat([train.inputs, test.inputs[:items]]),
            targets=torch.cat([train.targets, test.targets[:items]]),
        ),
        test=replace(test, inputs=test.inputs[items:], targets=test.targets[items:]),
    )
    for seed in range(2, 2 + FRESH_SEEDS):
        trial = _train(more, recipe, recipe.params.cycle_epochs / 2.0, (1.0, 1.0), seed)
        work = replace(trial.request.cycle, data_share=2.0)
        yield _row(name, "data", replace(trial, request=replace(trial.request, work=work)))


def _train(problem: Problem, recipe: Recipe, epochs: float, factors: tuple[float, float], seed: int) -> Trial:
    lr_factor, decay_factor = factors
    params = replace(recipe.params, cycle_epochs=epochs, weight_decay=decay_factor * recipe.params.weight_decay)
    request = TrialRequest(
        trial_id="library",
        attempt=1,
        purpose=Confirm(recipe.number),
        work=Cycle(lr_factor * recipe.max_lr, reads_test=True),
        params=params,
        schedule=recipe.schedule,
        seed=seed,
        deadline=time.time() + PATIENCE_S,
    )
    return Trial(request, run(request, problem, NullTracker(), time.time, "virtual"))


def _row(name: str, role: str, trial: Trial, factors: tuple[float, float] = (1.0, 1.0)) -> Row:
    """``items`` and ``correct`` are those of the small test part of a confirmed model."""
    request, outcome = trial.request, trial.outcome
    items, packed = 0, ""
    if role == "confirm" and outcome.test_correct is not None:
        small = unpack(outcome.test_correct, outcome.test_items)[:SMALL_TEST]
        items, packed = len(small), pack(np.asarray(small))
    return (
        name,
        role,
        f"{request.params.cycle_epochs:.6g}",
        outcome.steps,
        request.cycle.data_share,
        *factors,
        request.seed,
        outcome.status,
        _text(outcome.validation),
        _text(outcome.test),
        items,
        packed,
    )


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def read() -> list[dict[str, str]]:
    """The rows so far."""
    return rows_of(RUNS)


def main(names: Sequence[str]) -> None:
    """Search all missing tasks."""
    done = {row["task"] for row in read()}
    missing = [name for name in names or TASKS if name not in done]
    with ProcessPoolExecutor(WORKERS) as pool:
        for name, found in zip(missing, pool.map(rows, missing), strict=True):
            append(RUNS, COLUMNS, found)
            print(name, len(found), flush=True)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    main(sys.argv[1:])
