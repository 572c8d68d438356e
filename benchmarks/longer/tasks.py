"""The tasks: photographs, drawn images, tables and generated data, small and large, SGD and AdamW."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.longer.pools import Array, pool
from superconv_tune.planner.brief import Brief
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import Precision
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.question import brief_of

HELD_OUT = 0.15 / 0.7  # validation items, and test items, for one to train on, as a user's split has them
LEAST_HELD = 100
SIGNALS = "mnist1d"  # the data set with one channel of 40 samples, and not with images
MOST_FRESH = 7.0  # items that neither the search nor its user has seen, for one to train on: a split leaves a tenth
SMALL_NET, MLP, SIGNAL_NET = {"name": "resnet9", "width": 0.125}, {"name": "mlp"}, {"name": "cnn1d"}


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        data: the data set; tasks of one data set are left out together where forecasts are judged.
        items: examples to train on.
        top_steps: optimizer steps of the longest cycle for which a search of this task has time, about.
        model: as in the spec.
        optimizer: name in the spec.
        augment: augmentations of training images.
        batch_size: examples per step.
        classes: the first so many classes only; None for all.
        wrong: share of the labels that are drawn anew, in all parts, as in data that somebody labelled.
        seed: of the order of the examples, of the split and of the search.
        knobs: of a generator.
    """

    data: str
    items: int
    top_steps: int
    model: Mapping[str, Any] = field(default_factory=lambda: MLP)
    optimizer: str = "sgd"
    augment: tuple[str, ...] = ()
    batch_size: int = 64
    classes: int | None = None
    wrong: float = 0.0
    seed: int = 0
    knobs: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Number of validation items, and of the items of the test part that a user would have."""
        return max(LEAST_HELD, round(HELD_OUT * self.items))

    @property
    def epochs(self) -> float:
        """Length of the longest cycle for which a search has time, about: what longer ones are compared with."""
        return self.top_steps / max(1, self.items // self.batch_size)

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass: the faster one, as a search would have measured."""
        return "bf16" if self.model == SMALL_NET else "fp32"


def _images(data: str, items: int, top_steps: int, **others: Any) -> Task:
    return Task(data, items, top_steps, SMALL_NET, **{"augment": ("flip", "shift"), **others})


def _numbered(tasks: list[Task]) -> dict[str, Task]:
    """By a name that says the data set and the place in the list."""
    return {f"{task.data}-{place:02d}": replace(task, seed=place) for place, task in enumerate(tasks)}


# Interleaved, so that a record that was stopped has tasks of all kinds.
TASKS: Mapping[str, Task] = _numbered(
    [
        _images("photos10", 2000, 260),
        Task("phoneme", 2000, 1500),
        Task("diamonds", 4000, 1500),
        Task("mnist1d", 2000, 1400),
        _images("animals20", 2000, 260),
        Task("abalone", 1500, 800),
        Task("credit", 2000, 800),
        Task("gaussians", 2000, 1000),
        _images("fashion", 2000, 260),
        Task("jobs", 2000, 1500),
        Task("churn", 2000, 1000),
        Task("teacher", 2000, 1400),
        _images("photos10", 1000, 240, optimizer="adamw"),
        Task("loans", 4000, 1500),
        Task("cells", 800, 600, batch_size=32),
        Task("clusters", 2000, 1400),
        Task("digits", 600, 600, batch_size=32),
        Task("leaves", 800, 1000, batch_size=32),
        _images("animals20", 3000, 300, classes=10),
        Task("mnist1d", 4000, 1000, SIGNAL_NET),
        Task("diamonds", 8000, 2500, optimizer="adamw"),
        Task("phoneme", 1000, 1000, optimizer="adamw"),
        _images("photos10", 2000, 200, wrong=0.15),
        Task("jobs", 1000, 800, optimizer="adamw"),
        Task("abalone", 800, 500, optimizer="adamw"),
        _images("fashion", 1000, 200, augment=(), optimizer="adamw"),
        Task("gaussians", 4000, 1400, wrong=0.15),
        Task("credit", 1000, 500, optimizer="adamw"),
        _images("photos10", 1500, 300, classes=5),
        Task("teacher", 4000, 1400, knobs={"noise": 0.0}),
        Task("churn", 1000, 800, optimizer="adamw"),
        Task("loans", 2000, 800, optimizer="adamw"),
        _images("animals20", 1500, 300, optimizer="adamw"),
        Task("clusters", 4000, 1400, knobs={"separation": 1.5}),
        Task("leaves", 500, 600, batch_size=32, optimizer="adamw"),
        Task("cells", 500, 500, batch_size=32, optimizer="adamw"),
        _images("fashion", 4000, 300, wrong=0.15),
        Task("digits", 300, 500, batch_size=32, optimizer="adamw"),
        Task("mnist1d", 1000, 700, optimizer="adamw"),
        _images("photos10", 3000, 300, augment=()),
        Task("diamonds", 1000, 600),
        Task("phoneme", 3000, 2500),
        Task("fashion", 4000, 800),
        _images("animals20", 1000, 220, augment=()),
        Task("abalone", 2500, 1500),
        Task("jobs", 3000, 2500),
        Task("gaussians", 1000, 700, optimizer="adamw"),
        Task("teacher", 1000, 700, optimizer="adamw"),
        _images("photos10", 1200, 150, optimizer="adamw", classes=5),
        Task("credit", 3000, 1500),
        Task("churn", 3000, 2000),
        Task("loans", 6000, 2500),
        _images("animals20", 4000, 300),
        Task("mnist1d", 4000, 1400, wrong=0.15),
        Task("clusters", 1000, 700, optimizer="adamw", knobs={"wrong": 0.2}),
        Task("cells", 1200, 1000),
        _images("fashion", 2000, 200, classes=5),
        Task("leaves", 1200, 1500),
        Task("digits", 600, 400, {"name": "lenet5"}, batch_size=32),
        Task("fashion", 1000, 400, optimizer="adamw"),
        _images("photos10", 800, 200),
        Task("phoneme", 2000, 700, wrong=0.15),
        Task("diamonds", 2000, 1000, wrong=0.15),
        Task("jobs", 2000, 600, wrong=0.15),
    ]
)


def posed(task: Task, root: Path) -> tuple[Problem, Brief]:
    """The task as the program is given it, on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pool.npz"
        inputs, labels = examples(task, root)
        np.savez(file, x=inputs, y=labels)
        spec = _spec(task, file, len(labels))
        payload, _ = prepare(spec)
    brief = replace(brief_of(payload.spec), report_s=0.0)
    return realise(payload, torch.device("cpu")), brief


def examples(task: Task, root: Path) -> tuple[Array, Array]:
    """As many as the parts need, with the wrong labels among them."""
    inputs, labels = pool(task.data, root, task.seed, **task.knobs)
    if task.classes is not None:
        chosen = labels < task.classes
        inputs, labels = inputs[chosen], labels[chosen]
    count = min(len(labels), round((1.0 + MOST_FRESH) * task.items) + 2 * task.held)
    inputs, labels = inputs[:count], labels[:count]
    rng = np.random.default_rng([task.seed, 6])
    redrawn = rng.random(count) < task.wrong
    return inputs, np.where(redrawn, rng.integers(0, labels.max() + 1, count), labels)


def _spec(task: Task, file: Path, count: int) -> ExperimentSpec:
    """What a user would write, with a fixed batch size and no target; all that is fresh is the test part."""
    channels = "first" if task.data == SIGNALS else "auto"
    values = {
        "name": "longer",
        "data": {"format": "npz", "path": str(file), "args": {"channels": channels}, "augment": list(task.augment)},
        "model": dict(task.model),
        "optimizer": task.optimizer,
        "split": {
            "validation": task.held / count,
            "test": (count - task.items - task.held) / count,
            "seed": task.seed,
        },
        "space": {"batch_size": task.batch_size, "cycle_epochs": {"low": 0.5, "high": 3000.0, "log": True}},
        "baselines": "none",
        "seed": task.seed,
    }
    return ExperimentSpec.model_validate(values)
