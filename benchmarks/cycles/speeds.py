"""Seconds of a step and of an evaluation, with one and with two workers busy.

They are seconds of the processor, which are those of a clock where each worker has a core to itself; so what else the
machine does meanwhile counts less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from benchmarks.cycles.cells import CHEAP, SIZES
from benchmarks.cycles.tasks import problem_of
from benchmarks.cycles.training import trained
from superconv_tune.core.hyperparameters import Hyperparameters

COLUMNS = (
    "task", "batch_size", "busy_workers", "step_s", "eval_s", "train_items", "validation_items", "test_items",
)  # fmt: skip
STEPS, MANY_STEPS, WARM = 9, 99, 2  # many where they are short
BUSY = (1, 2)
GENTLE_LR = 1e-4


def speeds(names: Sequence[str], root: Path) -> Iterator[list[object]]:
    """Rows of the table; each is timed by processes that had read the data before."""
    with ProcessPoolExecutor(max(BUSY)) as pool:
        for name, size, busy in product(names, sorted(SIZES), BUSY):
            if (size, busy) == (min(SIZES), BUSY[0]):
                list(pool.map(_timed, *zip(*[(name, size, root)] * max(BUSY), strict=True)))
            found = list(pool.map(_timed, *zip(*[(name, size, root)] * busy, strict=True)))
            step_s, eval_s = (fmean(seconds) for seconds in zip(*found, strict=True))
            yield [name, size, busy, f"{step_s:.3e}", f"{eval_s:.3e}", *_items(name, root)]


def _timed(name: str, size: int, root: Path) -> tuple[float, float]:
    """Median seconds of a step, and seconds of an evaluation of the validation part."""
    torch.set_num_threads(1)
    problem = problem_of(name, root)
    epochs = (MANY_STEPS if name in CHEAP else STEPS) / problem.train.steps_per_epoch(size)
    params = replace(Hyperparameters(), cycle_epochs=epochs, batch_size=size)
    outcome = trained(problem, params, GENTLE_LR, 0, reads_test=False, clock=time.process_time)
    assert outcome.cycle_curve is not None
    return float(np.median(np.diff(outcome.cycle_curve.elapsed_s)[WARM:])), outcome.eval_s


def _items(name: str, root: Path) -> tuple[int, int, int]:
    problem = problem_of(name, root)
    return problem.train.steps_per_epoch(1), len(problem.validation), len(problem.test)
