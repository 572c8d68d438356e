"""The side of Ray that trains: one actor per slot, reused from trial to trial."""

from __future__ import annotations

import gc
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.trial import TrialOutcome, TrialRequest
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.tracking.study_run import StudyHandle
from superconv_tune.tracking.worker import MlflowTracker
from superconv_tune.trial.run import run


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share; reaches every node once, through Ray's object store.

    Attributes:
        payload: the data and the model's description.
        handle: where MLflow's runs go.
        spill_dir: folder, on the worker's node, for what MLflow would not take.
        threads: of torch, per trial.
    """

    payload: Payload
    handle: StudyHandle
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
        if not torch.cuda.is_available():
            torch.set_num_threads(setting.threads)  # one trial per core beats one trial on all cores (design 9)
        self._problem: Problem = realise(setting.payload, _device())
        self._tracker = MlflowTracker(setting.handle, Path(setting.spill_dir))
        self._config = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial on this actor; memory of the last one is given back first."""
        self._config = new_config
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return True

    def step(self) -> dict[str, Any]:
        """One trial from range test to evaluation, or a nap, as one result with scalars only.

        Raises:
            Leave: where this worker is to end.
        """
        if "leave" in self._config:
            raise Leave
        if "nap_s" in self._config:
            self._tracker.catch_up()
            time.sleep(self._config["nap_s"])
            return {"objective": 0.0, "done": True}
        request: TrialRequest = decode(TrialRequest, json.loads(self._config["request"]))
        outcome = run(request, self._problem, self._tracker, time.time)
        return {"objective": outcome.objective, "outcome": json.dumps(encode(outcome)), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a search trial that is lost starts again."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing, for the same reason."""


def read_outcome(result: dict[str, Any]) -> TrialOutcome:
    """The outcome inside a result of `TrialActor.step`."""
    outcome: TrialOutcome = decode(TrialOutcome, json.loads(result["outcome"]))
    return outcome


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
