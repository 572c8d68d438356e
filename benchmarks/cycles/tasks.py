"""The tasks: photographs, Fashion-MNIST and tables, and what of them is used."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split

from superconv_tune.data.batches import ResidentSource
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Part
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import Precision
from superconv_tune.spec.spec import ExperimentSpec, OptimizerSpec

FASHION = "/usr/share/datasets/fashion-mnist"
FASHION_READ = 10_000  # of its training images
AUGMENTED = ("flip", "shift")
MOST_ITEMS = 4000  # to train on, so that a cycle is cheap
MOST_TEST = 1500
VALIDATION_SHARE = 9  # items to train on for one of the validation part, as if a tenth had been held out
PRECISION: Precision = "bf16"  # of all tasks: the faster one where they were recorded, as a search would have measured
TABLE_TEST = 0.3  # of a table; the other data come with a test part
WRONG = 0.2  # of the labels of the noisy task


@dataclass(frozen=True)
class CycleTask:
    """One task.

    Attributes:
        data: the data set that it is a part of.
        optimizer: name in the spec.
        augment: augmentations of training images.
        model: name and width in the spec.
        items: number of examples to train on, at most.
        classes: the first so many classes only; None for all.
        wrong: share of the training labels that are permuted.
    """

    data: str
    optimizer: str = "sgd"
    augment: tuple[str, ...] = ()
    model: tuple[str, float] = ("mlp", 1.0)
    items: int = MOST_ITEMS
    classes: int | None = None
    wrong: float = 0.0


def _images(data: str, optimizer: str = "sgd", width: float = 0.125, augment: tuple[str, ...] = AUGMENTED) -> CycleTask:
    return CycleTask(data, optimizer, augment, ("resnet9", width))


# The most important first.
TASKS: Mapping[str, CycleTask] = {
    "photos10-sgd": _images("photos10", width=0.25),
    "animals20-sgd": _images("animals20"),
    "fashion-sgd": _images("fashion"),
    "phoneme-sgd": CycleTask("phoneme"),
    "photos10-adamw": _images("photos10", "adamw"),
    "photos10-plain-sgd": _images("photos10", augment=()),
    "animals20-adamw": _images("animals20", "adamw"),
    "photos1000-sgd": replace(_images("photos10"), items=1000),
    "photos10-noisy-sgd": replace(_images("photos10"), wrong=WRONG),
    "fashion-adamw": _images("fashion", "adamw"),
    "photos5-sgd": replace(_images("photos10"), classes=5),
    "phoneme-adamw": CycleTask("phoneme", "adamw"),
    "german-sgd": CycleTask("german"),
    "digits-sgd": CycleTask("digits"),
}


@cache
def problem_of(name: str, root: Path) -> Problem:
    """The task on the CPU; a process reads each data set once."""
    task = TASKS[name]
    read = _read(task.data, root)
    assert read.arrays is not None
    arrays = read.arrays
    train = _some(_of_classes(arrays.train, task.classes), task.items)
    validation = _some(_of_classes(arrays.validation, task.classes), len(train) // VALIDATION_SHARE)
    test = _some(_of_classes(arrays.test, task.classes), MOST_TEST)
    normaliser = Normaliser.of(train.inputs, np.arange(len(train)))
    data = read.spec.data
    assert data is not None
    changes = {
        "optimizer": OptimizerSpec.model_validate(task.optimizer),
        "data": data.model_copy(update={"augment": task.augment}),
        "model": {"name": task.model[0], "width": task.model[1]},
    }
    spec = ExperimentSpec.model_validate({**read.spec.model_dump(), **changes})
    parts = replace(arrays, train=train, validation=validation, test=test, normaliser=normaliser)
    payload = replace(read, spec=spec, arrays=parts, classes=task.classes or read.classes)
    return _mislabelled(realise(payload, torch.device("cpu")), task.wrong)


@cache
def _read(data: str, root: Path) -> Payload:
    """A whole data set, split as the program does."""
    torch.set_num_threads(1)
    match data:
        case "digits":
            return _prepared({"format": "digits"}, test=TABLE_TEST)
        case "fashion":
            return _prepared({"format": "idx", "path": FASHION, "args": {"limit": FASHION_READ}})
        case "photos10" | "animals20":
            return _prepared({"format": "image_folder", "path": str(root / data), "args": {"size": 32}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "named.csv"
        _name_columns(root / "tables" / f"{data}.csv", path)
        return _prepared({"format": "table", "path": str(path)}, test=TABLE_TEST)


def _prepared(data: Mapping[str, Any], test: float = 0.15) -> Payload:
    split = {"validation": 0.1, "test": test}
    payload, _ = prepare(ExperimentSpec.model_validate({"name": "bench", "data": data, "split": split}))
    return payload


def _name_columns(table: Path, named: Path) -> None:
    """A copy of a table without a header line, with one, whose last column is the label."""
    frame = pd.read_csv(table, header=None)
    *inputs, _ = frame.columns
    frame.columns = [*(f"input{number}" for number in inputs), "label"]
    frame.to_csv(named, index=False)


def _of_classes(part: Part, classes: int | None) -> Part:
    return part if classes is None else part.take(np.flatnonzero(part.targets < classes))


def _some(part: Part, items: int) -> Part:
    """So many examples at most, drawn by a fixed seed and stratified by class."""
    if len(part) <= items:
        return part
    kept, _ = train_test_split(np.arange(len(part)), train_size=items, random_state=0, stratify=part.targets)
    return part.take(np.sort(kept))


def _mislabelled(problem: Problem, share: float) -> Problem:
    """The problem with some of its training labels permuted; the other parts stay clean."""
    if not share:
        return problem
    train = problem.train
    assert isinstance(train, ResidentSource)
    generator, targets = np.random.default_rng(0), train.targets.clone()
    rows = generator.choice(len(targets), round(share * len(targets)), replace=False)
    targets[torch.from_numpy(rows)] = targets[torch.from_numpy(generator.permutation(rows))]
    return replace(problem, train=replace(train, targets=targets))
