"""Made-up images that can be learned, and the problems that workers make of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.gpu.setting import Setting
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Part
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import Arrays, Payload, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Smoke
from superconv_tune.record.trial import Cycle, Precision, TrialRequest
from superconv_tune.spec.spec import ExperimentSpec

CLASSES = 10
ITEMS = 50_000
HELD_OUT = 1024  # validation items: one batch of an evaluation
WRONG = 0.05  # of the labels of the stand-in
MAX_LR = 0.02  # learns, and does not diverge
PATIENCE_S = 3600.0
FASHION = {"train": 60_000, "t10k": 10_000}


@cache
def images(count: int, shape: tuple[int, ...], seed: int = 0) -> Part:
    """Ten pictures under noise of the same strength, as uint8."""
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(1).integers(256, size=(CLASSES, *shape), dtype=np.uint8)
    labels = random.integers(CLASSES, size=count)
    noise = random.integers(256, size=(count, *shape), dtype=np.uint8)
    return Part((patterns[labels] >> 1) + (noise >> 1), labels)


def problem(setting: Setting, model: str, augment: Sequence[str] = ()) -> Problem:
    """The problem of `payload` on the device, as a worker makes it."""
    return realise(payload(setting, model, augment), setting.device)


def payload(setting: Setting, model: str, augment: Sequence[str] = ()) -> Payload:
    """Coloured images of CIFAR's shape, as a worker is sent them; few and small if tiny."""
    items, side = setting.size(ITEMS, 64), setting.size(32, 8)
    shape, width = (3, side, side), 0.05 if setting.is_tiny else 1.0
    train, held = images(items, shape), images(min(items, HELD_OUT), shape, seed=2)
    content = {
        "name": model,
        "data": {"format": "npz", "path": "made-up", "augment": list(augment)},
        "model": {"name": model, "width": width},
    }
    normaliser = Normaliser.of(train.inputs, np.arange(min(items, 4096)))
    return Payload(
        spec=ExperimentSpec.model_validate(content),
        arrays=Arrays(train, held, held, normaliser),
        kind="classification",
        classes=CLASSES,
        task=None,
        model=None,
        optimizer=None,
    )


def compiled(question: Problem, backend: str) -> Problem:
    """The same with a compiled model: compiled once, and given its first weights again for every trial."""
    torch.compiler.reset()  # or so many graphs for one line of code would make it give up
    model = question.make_model()
    first = {name: values.clone() for name, values in model.state_dict().items()}
    quick: nn.Module = torch.compile(model, dynamic=False, backend=backend)  # type: ignore[assignment]

    def again() -> nn.Module:
        model.load_state_dict(first)
        return quick

    return replace(question, make_model=again)


def request(question: Problem, batch_size: int, steps: int, precision: Precision, deadline: float) -> TrialRequest:
    """A request for a one-cycle of the given number of steps."""
    params = Hyperparameters(batch_size=batch_size, cycle_epochs=steps / question.train.steps_per_epoch(batch_size))
    return TrialRequest(
        "trial",
        1,
        Smoke(),
        Cycle(MAX_LR),
        params=params,
        schedule=Schedule(),
        seed=0,
        deadline=deadline,
        precision=precision,
    )


def write_stand_in(folder: Path, share: float = 1.0, side: int = 28) -> None:
    """As many files, images and pixels as Fashion-MNIST has, or fewer; one label in twenty is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (prefix, count) in enumerate(FASHION.items()):
        part = images(round(share * count), (side, side), seed)
        random = np.random.default_rng(seed)
        labels = np.where(random.random(len(part)) < WRONG, random.integers(CLASSES, size=len(part)), part.targets)
        _write(folder / f"{prefix}-images-idx3-ubyte", np.asarray(part.inputs))
        _write(folder / f"{prefix}-labels-idx1-ubyte", labels.astype(np.uint8))


def _write(file: Path, values: NDArray[Any]) -> None:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    file.write_bytes(header + values.tobytes())
