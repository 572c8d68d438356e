"""Two worker processes for the peers that need no Ray: they share the data of the process that forked them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.peers.training import WORKERS, Diary, Job, Recipe, Training, on_cpu
from superconv_tune.problems.problem import Problem

CLOSING_S = 1.0  # from the last step to the end of the process
FRESH_PATIENCE = 0.02  # of the time: a model to be delivered may be so late, which is less than an overrun


@dataclass(frozen=True)
class Worker:
    """What a worker process holds."""

    job: Job
    problem: Problem
    diary: Diary


@dataclass(frozen=True)
class Cycle:
    """A whole cycle that was trained.

    Attributes:
        recipe: what was trained.
        validation: accuracy at its end; 0 if it did not come to its end.
        seconds: that it took.
    """

    recipe: Recipe
    validation: float
    seconds: float


_worker: Worker | None = None


def worker() -> Worker:
    """What this worker process holds."""
    assert _worker is not None, "called outside a crew"
    return _worker


def _start(job: Job, problem: Problem) -> None:
    global _worker
    _worker = Worker(job, problem, Diary(job.folder))


@contextmanager
def crew(job: Job) -> Iterator[ProcessPoolExecutor]:
    """The worker processes; they take `cycle`, and other functions that call `worker`."""
    problem = on_cpu(job.payload())
    context = multiprocessing.get_context("fork")  # the tensors are shared as they are
    with ProcessPoolExecutor(WORKERS, context, _start, (job, problem)) as pool:
        yield pool


def cycle(recipe: Recipe, is_fresh: bool = False) -> Cycle:  # noqa: FBT001, FBT002 - called by the pool, by position
    """Train a whole cycle, and note it in the diary; it is given up at the deadline, a fresh one a little later."""
    here = worker()
    began = time.time()
    training = Training(here.problem, here.job.precision, recipe)
    patience_s = FRESH_PATIENCE * (here.job.deadline - here.job.started) if is_fresh else 0.0
    validation = 0.0
    for report in training.reports(recipe.params.cycle_epochs, here.job.deadline + patience_s - CLOSING_S):
        here.diary.note(training, report, is_fresh=is_fresh)
        validation = report.validation
    return Cycle(recipe, validation, time.time() - began)


def time_left(job: Job) -> float:
    """Seconds in which a cycle may still train."""
    return job.deadline - CLOSING_S - time.time()
