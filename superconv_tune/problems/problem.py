"""What a trial trains: batches, model, optimizer, loss and metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.measures.metrics import Metric as Metric  # where a task of the user's imports it from
from superconv_tune.problems.handling import PLAIN, Handling
from superconv_tune.training.team import Team


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
    """The validation or test part, which is never trained on."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def batches(self) -> Iterable[Batch]:
        """All items once, in a fixed order, on the device."""
        ...


class Fitted(Protocol):
    """A model of a family that is fitted and not trained in cycles."""

    @property
    def is_whole(self) -> bool:
        """Whether time did not end the fit early."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size of the pickled model."""
        ...

    def outputs(self, part: str, device: torch.device) -> Tensor:
        """Outputs for the part called ``validation`` or ``test``, as the metric reads them."""
        ...


class Fitter(Protocol):
    """Fits a family that is not trained in cycles on the training part."""

    def fit(self, options: Mapping[str, object], seed: int, left_s: Callable[[], float]) -> Fitted:
        """A model; a fit that is not likely to end within the seconds left is ended early.

        Raises:
            TimeoutError: if there is no time for anything useful.
        """
        ...


@dataclass(frozen=True)
class Problem:
    """Data, model, loss and metric on one device.

    Attributes:
        device: the device of the batches and the model.
        make_model: a fresh model; its weights are drawn from torch's global generator.
        make_optimizer: takes model and hyperparameters, and returns an optimizer; each of its groups says under
            ``"decay"`` whether weight decay applies to it.
        loss: takes outputs, targets and label smoothing, and returns the mean loss of the batch, a scalar tensor.
        metric: what the search improves.
        train: batches of the training part.
        plain_train: the same without changed images, for trials without ``augment``; None if they are never changed.
        validation: the part that the search is judged by.
        test: the part that is read once per confirmed model.
        trivial_value: metric of the best constant guess, or of the untrained model where a constant guess has none, and
            the objective of a trial that learned nothing; NaN before a rehearsal found the latter.
        chance_loss: loss, on the validation part, of a model whose outputs are the same for every input; infinity if it
            is not known, as with the user's own loss.
        micro_batches: number of batches of ``train`` whose gradients are averaged for one optimizer step.
        handling: how the model is run.
        has_own_loss: whether the loss is the user's, so that nothing is known of the outputs.
        fitter: fits a family that is not trained in cycles, which has no ``make_model``; None for a network.
        validation_groups: number of the group of each validation item; None if every item stands for itself.
        test_groups: the same of the test items.
        team: the processes that train it together, each on its share of every batch; None for one alone.
    """

    device: torch.device
    make_model: Callable[[], nn.Module]
    make_optimizer: Callable[[nn.Module, Hyperparameters], torch.optim.Optimizer]
    loss: Callable[[Any, Any, float], Tensor]
    metric: Metric
    train: BatchSource
    validation: EvaluationSet
    test: EvaluationSet
    trivial_value: float
    chance_loss: float = math.inf
    plain_train: BatchSource | None = None
    micro_batches: int = 1
    handling: Handling = PLAIN
    has_own_loss: bool = False
    fitter: Fitter | None = None
    validation_groups: NDArray[np.int64] | None = None
    test_groups: NDArray[np.int64] | None = None
    team: Team | None = None
