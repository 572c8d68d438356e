"""What a model that learned nothing reaches: the metric of a constant guess, and its loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from superconv_tune.core.errors import UserError
from superconv_tune.measures.loss_functions import LossFunction
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.source import describe_error
from superconv_tune.problems.targets import flat


def constant_guess(targets: Any, classes: int | None) -> Tensor | None:
    """Outputs that are the same for every item: the frequencies of the classes, or the mean of the numbers.

    Args:
        targets: numbers [n, ...], or class numbers [n] or [n, 1].
        classes: number of classes; None if it is not known.

    Returns:
        The outputs; None if the targets are neither, such as a class per pixel.
    """
    if not isinstance(targets, Tensor):
        return None
    if targets.is_floating_point():
        return targets.mean(dim=0, keepdim=True).expand_as(targets).contiguous()
    labels = flat(targets)
    if labels.dim() != 1 or labels.dtype == torch.bool or int(labels.min()) < 0:
        return None
    return torch.bincount(labels, minlength=classes or 2).float().expand(len(labels), -1)


def value_of(metric: Metric, guess: Tensor, targets: Any) -> float:
    """The metric of a constant guess.

    Raises:
        UserError: if the metric has no value for it.
    """
    try:
        value = float(metric.compute(guess, targets))
    except Exception as error:
        raise UserError(f"metric {metric.name} of a constant guess failed: {describe_error(error)}.") from error
    return finite(metric, value, "for a constant guess")


def finite(metric: Metric, value: float, when: str) -> float:
    """The value of the metric.

    Raises:
        UserError: if it is not finite.
    """
    if not math.isfinite(value):
        raise UserError(
            f"metric: {metric.name} has no value on these validation data: {when} it is {value}. Are their targets all "
            f"the same? Give others, or choose another metric."
        )
    return value


def own_value_of(metric: Metric, guess: Tensor, targets: Any) -> float | None:
    """The same for a user's own metric; None if it takes other outputs."""
    try:
        value = float(metric.compute(guess, targets))
    except Exception:  # noqa: BLE001 - a user's own metric may need other outputs
        return None
    return value if math.isfinite(value) else None


def chance_loss(loss: LossFunction, targets: Any, outputs: int | None) -> float:
    """The loss of equal logits, or of a prediction of 0; infinity if the meaning of the outputs is not known."""
    if outputs is None:
        return math.inf
    return float(loss(torch.zeros(len(targets), outputs, device=targets.device), targets, 0.0))
