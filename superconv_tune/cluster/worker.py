"""The side of Ray that trains: one actor per slot, reused from trial to trial."""

from __future__ import annotations

import gc
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from superconv_tune.core.codec import decode, encode
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.worker import MlflowTracker
from superconv_tune.training.gpu_share import shortage
from superconv_tune.training.memory import device_for, free_and_missing, release
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

HANGS_S = 5.0  # past its deadline; a trial that still runs then hangs inside a step


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share; reaches every node once, through Ray's object store.

    Attributes:
        payload: the data and the model's description.
        handle: where MLflow's runs go; None records nothing.
        spill_dir: folder, on the worker's node, for what MLflow would not take.
        threads: of torch, per trial.
    """

    payload: Payload
    handle: StudyHandle | None
    spill_dir: str
    threads: int


class Leave(Exception):  # noqa: N818 - a decision and not an error
    """This worker is one too many: another search has a right to its place. Tune ends an actor that raises."""


class TrialActor(tune.Trainable):
    """Runs one whole trial per ``step``; keeps the problem and the MLflow connection between trials.

    A failed trial returns its failure as an outcome. Only a process that is beyond saving raises: that would end the
    actor, and the next trial would wait for a new one.
    """

    def setup(self, config: dict[str, Any], setting: Setting) -> None:
        """Build what all trials of this actor share; called once per process."""
        self._problem = prepared(setting.payload, setting.threads)
        self._mlflow = None if setting.handle is None else MlflowTracker(setting.handle, Path(setting.spill_dir))
        self._config = config
        self._is_spent = False
        gc.freeze()  # modules and data stay; without this the collection between trials would walk all of them again

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial on this actor, after the memory of the last one was given back.

        A process that cannot get its memory back says False: Ray ends it, and a new one begins with nothing.
        """
        self._config = new_config
        release(self._problem.device)
        return not self._is_spent

    def step(self) -> dict[str, Any]:
        """One trial from range test to evaluation, or a nap, as one result with scalars only.

        Raises:
            Leave: where this worker is to end.
        """
        if "leave" in self._config:
            raise Leave
        if "nap_s" in self._config:
            if self._mlflow is not None:
                self._mlflow.catch_up()
            time.sleep(self._config["nap_s"])
            return {"objective": 0.0, "done": True}
        request: TrialRequest = decode(TrialRequest, json.loads(self._config["request"]))
        tracker = self._mlflow or NullTracker()
        outcome = self._refusal(request) or run(
            request, self._problem, tracker, time.time, guard=_ended_if_it_hangs(request.deadline)
        )
        return {"objective": outcome.objective, "outcome": json.dumps(encode(outcome)), "done": True}

    def _refusal(self, request: TrialRequest) -> TrialOutcome | None:
        """The outcome of a trial that would run out of memory which others hold now; the planner asks for it again."""
        memory = free_and_missing(self._problem.device)
        reason = shortage(*memory) if memory else ""
        if not reason:
            return None
        self._is_spent = True
        worst = self._problem.trivial_value
        return TrialOutcome(request.trial_id, request.attempt, "preempted", worst, reason, node=platform.node())

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a search trial that is lost starts again."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing, for the same reason."""


@contextmanager
def _ended_if_it_hangs(deadline: float) -> Iterator[None]:
    """A trial keeps its deadline between two steps; one that hangs inside a step can only be ended with its process.

    Recording is no part of it: a tracker waits for a server that is away, but not for ever, and keeps what it has.
    """
    watch = threading.Timer(deadline - time.time() + HANGS_S, os._exit, (1,))
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


def prepared(payload: Payload, threads: int) -> Problem:
    """What all trials of this process share, on the GPU that Ray gave to it, or on the CPU where it gave none."""
    device = device_for(with_gpu=bool(ray.get_runtime_context().get_accelerator_ids()["GPU"]))
    if device.type == "cpu":
        torch.set_num_threads(threads)  # one trial per core beats one trial on all cores (design 9)
    return realise(payload, device)
