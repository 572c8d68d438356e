"""Trials on a Ray cluster, or on a local Ray that is started for the search and shut down after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from superconv_tune.cluster.beside import beside
from superconv_tune.cluster.driver import Resources, run, slots
from superconv_tune.cluster.machines import Machine, collect, other_machines
from superconv_tune.cluster.rehearsal import begin_rehearsal
from superconv_tune.cluster.slots import Share
from superconv_tune.cluster.worker import Setting
from superconv_tune.core.background import Background
from superconv_tune.kept.keeper import DRAFT, keeper_of
from superconv_tune.planner.brief import Brief
from superconv_tune.problems.payload import Payload, portable
from superconv_tune.record.conductor import Conductor
from superconv_tune.spec.spec import ExperimentSpec, defaults
from superconv_tune.study.gpu_share import shared
from superconv_tune.study.question import Question, threads
from superconv_tune.tracking.attempt import RECORD
from superconv_tune.tracking.handle import StudyHandle

LEAST_COLLECT_S = 4.0  # for an answer that is small

T = TypeVar("T")


@dataclass(frozen=True)
class OnRay:
    """A connected cluster; see `superconv_tune.study.engine.Engine`.

    Attributes:
        question: the question, with ``gpus_per_trial`` as a number.
        share: the search's share of the cluster.
        is_local: whether the workers see the files of this machine.
        elsewhere: the nodes on other machines.
        rehearsal: waits for the end of a training step on a worker, and raises UserError if it failed.
    """

    question: Question
    share: Share
    is_local: bool
    elsewhere: tuple[Machine, ...]
    rehearsal: Callable[[], None]

    @property
    def workers(self) -> int:
        """Trials at once."""
        return self.share.count(held=0)

    @property
    def clocks(self) -> Mapping[str, float | None]:
        """By how many seconds the clock of each other machine is ahead of this one's, by its name."""
        return {machine.host: machine.ahead_s for machine in self.elsewhere}

    def run(self, conductor: Conductor, handle: StudyHandle | None, spill_dir: Path, drafts: Path) -> None:
        """Run trials, as many at once as the search's share of the cluster allows.

        Raises:
            UserError: if an event cannot be stored.
        """
        question = self.question
        payload = _payload(question, is_local=self.is_local)
        offsets = {machine.node: machine.offset_s for machine in self.elsewhere if machine.offset_s is not None}
        keeper = keeper_of(payload, drafts)
        setting = Setting(payload, handle, str(spill_dir), threads(question.spec), offsets, keeper=keeper)
        run(conductor, setting, _resources(question.spec), self.share)
        wait_s = collect_s(question.brief)
        if handle is not None:
            collect(self.elsewhere, spill_dir / handle.run_id, RECORD, "records for MLflow", wait_s)
        if keeper is not None:
            collect(self.elsewhere, drafts, DRAFT, "trained models", wait_s)

    def rehearsed(self) -> None:
        """Wait for the end of a training step in a process like those that will run the trials.

        Raises:
            UserError: if it failed there.
        """
        self.rehearsal()

    def beside(self, work: Callable[[], T], otherwise: T) -> Callable[[float], T | None]:
        """Begin ``work`` in a process of its own that yields to the trials; see `superconv_tune.cluster.beside`."""
        return beside(work, otherwise)


def on_ray(question: Question, address: str | None, connection: Background[None]) -> OnRay:
    """The engine, once Ray is connected; its rehearsal has begun.

    Raises:
        UserError: if the cluster cannot be used, or has no room for a trial.
    """
    connection.wait()
    question, is_local = shared(question, address), address is None
    resources = _resources(question.spec)
    share = slots(resources)
    elsewhere = () if is_local else other_machines()
    rehearsal = begin_rehearsal(
        _payload(question, is_local=is_local),
        defaults(question.spec),
        threads(question.spec),
        resources.gpus_per_trial,
        share.count(held=0),
    )
    return OnRay(question, share, is_local, elsewhere, rehearsal)


def collect_s(brief: Brief) -> float:
    """How long records, and then models, may take from other machines: a third each of the time for the report."""
    return max(LEAST_COLLECT_S, brief.report_s / 3)


def _payload(question: Question, *, is_local: bool) -> Payload:
    """Data and model, as the workers can read them."""
    return question.payload if is_local else portable(question.payload)


def _resources(spec: ExperimentSpec) -> Resources:
    wanted = spec.resources
    workers = wanted.workers if isinstance(wanted.workers, int) else None
    gpus = 0.0 if wanted.gpus_per_trial == "auto" else wanted.gpus_per_trial
    return Resources(wanted.cpus_per_trial, gpus, workers)
