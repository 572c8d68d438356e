"""Cycles that the range test's table lacks: half the batch size, other weight decays, long ones: ``cycles.csv``.

    python -m benchmarks.division.record [TASK ...]

Half the batch size at the lengths of that table; lengths of 100 and 300 epochs, and weight decays a fiftieth and ten
times the default, around the best learning rate of each task; all with SGD. Validation and test accuracy are of
disjoint items. Rows that the file already has are not trained again, so the command goes on where it was stopped. At
first it times a step of either batch size, by turns: ``sizes.csv``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from statistics import median

import torch

from benchmarks.range_test.tasks import GRIDS, PATIENCE_S, TASKS
from benchmarks.rows import append
from benchmarks.rows import read as rows_of
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

TABLE, SIZES = (Path(__file__).with_name(name) for name in ("cycles.csv", "sizes.csv"))
COLUMNS = (
    "task", "family", "optimizer", "epochs", "max_lr", "weight_decay", "batch_size", "seed",
    "status", "validation", "test", "steps",
)  # fmt: skip
KEY = [name for name in COLUMNS[:8] if name != "family"]
OPTIMIZER = "sgd"
DEFAULT_DECAY = Hyperparameters().weight_decay
LOW_DECAY, HIGH_DECAY = 1e-5, 5e-3
WORKERS = 2

# Each task's best rate at 10 epochs in the range test's table, as the index into its grid.
BEST = {
    "mnist1d-mlp": 6,
    "mnist1d-bn": 5,
    "digits-mlp": 5,
    "gaussians-mlp": 6,
    "teacher-bn": 5,
    "clusters-mlp": 5,
    "mnist1d-cnn": 5,
}
# (epochs, weight decay, steps of the grid around that), most informative first. The cycles of 3, 10 and 30 epochs at
# the default weight decay are in the other table.
WANTED: tuple[tuple[float, float, tuple[int, ...]], ...] = (
    (30.0, HIGH_DECAY, (0, -1, 1)),
    (100.0, DEFAULT_DECAY, (0, 1, -1)),
    (100.0, HIGH_DECAY, (0, -1, 1)),
    (10.0, HIGH_DECAY, (0, -1, 1)),
    (300.0, DEFAULT_DECAY, (0,)),
    (300.0, HIGH_DECAY, (0,)),
    (30.0, LOW_DECAY, (0,)),
    (100.0, LOW_DECAY, (0,)),
    (300.0, DEFAULT_DECAY, (1, -1)),
    (300.0, HIGH_DECAY, (-1, 1)),
)
# With half the batch size and the default weight decay; the best rate of it may lie lower.
HALVED_EPOCHS, HALVED_STEPS, HALVED_SEEDS = (3.0, 10.0, 30.0), (-3, -2, -1, 0, 1, 2), (0, 1)
TIMED = 7  # cycles of three epochs, for the time of a step


@dataclass(frozen=True)
class Job:
    """One cycle."""

    task: str
    epochs: float
    max_lr: str
    weight_decay: float
    batch_size: int
    seed: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """The cycle as a key of the table."""
        plain = (self.task, OPTIMIZER, str(self.epochs), self.max_lr, f"{self.weight_decay:g}")
        return (*plain, str(self.batch_size), str(self.seed))


def jobs(names: Sequence[str]) -> list[Job]:
    """Everything that the table has to hold."""
    halved = [
        Job(name, epochs, _rate(name, step), DEFAULT_DECAY, TASKS[name].batch_size // 2, seed)
        for epochs, name, step, seed in product(HALVED_EPOCHS, names, HALVED_STEPS, HALVED_SEEDS)
    ]
    longer = [
        Job(name, epochs, _rate(name, step), decay, TASKS[name].batch_size)
        for epochs, decay, steps in WANTED
        for name in names
        for step in steps
    ]
    return [*halved, *longer]


def _rate(name: str, step: int) -> str:
    """The rate this many steps of the grid above a task's best one."""
    return f"{GRIDS[OPTIMIZER][BEST[name] + step]:.6g}"


@lru_cache(maxsize=1)
def _problem(name: str) -> Problem:
    return TASKS[name].problem(OPTIMIZER)


def train(job: Job) -> TrialOutcome:
    """One whole one-cycle, judged on the validation and on the test part."""
    torch.set_num_threads(1)
    params = replace(
        Hyperparameters(),
        cycle_epochs=job.epochs,
        batch_size=job.batch_size,
        weight_decay=job.weight_decay,
    )
    request = TrialRequest(
        trial_id="bench",
        attempt=1,
        purpose=Confirm(recipe=1),
        work=Cycle(float(job.max_lr), reads_test=True),
        params=params,
        seed=job.seed,
        schedule=Schedule(),
        deadline=time.time() + PATIENCE_S,
    )
    return run(request, _problem(job.task), NullTracker(), time.time)


def read() -> list[dict[str, str]]:
    """The rows so far."""
    return rows_of(TABLE)


def time_steps(names: Sequence[str]) -> None:
    """Seconds of a step of either batch size, by turns, one process at a time; the median of `TIMED`."""
    sizes = {name: (TASKS[name].batch_size, TASKS[name].batch_size // 2) for name in names}
    rows: list[list[object]] = []
    for name, both in sizes.items():
        found: dict[int, list[float]] = {size: [] for size in both}
        for seed, size in product(range(TIMED), both):
            outcome = train(Job(name, 3.0, _rate(name, -2), DEFAULT_DECAY, size, seed))
            found[size].append(outcome.train_s / outcome.steps)
        rows += [[name, size, f"{median(seconds):.3e}"] for size, seconds in found.items()]
    append(SIZES, ("task", "batch_size", "step_s"), rows)


def main(names: Sequence[str]) -> None:
    """Time a step, and train what is missing."""
    if not SIZES.exists():
        time_steps(tuple(BEST))
    done = {tuple(row[name] for name in KEY) for row in read()}
    missing = [job for job in jobs(names or tuple(BEST)) if job.key not in done]
    with ProcessPoolExecutor(WORKERS) as pool:
        for job, o in zip(missing, pool.map(train, missing), strict=True):
            task, *rest = job.key
            test = "" if o.test is None else f"{o.test:.6f}"
            row = [task, TASKS[task].family, *rest, o.status, f"{o.objective:.6f}", test, o.steps]
            append(TABLE, COLUMNS, [row])
            print(*job.key, flush=True)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    main(sys.argv[1:])
