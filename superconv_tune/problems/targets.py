"""The form of targets: what a user's own code gets is what the user gave, and what trains well stays inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.measures.loss_functions import LossFunction
from superconv_tune.problems.problem import Metric

Array = NDArray[Any]

OFF_CENTRE = 10.0  # standard deviations: numbers further from 0 are moved there; nearer ones are only divided
ORDINARY = (1e-2, 1e2)  # standard deviations that networks reach from their usual initial weights
NEAR = 10.0  # outputs of an untrained network that knows nothing of the units


class Form(Protocol):
    """How batches hold the targets of a part, and how the built-in losses and metrics read them."""

    def batched(self, targets: Tensor) -> Tensor:
        """Targets of the parts as batches hold them."""
        ...

    def read(self, targets: Tensor) -> Tensor:
        """Targets as the user's Dataset gave them, as batches hold them."""
        ...

    def loss(self, loss: LossFunction, device: torch.device) -> LossFunction:
        """A built-in loss that reads such targets."""
        ...

    def metric(self, metric: Metric, *, is_own: bool) -> Metric:
        """A metric that reads such targets; a user's own gets what the user gave."""
        ...


@dataclass(frozen=True)
class AsGiven:
    """Targets stay as they are, except that numbers are float32.

    Attributes:
        may_be_columns: whether classes may be [n, 1], which the built-in losses and metrics do not read.
    """

    may_be_columns: bool = False

    def batched(self, targets: Tensor) -> Tensor:
        """The targets, numbers as float32."""
        return targets.float() if targets.dtype == torch.float64 else targets

    def read(self, targets: Tensor) -> Tensor:
        """The same."""
        return self.batched(targets)

    def loss(self, loss: LossFunction, device: torch.device) -> LossFunction:  # noqa: ARG002 - of the protocol
        """The loss, which gets a column of classes as a row."""
        return (lambda outputs, targets, share: loss(outputs, flat(targets), share)) if self.may_be_columns else loss

    def metric(self, metric: Metric, *, is_own: bool) -> Metric:
        """The metric; a built-in one gets a column of classes as a row."""
        return _reading(metric, flat) if self.may_be_columns and not is_own else metric


AS_GIVEN = AsGiven()


@dataclass(frozen=True)
class Labelled:
    """Classes under the labels that the user gave them, such as -1 and 1, or True and False.

    Attributes:
        values: the label of every class, sorted, in the number format that the user gave.
        shape: of one target: () or (1,).
    """

    values: Array
    shape: tuple[int, ...] = ()

    @staticmethod
    def of(labels: Array) -> Labelled:
        """The form of the labels of a training part, [n] or [n, 1]."""
        return Labelled(np.unique(labels), labels.shape[1:])

    def batched(self, targets: Tensor) -> Tensor:
        """Labels of class numbers [n]."""
        labels = targets if self._are_numbers else torch.tensor(self.values, device=targets.device)[targets]
        return labels.reshape(len(targets), *self.shape)

    def read(self, targets: Tensor) -> Tensor:
        """Labels as they are."""
        return targets

    def loss(self, loss: LossFunction, device: torch.device) -> LossFunction:
        """The loss, which gets class numbers."""
        if self._are_numbers and not self.shape:
            return loss
        numbers = self._numbers(device)
        return lambda outputs, labels, smoothing: loss(outputs, numbers(labels), smoothing)

    def metric(self, metric: Metric, *, is_own: bool) -> Metric:
        """The metric; a built-in one gets class numbers."""
        if is_own or (self._are_numbers and not self.shape):
            return metric
        return _reading(metric, lambda labels: self._numbers(labels.device)(labels))

    def _numbers(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """A function from labels to class numbers [n]; what it needs lies on the device, so that no step waits."""
        values = torch.tensor(self.values.astype(np.int64), device=device)
        return lambda labels: torch.searchsorted(values, labels.reshape(len(labels)).long())

    @property
    def _are_numbers(self) -> bool:
        return self.values.dtype == np.int64 and np.array_equal(self.values, np.arange(len(self.values)))


@dataclass(frozen=True)
class Scaled:
    """Numbers of any scale, which batches hold near 0 and of spread 1; metrics get them, and outputs, in their units.

    Attributes:
        offset: what 0 stands for, for every number of an item, or one for all.
        scale: what 1 stands for beyond it.
        as_float64: whether float32 would blur the numbers, so that metrics get float64.
    """

    offset: Array
    scale: Array
    as_float64: bool

    @staticmethod
    def of(targets: Array, *, keeps_sign: bool = False) -> Scaled:
        """The form of the targets of a training part.

        Args:
            targets: [n], [n, k] with a scale for each of k, or [n, ...] with one for all.
            keeps_sign: whether 0 stays 0 unless the targets are far from it: a network may be unable to go below.
        """
        axis = 0 if targets.ndim <= 2 else None
        values = targets.astype(np.float64)
        offset, scale = np.asarray(values.mean(axis=axis)), np.asarray(values.std(axis=axis))
        scale = np.where(scale > 0.0, scale, 1.0)
        if keeps_sign:
            offset = np.where(np.abs(offset) > OFF_CENTRE * scale, offset, 0.0)
        return Scaled(offset, scale, as_float64=targets.dtype == np.float64)

    @property
    def listed(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scale and offset as plain numbers."""
        scale, offset = (tuple(np.atleast_1d(each).tolist()) for each in (self.scale, self.offset))
        return scale, offset

    def batched(self, targets: Tensor) -> Tensor:
        """The targets near 0, as float32."""
        offset, scale = self._on(targets.device)
        return ((targets.double() - offset) / scale).float()

    def read(self, targets: Tensor) -> Tensor:
        """The same."""
        return self.batched(targets)

    def loss(self, loss: LossFunction, device: torch.device) -> LossFunction:  # noqa: ARG002 - of the protocol
        """The loss, in standard deviations."""
        return loss

    def metric(self, metric: Metric, *, is_own: bool) -> Metric:
        """The metric, in the units of the user."""
        wide = self.as_float64 or not is_own

        def units(values: Tensor) -> Tensor:
            offset, scale = self._on(values.device)
            found = values.double() * scale + offset
            return found if wide else found.float()

        return _reading(metric, units, units)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.offset, device=device), torch.tensor(self.scale, device=device)


def flat(targets: Any) -> Any:
    """Classes [n] of a column [n, 1]; all else as it is."""
    is_column = isinstance(targets, Tensor) and targets.dim() == 2 and targets.shape[1] == 1
    return targets.reshape(len(targets)) if is_column and not targets.is_floating_point() else targets


def are_ordinary(targets: Array) -> bool:
    """Whether a network with the usual initial weights reaches these numbers within a usual training."""
    values = targets.reshape(len(targets), -1).astype(np.float64)
    spread = values.std(axis=0)
    spread = spread[spread > 0.0]
    low, high = ORDINARY
    return bool((spread >= low).all() and (spread <= high).all() and (np.abs(values.mean(axis=0)) <= high).all())


def knows_no_units(outputs: Any) -> bool:
    """Whether the outputs of an untrained model are those of any network, whatever the units of its targets."""
    return isinstance(outputs, Tensor) and bool(outputs.detach().abs().max() <= NEAR)


def _reading(
    metric: Metric, targets: Callable[[Any], Any], outputs: Callable[[Any], Any] = lambda given: given
) -> Metric:
    """The metric of targets, and of outputs, that are changed first."""

    def after(score: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda given, wanted: score(outputs(given), targets(wanted))

    return replace(metric, compute=after(metric.compute), correct=metric.correct and after(metric.correct))
