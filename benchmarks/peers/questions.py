"""The questions given to all competitors, with the tensors and models that all of them train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from superconv_tune.data.batches import ResidentSet, as_tensor
from superconv_tune.data.parts import Part
from superconv_tune.problems.payload import Arrays, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.spec import ExperimentSpec

FASHION = "/usr/share/datasets/fashion-mnist"

# As in search_spaces/, but for the size of the data. With no target a search ends with the best that it can reach.
SPECS: Mapping[str, Mapping[str, Any]] = {
    "fashion": {
        "name": "fashion",
        "data": {"format": "idx", "path": FASHION, "args": {"limit": 10_000}},
        "model": "lenet5",
        "split": {"validation": 0.1},
        "space": {"cycle_epochs": {"low": 1, "high": 30, "log": True}, "batch_size": [128, 256]},
    },
    "mnist1d": {
        "name": "mnist1d",
        "data": {"format": "mnist1d", "args": {"samples": 8000}},
        "model": "cnn1d",
        "split": {"validation": 0.15, "test": 0.25},
        "space": {"cycle_epochs": {"low": 3, "high": 60, "log": True}, "batch_size": [64, 128]},
    },
}


@dataclass(frozen=True)
class Question:
    """One question in memory.

    Attributes:
        train: normalised inputs and targets, like the next two.
        validation: the part by which competitors choose.
        test: the part that no competitor sees before the end.
        make_model: makes a fresh model.
        batch_sizes: batch sizes to choose from.
        most_epochs: longest training that our own search may try.
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    make_model: Callable[[], nn.Module]
    batch_sizes: tuple[int, ...]
    most_epochs: int


def question(name: str) -> Question:
    """The parts exactly as our own search splits and scales them."""
    spec = ExperimentSpec.model_validate(SPECS[name])
    payload, _ = prepare(spec)
    arrays = payload.arrays
    assert arrays is not None
    space = SPECS[name]["space"]
    return Question(
        train=_tensors(arrays, arrays.train),
        validation=_tensors(arrays, arrays.validation),
        test=_tensors(arrays, arrays.test),
        make_model=realise(payload, torch.device("cpu")).make_model,
        batch_sizes=tuple(space["batch_size"]),
        most_epochs=int(space["cycle_epochs"]["high"]),
    )


def _tensors(arrays: Arrays, part: Part) -> tuple[Tensor, Tensor]:
    device = torch.device("cpu")
    whole = ResidentSet(as_tensor(part.inputs[:], device), as_tensor(part.targets, device), arrays.normaliser)
    inputs, targets = zip(*whole.batches(), strict=True)
    return torch.cat(inputs), torch.cat(targets)
