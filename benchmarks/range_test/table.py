"""Every task's accuracy over a grid of peak learning rates and three cycle lengths: ``cycles.csv``.

    python -m benchmarks.range_test.table [TASK ...]

The truth that picks are judged by. Rows that the file already has are not trained again, so the command goes on where
it was stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch

from benchmarks.range_test.tasks import BETWEEN, EPOCHS, GRIDS, OPTIMIZERS, TASKS, cycle
from benchmarks.rows import append
from benchmarks.rows import read as rows_of
from superconv_tune.problems.problem import Problem

TABLE = Path(__file__).with_name("cycles.csv")
COLUMNS = ("task", "family", "optimizer", "epochs", "max_lr", "seed", "status", "validation", "loss", "steps")
WORKERS = 2

Job = tuple[str, str, float, str]


@lru_cache(maxsize=1)
def _problem(name: str, optimizer: str) -> Problem:
    return TASKS[name].problem(optimizer)


def rows(job: Job) -> list[tuple[object, ...]]:
    """All cycles of one task, optimizer, length and peak."""
    torch.set_num_threads(1)
    name, optimizer, epochs, max_lr = job
    task = TASKS[name]
    outcomes = [cycle(task, _problem(name, optimizer), epochs, float(max_lr), seed) for seed in range(task.seeds)]
    return [
        (name, task.family, optimizer, epochs, max_lr, seed, o.status, o.objective, o.validation_loss, o.steps)
        for seed, o in enumerate(outcomes)
    ]


def jobs(names: Sequence[str]) -> list[Job]:
    """Everything that the table has to hold."""
    return [
        (name, optimizer, epochs, f"{max_lr:.6g}")
        for name in names
        for optimizer in OPTIMIZERS
        for epochs in EPOCHS
        for max_lr in (*GRIDS[optimizer], *(BETWEEN[optimizer] if TASKS[name].seeds > 1 else ()))
    ]


def read() -> list[dict[str, str]]:
    """The rows so far."""
    return rows_of(TABLE)


def main(names: Sequence[str]) -> None:
    """Train all missing cycles."""
    done = {(row["task"], row["optimizer"], float(row["epochs"]), row["max_lr"]) for row in read()}
    missing = [job for job in jobs(names or tuple(TASKS)) if job not in done]
    with ProcessPoolExecutor(WORKERS) as pool:
        for job, found in zip(missing, pool.map(rows, missing), strict=True):
            append(TABLE, COLUMNS, found)
            print(*job, flush=True)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    main(sys.argv[1:])
