"""What a trial needs to know of a question: batches, model, optimizer, loss, metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.measures.metrics import Metric as Metric  # where a task of the user's imports it from


class BatchSource(Protocol):
    """Training batches, already on the device."""

    def steps_per_epoch(self, batch_size: int) -> int:
        """Optimizer steps in one pass over the training part, at least 1."""
        ...

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        """Endless batches; batch k is a function of (batch_size, seed, k), so that a run can continue at any step."""
        ...

    def part(self, share: float, seed: int) -> BatchSource:
        """A source of a random ``share`` of the training part, drawn by ``seed``; at least one example."""
        ...


class EvaluationSet(Protocol):
    """A part that is only read: validation or test."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def batches(self) -> Iterable[Batch]:
        """All items once, in a fixed order, on the device."""
        ...


@dataclass(frozen=True)
class Problem:
    """One question on one device.

    Attributes:
        name: for the report.
        device: where batches come and the model goes.
        make_model: a fresh model; its weights are drawn from torch's global generator.
        make_optimizer: model and hyperparameters to an optimizer; every group it makes says under ``"decay"`` whether
            weight decay applies to it.
        loss: outputs, targets and label smoothing to the mean loss of the batch, a scalar tensor.
        metric: what the target is about.
        train: batches of the training part.
        validation: what the search looks at.
        test: read once per confirmed model.
        trivial_value: metric of the best constant guess; what a trial that learned nothing is worth.
        chance_loss: of a model that says the same of everything, on the validation part; infinity where a loss of the
            user's own does not tell.
        micro_batches: batches of ``train`` whose gradients are averaged for one optimizer step.
    """

    name: str
    device: torch.device
    make_model: Callable[[], nn.Module]
    make_optimizer: Callable[[nn.Module, Hyperparameters], torch.optim.Optimizer]
    loss: Callable[[Tensor, Tensor, float], Tensor]
    metric: Metric
    train: BatchSource
    validation: EvaluationSet
    test: EvaluationSet
    trivial_value: float
    chance_loss: float = math.inf
    micro_batches: int = 1
