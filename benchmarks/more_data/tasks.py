"""The tasks: generators, tables and photographs, each with one recipe that is the same for all amounts of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch

from benchmarks.cycles.tasks import problem_of as cycle_problem_of
from benchmarks.questions import FRESH, QUESTIONS
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.spec.spec import ExperimentSpec

JUDGED = 3000  # test examples at most that every model is judged by; generators could give many more
TABLE_STEPS, IMAGE_STEPS = 1800, 900
THIRD = 3  # how many times as long the recipe is as the runs that show the effect of less data


@dataclass(frozen=True)
class DataTask:
    """One task.

    Attributes:
        data: the data set; tasks of one data set are left out together where intervals are judged.
        max_lr: peak of the recipe.
        steps: optimizer steps of the recipe.
        batch_size: examples per step.
        factory: name of a function in `benchmarks.questions`; empty for a task of the recorded cycles.
        args: its arguments.
    """

    data: str
    max_lr: float
    steps: int = TABLE_STEPS
    batch_size: int = 32
    factory: str = ""
    args: Mapping[str, float | str] = field(default_factory=dict)


def _generated(factory: str, max_lr: float, **args: float | str) -> DataTask:
    return DataTask(factory, max_lr, factory=factory, args={"items": 8000, **args})


def _images(data: str, max_lr: float) -> DataTask:
    return DataTask(data, max_lr, steps=IMAGE_STEPS)


# Under the names of `benchmarks.cycles.tasks.TASKS` where there is no factory. The cheapest first.
TASKS: Mapping[str, DataTask] = {
    "mnist1d-mlp": _generated("mnist1d", 0.16),
    "gaussians": _generated("gaussians", 0.08),
    "teacher": _generated("teacher", 0.08),
    "clusters": _generated("clusters", 0.08),
    "phoneme-sgd": DataTask("phoneme", 0.1),
    "german-sgd": DataTask("german", 0.0128),
    "digits-sgd": DataTask("digits", 0.1),
    "fashion-mlp": _generated("fashion", 0.04),
    "mnist1d-cnn": _generated("mnist1d", 0.1, model="cnn", items=4000),
    "mnist1d-noisy": _generated("mnist1d", 0.16, wrong=0.15, seed=1),
    "gaussians-3": _generated("gaussians", 0.08, classes=3, spread=0.9, seed=1),
    "teacher-noisy": _generated("teacher", 0.08, noise=1.0, seed=1),
    "clusters-clean": _generated("clusters", 0.08, wrong=0.0, separation=1.5, seed=1),
    "phoneme-adamw": DataTask("phoneme", 0.0064),
    "digits-conv": _generated("digits", 0.1, model="conv", items=800),
    "fashion-conv": _generated("fashion", 0.1, model="conv"),
    "photos5-sgd": _images("photos10", 0.2),
    "animals20-sgd": _images("animals20", 0.2),
    "photos10-plain-sgd": _images("photos10", 0.4),
    "photos10-adamw": _images("photos10", 0.0128),
    "photos10-noisy-sgd": _images("photos10", 0.4),
}


@cache
def problem_of(name: str, root: Path) -> Problem:
    """The task with all its training data, on the CPU."""
    task = TASKS[name]
    if not task.factory:
        return cycle_problem_of(name, root)
    assert task.args["items"]
    assert FRESH >= JUDGED
    values = {"name": "more-data", "task": {"factory": f"{QUESTIONS}:{task.factory}", "args": dict(task.args)}}
    payload, _ = prepare(ExperimentSpec.model_validate(values))
    return realise(payload, torch.device("cpu"))
