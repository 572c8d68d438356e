"""Which models the table needs, and one of them trained by the program's own trial."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.cycles.tasks import PRECISION
from benchmarks.more_data.tasks import JUDGED, TASKS, THIRD, problem_of
from superconv_tune.core.bits import pack, unpack
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Scaling
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

COLUMNS = ("task", "halvings", "is_short", "seed", "items", "steps", "status", "judged", "correct")
HALVINGS = 8  # of the training data: the smallest amount has 1/256 of them
LEAST_ITEMS = 25
SEEDS = (0, 1)


@dataclass(frozen=True)
class Cell:
    """One model.

    Attributes:
        task: name of the task.
        halvings: how often its training data were halved.
        is_short: whether it is trained for a third of the recipe's steps.
        seed: seed of the trial, which also draws the examples.
    """

    task: str
    halvings: int
    is_short: bool
    seed: int

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return TASKS[self.task].steps // (THIRD if self.is_short else 1)

    @staticmethod
    def of(row: Mapping[str, str]) -> Cell:
        """The model of a row of the table."""
        return Cell(row["task"], int(row["halvings"]), row["is_short"] == "1", int(row["seed"]))


def wanted(known: Collection[Cell], names: Sequence[str], root: Path) -> Iterator[Cell]:
    """The models that the table lacks, task by task."""
    for name in names:
        items = problem_of(name, root).train.steps_per_epoch(1)
        for halvings in range(HALVINGS + 1):
            if items / 2**halvings < LEAST_ITEMS:
                break
            cells = (Cell(name, halvings, is_short, seed) for is_short in (False, True) for seed in SEEDS)
            yield from (cell for cell in cells if cell not in known)


def trained(cell: Cell, root: Path) -> list[object]:
    """The row of one model.

    Raises:
        RuntimeError: if the trial failed in a way that says nothing about the data.
    """
    torch.set_num_threads(1)
    problem, task = problem_of(cell.task, root), TASKS[cell.task]
    per_epoch = problem.train.steps_per_epoch(task.batch_size)
    request = TrialRequest(
        trial_id="bench",
        attempt=1,
        purpose=Scaling(recipe=1),
        work=Cycle(task.max_lr, data_share=0.5**cell.halvings, reads_test=True),
        params=Hyperparameters(cycle_epochs=cell.steps / per_epoch, batch_size=task.batch_size),
        schedule=Schedule(),
        seed=cell.seed,
        deadline=math.inf,
        precision=PRECISION,
    )
    outcome = run(request, problem, NullTracker(), time.time)
    if outcome.status not in ("finished", "diverged"):
        raise RuntimeError(f"{cell} ended as {outcome.status}: {outcome.reason}")
    items = round(problem.train.steps_per_epoch(1) * 0.5**cell.halvings)
    judged, correct = 0, ""
    if outcome.test_correct is not None:
        judged = min(JUDGED, outcome.test_items)
        correct = pack(unpack(outcome.test_correct, outcome.test_items)[:judged])
    facts = (cell.task, cell.halvings, int(cell.is_short), cell.seed)
    return [*facts, items, outcome.steps, outcome.status, judged, correct]
