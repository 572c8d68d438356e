"""Cycles that the range test's table lacks: long ones, and other weight decays: ``cycles.csv``.

    python -m benchmarks.division.record [TASK ...]

Lengths of 100 and 300 epochs, and weight decays a fiftieth and ten times the default, around the best learning rate of
each task; all with SGD. Validation and test accuracy are of disjoint items. Rows that the file already has are not
trained again, so the command goes on where it was stopped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from benchmarks.range_test.tasks import GRIDS, PATIENCE_S, TASKS
from benchmarks.rows import append
from benchmarks.rows import read as rows_of
from superconv_tune.core.trial import Hyperparameters, TrialOutcome, TrialRequest
from superconv_tune.problems.problem import Problem
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

TABLE = Path(__file__).with_name("cycles.csv")
COLUMNS = (
    "task", "family", "optimizer", "epochs", "max_lr", "weight_decay", "seed", "status", "validation", "test", "steps",
)  # fmt: skip
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
# (epochs, weight decay, steps of the grid around that), the most telling first. The cycles of 3, 10 and 30 epochs at
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


@dataclass(frozen=True)
class Job:
    """One cycle."""

    task: str
    epochs: float
    max_lr: str
    weight_decay: float
    seed: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """As the table writes it."""
        return (self.task, OPTIMIZER, str(self.epochs), self.max_lr, f"{self.weight_decay:g}", str(self.seed))


def jobs(names: Sequence[str]) -> list[Job]:
    """Everything that the table has to hold."""
    return [
        Job(name, epochs, f"{GRIDS[OPTIMIZER][BEST[name] + step]:.6g}", decay)
        for epochs, decay, steps in WANTED
        for name in names
        for step in steps
    ]


@lru_cache(maxsize=1)
def _problem(name: str) -> Problem:
    return TASKS[name].problem(OPTIMIZER)


def train(job: Job) -> TrialOutcome:
    """One whole one-cycle, judged on the validation and on the test part."""
    torch.set_num_threads(1)
    params = replace(
        Hyperparameters(),
        cycle_epochs=job.epochs,
        batch_size=TASKS[job.task].batch_size,
        weight_decay=job.weight_decay,
    )
    request = TrialRequest(
        trial_id="bench",
        attempt=1,
        kind="confirm",
        params=params,
        seed=job.seed,
        schedule="one_cycle",
        rung=-1,
        deadline=time.time() + PATIENCE_S,
        pick_lr=float(job.max_lr),
    )
    return run(request, _problem(job.task), NullTracker(), time.time)


def read() -> list[dict[str, str]]:
    """The rows so far."""
    return rows_of(TABLE)


def main(names: Sequence[str]) -> None:
    """Train what is missing."""
    done = {tuple(row[name] for name in ("task", "optimizer", *COLUMNS[3:7])) for row in read()}
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
