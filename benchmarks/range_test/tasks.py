"""The tasks of the range-test benchmarks: data, model and batch size of each, and the family that it belongs to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import schedule_from
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

OPTIMIZERS = ("sgd", "adamw")
EPOCHS = (3.0, 10.0, 30.0)
GRIDS: Mapping[str, tuple[float, ...]] = {
    "sgd": tuple(0.005 * 2.0**power for power in range(10)),
    "adamw": tuple(1.5e-4 * 2.0**power for power in range(10)),
}
# Rates between those of the grid where SGD falls off its cliff, so that a pick there is not judged by a straight line
# across it. The best of the grid itself stays the best of the ten.
BETWEEN: Mapping[str, tuple[float, ...]] = {
    "sgd": tuple(0.005 * 2.0 ** (power + 0.5) for power in range(4, 9)),
    "adamw": (),
}
SPLIT = {"validation": 0.45, "test": 0.1}
QUESTIONS = Path(__file__).with_name("questions.py")
FASHION = "/usr/share/datasets/fashion-mnist"
PATIENCE_S = 3600.0


@dataclass(frozen=True)
class BenchTask:
    """One task.

    Attributes:
        family: tasks of one family are left out together where a constant is fitted.
        spec: what a user would write, except for name and optimizer.
        batch_size: number of examples in every step.
        seeds: repeats of every cycle in the table.
    """

    family: str
    spec: Mapping[str, Any]
    batch_size: int
    seeds: int = 3

    def problem(self, optimizer: str) -> Problem:
        """The task with this optimizer, on the CPU."""
        spec = ExperimentSpec.model_validate({"name": "bench", "optimizer": optimizer, **self.spec})
        payload, _ = prepare(spec)
        return realise(payload, torch.device("cpu"))


def _mnist1d(model: Mapping[str, Any]) -> BenchTask:
    data = {"format": "mnist1d", "args": {"samples": 9000}}
    return BenchTask("mnist1d", {"data": data, "model": model, "split": SPLIT}, 100)


def _fashion(model: Mapping[str, Any], limit: int, seeds: int) -> BenchTask:
    data = {"format": "idx", "path": FASHION, "args": {"limit": limit + 5000}}
    split = {"validation": 5000 / (limit + 5000)}
    return BenchTask("fashion", {"data": data, "model": model, "split": split}, 128, seeds)


def _digits(model: Mapping[str, Any]) -> BenchTask:
    return BenchTask("digits", {"data": "digits", "model": model, "split": {"validation": 0.4, "test": 0.05}}, 32)


def _own(name: str) -> BenchTask:
    return BenchTask(name, {"task": {"factory": f"{QUESTIONS}:{name}"}, "split": SPLIT}, 100)


def _bn(inputs: int) -> Mapping[str, Any]:
    return {"factory": f"{QUESTIONS}:mlp_bn", "args": {"inputs": inputs, "outputs": 10}}


TASKS: Mapping[str, BenchTask] = {
    "mnist1d-mlp": _mnist1d({"name": "mlp", "width": 100 / 256}),
    "mnist1d-bn": _mnist1d(_bn(40)),
    "digits-mlp": _digits({"name": "mlp", "width": 0.25}),
    "gaussians-mlp": _own("gaussians"),
    "teacher-bn": _own("teacher"),
    "clusters-mlp": _own("clusters"),
    "mnist1d-cnn": _mnist1d({"name": "cnn1d"}),
    "digits-resnet9": _digits({"name": "resnet9", "width": 0.125}),
    "fashion-mlp": _fashion({"name": "mlp", "width": 0.5}, 10_000, 2),
    "fashion-lenet5": _fashion({"name": "lenet5", "width": 0.4}, 10_000, 1),
}


def cycle(
    task: BenchTask, problem: Problem, epochs: float, max_lr: float, seed: int, schedule: str = "one_cycle"
) -> TrialOutcome:
    """One whole run with the project's default parameters, under a one-cycle unless another policy is named."""
    request = TrialRequest(
        trial_id="bench",
        attempt=1,
        purpose=Probe(max_lr),
        work=Cycle(max_lr),
        params=replace(Hyperparameters(), cycle_epochs=epochs, batch_size=task.batch_size),
        seed=seed,
        schedule=schedule_from(schedule),
        deadline=time.time() + PATIENCE_S,
    )
    return run(request, problem, NullTracker(), time.time)
