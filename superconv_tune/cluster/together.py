"""One long cycle on several processes of a connected Ray, through Ray Train."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray import train
from ray.exceptions import RayError
from ray.train.torch import TorchTrainer
from ray.util.queue import Empty, Queue

from superconv_tune.cluster.last_words import last_words
from superconv_tune.cluster.slots import look
from superconv_tune.cluster.worker import prepared
from superconv_tune.core.curve import Curve
from superconv_tune.core.errors import UserError
from superconv_tune.data.scratch import scratch
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.together import together
from superconv_tune.record.trial import INFORMATIVE, TrialOutcome, TrialRequest
from superconv_tune.training.team import Team
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.keeper import Keeper
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Phase, Tracker
from superconv_tune.trial.trackers import FaultTolerantTracker, NullTracker

END_S = 15.0  # for Ray Train to say why a process was lost
WAIT_S = 1.0  # for what a process tells, before it is asked whether all of them live
ELSEWHERE = (
    "The folder {folder} is not the same one on {node}: all machines write and read the checkpoint there. Name one "
    "that they share with --output."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Joint:
    """What is trained together.

    Attributes:
        request: the cycle.
        payload: data and model.
        checkpoint: the file that the cycle is saved in, in a folder that all processes see.
        proof: a file beside it, and what is in it, by which a process knows that it sees that folder.
        keeper: keeps the model.
        threads: number of torch threads of a process without a GPU, and of cores that it takes.
        folder: working folder.
    """

    request: TrialRequest
    payload: Payload
    checkpoint: Path
    proof: tuple[Path, bytes]
    keeper: Keeper
    threads: int
    folder: str = field(default_factory=os.getcwd)


def has_gpus(workers: int, threads: int) -> bool:
    """Whether so many processes train on a GPU each; else on so many cores each.

    Raises:
        UserError: if the connected cluster has no room for them now.
    """
    now = look()
    kind, each = ("GPU", 1) if any(node.get("GPU", 0.0) > 0 for node in now.nodes) else ("CPU", threads)
    total, free = ([int(node.get(kind, 0.0)) for node in nodes] for nodes in (now.nodes, now.free))
    most = sum(amount // each for amount in free)  # each process is on one node
    if workers > most:
        raise UserError(
            f"--workers: {workers} processes need {workers * each} {kind}, but {sum(free)} of {sum(total)} are free. "
            f"Ask for at most {most}, or wait for others to end."
        )
    return kind == "GPU"


def train_together(
    joint: Joint, workers: int, tracker: Tracker, saved: Callable[[int], None], worst: float
) -> TrialOutcome:
    """Train the cycle on several processes; the first one evaluates, saves and keeps the model.

    The tracker stays in this process. All others end with the connection to Ray, whatever ends it.

    Args:
        joint: what is trained.
        workers: number of processes.
        tracker: records the trial.
        saved: called with the number of steps after every write of the checkpoint.
        worst: objective of a trial whose processes are lost.

    Raises:
        UserError: if there is no room for them now.
    """
    on_gpus = has_gpus(workers, joint.threads)
    recorder = FaultTolerantTracker(tracker)
    told = Queue(actor_options={"num_cpus": 0})
    # A task, because this process must be able to leave Ray, after Ctrl-C, while the trainer waits.
    trainer = ray.remote(num_cpus=0, max_retries=0)(_fit).remote(ray.put(joint), told, workers, on_gpus, joint.threads)
    outcome, is_begun = None, False
    for word in _words(told, trainer):
        match word:
            case TrialRequest() as request:
                recorder.start(request)
                is_begun = True
            case Curve() as block:
                recorder.record("cycle", block)
            case int(steps):
                saved(steps)
            case TrialOutcome() as found:
                outcome = found
                break
    if not is_begun:
        recorder.start(joint.request)
    if outcome is None or outcome.status == "preempted":  # one that lives knows no more than that another is gone
        reason = f"A process was lost: {_why(trainer)}"
        outcome = TrialOutcome(joint.request.trial_id, joint.request.attempt, "preempted", worst, reason)
    outcome = replace(outcome, mlflow_run_id=recorder.run_id())
    recorder.finish(outcome)
    return outcome


def _words(told: Queue, trainer: Any) -> Iterator[Any]:
    """What the processes tell, until they have ended."""
    is_over = False
    while True:
        try:
            yield told.get(timeout=WAIT_S)
        except Empty:
            if is_over:
                return
            is_over = bool(ray.wait([trainer], timeout=0)[0])


def _why(trainer: Any) -> str:
    """Why the trainer failed, in a sentence."""
    try:
        ray.get(trainer, timeout=END_S)
    except RayError as error:
        logger.exception("A process was lost.")
        cause = getattr(error, "cause", None)
        failures = cause.worker_failures.values() if isinstance(cause, train.WorkerGroupError) else ()
        ends = [
            end for failure in failures if isinstance(end := getattr(failure, "health_check_failure", None), RayError)
        ]
        return last_words(next(iter(ends), error))
    return "nobody said why."


def _fit(joint: Joint, told: Queue, workers: int, on_gpus: bool, cores: int) -> None:  # noqa: FBT001 - a remote call
    with scratch() as folder:  # for Ray Train's own notes: checkpoint and model are ours
        TorchTrainer(
            _work,
            train_loop_config={"joint": ray.put(joint), "told": told},
            scaling_config=train.ScalingConfig(
                num_workers=workers,
                use_gpu=on_gpus,
                resources_per_worker={"CPU": 0 if on_gpus else cores, "GPU": int(on_gpus)},
            ),
            run_config=train.RunConfig(storage_path=str(folder)),  # without retries: the same command resumes
        ).fit()


def _work(config: dict[str, Any]) -> None:
    """What each process does.

    Raises:
        RuntimeError: if it failed where the others did not, who would wait for it.
    """
    joint: Joint = ray.get(config["joint"])
    told: Queue = config["told"]
    context = train.get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    problem = together(prepared(joint.payload, joint.threads, joint.folder).of(joint.request.family), team)
    outcome = _elsewhere(joint, problem.trivial_value) or run(
        joint.request,
        problem,
        _Teller(told) if team.leads else NullTracker(),
        time.time,
        checkpoint=Checkpoint(joint.checkpoint, told.put),
        keeper=joint.keeper if team.leads else None,
    )
    if team.leads or outcome.status not in INFORMATIVE:
        told.put(outcome)
    if outcome.status not in INFORMATIVE:
        raise RuntimeError(outcome.reason)


def _elsewhere(joint: Joint, worst: float) -> TrialOutcome | None:
    """A failed outcome if this process does not see the folder of the run; None if it does."""
    file, content = joint.proof
    with suppress(OSError):
        if file.read_bytes() == content:
            return None
    reason = ELSEWHERE.format(folder=file.parent, node=platform.node())
    return TrialOutcome(joint.request.trial_id, joint.request.attempt, "data_error", worst, reason)


@dataclass(frozen=True)
class _Teller:
    """Sends the curve to the process that records it."""

    told: Queue

    def start(self, request: TrialRequest) -> None:
        """Say that the training begins, which is some time after the processes were asked for."""
        self.told.put(request)

    def record(self, phase: Phase, block: Curve) -> None:  # noqa: ARG002 - it is a cycle
        """Send the block."""
        self.told.put(block)

    def run_id(self) -> str | None:
        """The other process knows it."""

    def finish(self, outcome: TrialOutcome) -> None:
        """The outcome is sent where it is complete."""
