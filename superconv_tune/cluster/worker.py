"""The Ray actor that trains: one per slot, reused from trial to trial."""

from __future__ import annotations

import gc
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from superconv_tune.cluster.clock import DriverClock
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.streams import lasting_outputs
from superconv_tune.problems.payload import Payload, Problems
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.worker import MlflowTracker
from superconv_tune.training.compiler import skip_compiler
from superconv_tune.training.gpu_share import shortage
from superconv_tune.training.memory import device_for, free_and_missing, release
from superconv_tune.trial.keeper import Keeper
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

FLUSH_S = 4.0  # for the last trial; Tune waits five seconds for its workers to end
HANGS_S = 5.0  # past its deadline; a trial that still runs then hangs inside a step


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share; sent to every node once, through Ray's object store.

    Attributes:
        payload: data and model.
        handle: parent run in MLflow; None records nothing.
        spill_dir: folder, on the worker's node, for records that MLflow did not accept.
        threads: number of torch threads per trial.
        clock_offsets: the driver's Unix time minus the monotonic clock of other machines, by Ray's id of the node.
        host: name of the driver's machine.
        folder: working folder of the search.
        keeper: keeps models on the worker's node; None keeps none.
    """

    payload: Payload
    handle: StudyHandle | None
    spill_dir: str
    threads: int
    clock_offsets: Mapping[str, float] = field(default_factory=dict)
    host: str = field(default_factory=platform.node)
    folder: str = field(default_factory=os.getcwd)
    keeper: Keeper | None = None


class Leave(Exception):  # noqa: N818 - a decision and not an error
    """Ends this worker, whose place another search is entitled to: Tune ends an actor that raises."""


class TrialActor(tune.Trainable):
    """Runs one whole trial per ``step``; keeps the problem and the MLflow connection between trials.

    A failed trial returns its failure as an outcome instead of raising: an exception would end the actor, and the next
    trial would have to wait for a new one.
    """

    def setup(self, config: dict[str, Any], setting: Setting) -> None:
        """Build what the trials of this actor share; called once per process."""
        self._problems = prepared(setting.payload, setting.threads, setting.folder)
        self._problem = self._problems.of("")
        self._clock = _clock(setting)
        self._mlflow = None if setting.handle is None else _tracker(setting.handle, setting.spill_dir, self._now)
        self._keeper = setting.keeper
        self._config = config
        self._is_spent = False
        gc.freeze()  # modules and data stay; otherwise the collection between trials would visit all of them again

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial, and release the memory of the last one.

        Returns False if the process found too little memory: Ray then replaces it with a new one.
        """
        self._config = new_config
        release(self._problem.device)
        gc.freeze()  # what outlives a trial stays: MLflow, which came after the setup, costs 0.13 s in every collection
        return not self._is_spent

    def step(self) -> dict[str, Any]:
        """Run one trial from range test to evaluation, or a nap; the result holds scalars only.

        Raises:
            Leave: if this worker is to end.
        """
        if "leave" in self._config:
            self.cleanup()
            raise Leave
        if self._clock is not None:
            self._clock.hear(self._config["sent_at"])
        if "nap_s" in self._config:
            if self._mlflow is not None:
                self._mlflow.catch_up()
            time.sleep(self._config["nap_s"])
            return {"objective": 0.0, "done": True}
        request: TrialRequest = decode(TrialRequest, json.loads(self._config["request"]))
        tracker = self._mlflow or NullTracker()
        outcome = self._refusal(request) or run(
            request,
            self._problems.of(request.family),
            tracker,
            self._now,
            guard=_ended_if_it_hangs(request.deadline - self._now()),
            keeper=self._keeper,
        )
        return {"objective": outcome.objective, "outcome": json.dumps(encode(outcome)), "done": True}

    def _now(self) -> float:
        """The driver's Unix time."""
        return time.time() if self._clock is None else self._clock()

    def _refusal(self, request: TrialRequest) -> TrialOutcome | None:
        """A ``preempted`` outcome if others hold the memory that the trial needs; the planner repeats it."""
        memory = free_and_missing(self._problem.device)
        reason = shortage(*memory) if memory else ""
        if not reason:
            return None
        self._is_spent = True
        worst = self._problem.trivial_value
        return TrialOutcome(request.trial_id, request.attempt, "preempted", worst, reason, node=platform.node())

    def cleanup(self) -> None:
        """Wait a bounded time until MLflow has received the last trial; Tune calls it before it ends this worker."""
        if self._mlflow is not None:
            self._mlflow.flush(FLUSH_S)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Do nothing: a search trial that is lost starts from the beginning."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Do nothing: no checkpoint is saved."""


def _clock(setting: Setting) -> DriverClock | None:
    """The driver's clock; None on the driver's own machine, which needs no other than its own."""
    if platform.node() == setting.host:
        return None
    return DriverClock(setting.clock_offsets.get(ray.get_runtime_context().get_node_id()))


def _tracker(handle: StudyHandle, spill_dir: str, clock: Callable[[], float]) -> MlflowTracker:
    """The tracker of all trials of this process, which sends a trial while the next one trains."""
    return MlflowTracker(handle, Path(spill_dir), finish_timeout_s=0.0, clock=clock)


@contextmanager
def _ended_if_it_hangs(left_s: float) -> Iterator[None]:
    """End the process if the block takes longer: a trial that hangs inside a step cannot check the time.

    Recording is not part of the block: a tracker waits a bounded time for a server, and keeps what it could not send.
    """
    watch = threading.Timer(left_s + HANGS_S, os._exit, (1,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def read_outcome(result: dict[str, Any]) -> TrialOutcome:
    """The outcome inside a result of `TrialActor.step`."""
    outcome: TrialOutcome = decode(TrialOutcome, json.loads(result["outcome"]))
    return outcome


def prepared(payload: Payload, threads: int, folder: str) -> Problems:
    """What all trials of this process share, on the GPU that Ray assigned to it, or on the CPU without one.

    The process goes to the working folder of the search, where relative paths in the user's code lead, if it is there.
    """
    with suppress(OSError):  # a node need not have it
        os.chdir(folder)
    lasting_outputs()
    skip_compiler()
    device = device_for(with_gpu=bool(ray.get_runtime_context().get_accelerator_ids()["GPU"]))
    if device.type == "cpu":
        torch.set_num_threads(threads)  # one trial per core gets more done than one trial on all cores
    return Problems(payload, device)
