"""Trials one after the other in this process, where a debugger can follow them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from superconv_tune.cluster.in_process import InProcessCluster, RealClock, TrainingExecutor
from superconv_tune.kept.keeper import keeper_of
from superconv_tune.problems.payload import Problems
from superconv_tune.record.conductor import Conductor
from superconv_tune.study.question import Question
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.training.memory import device_for
from superconv_tune.trial.tracker import Tracker
from superconv_tune.trial.trackers import NullTracker

T = TypeVar("T")


@dataclass(frozen=True)
class InThisProcess:
    """One worker, which is this process; see `superconv_tune.study.engine.Engine`."""

    question: Question
    workers: int = 1

    @property
    def clocks(self) -> Mapping[str, float | None]:
        """There is no other machine."""
        return {}

    def rehearsed(self) -> None:
        """Do nothing: the preflight has tried a step in this process."""

    def run(self, conductor: Conductor, handle: StudyHandle | None, spill_dir: Path, drafts: Path) -> None:
        """Run trials until the conductor is done or says stop.

        Raises:
            UserError: if an event cannot be stored.
        """
        device = device_for(with_gpu=self.question.spec.resources.gpus_per_trial != 0)
        payload = self.question.payload
        tracker, keeper = _tracker(handle, spill_dir), keeper_of(payload, drafts)
        executor = TrainingExecutor(Problems(payload, device).of, tracker, keeper)
        gc.freeze()  # modules and data stay; otherwise the collection between trials would visit all of them again
        try:
            InProcessCluster(executor, RealClock(), self.workers).run(conductor)
        finally:
            gc.unfreeze()

    def beside(self, work: Callable[[], T], otherwise: T) -> Callable[[float], T | None]:
        """Do the work now: there is nothing beside this process."""
        del otherwise
        done = work()
        return lambda _: done


def in_this_process(question: Question) -> InThisProcess:
    """The engine; with ``gpus_per_trial: auto`` a trial gets the whole GPU."""
    if question.spec.resources.gpus_per_trial == "auto":
        question = question.on_gpus(1.0 if torch.cuda.is_available() else 0.0)
    return InThisProcess(question)


def _tracker(handle: StudyHandle | None, spill_dir: Path) -> Tracker:
    if handle is None:
        return NullTracker()
    from superconv_tune.tracking.worker import MlflowTracker  # noqa: PLC0415 - MLflow need not be installed

    return MlflowTracker(handle, spill_dir)
