"""Accuracy and losses in plain torch, so that a trial needs nothing else."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from superconv_tune.problems.problem import Metric


def predicted(outputs: Tensor) -> Tensor:
    """Class of every item [n]: the highest of [n, classes]; for one logit, [n] or [n, 1], whether it is above 0."""
    if outputs.dim() == 1 or outputs.shape[-1] == 1:
        return (outputs.reshape(len(outputs)) > 0).long()
    return outputs.argmax(dim=-1)


def correct_items(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the class that the outputs say is the target [n]; boolean [n]."""
    return predicted(outputs) == targets


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float(correct_items(outputs, targets).double().mean())


ACCURACY = Metric("accuracy", "max", 0.0, 1.0, _accuracy, correct_items)


def cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Softmax cross-entropy; ``label_smoothing`` of the target is spread over all classes.

    Raises:
        ValueError: for one output per item, whose softmax is 1 whatever the model says.
    """
    if outputs.dim() == 1 or outputs.shape[-1] == 1:
        raise ValueError(f"cross_entropy needs an output per class, but got {list(outputs.shape)}; one logit needs bce")
    return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def bce(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Logistic loss of one output per label; several classes become one label each, two may share one output."""
    has_class_each = outputs.dim() > 1 and outputs.shape[-1] > 1 and targets.dim() < outputs.dim()
    wanted = F.one_hot(targets, outputs.shape[-1]) if has_class_each else targets.reshape(outputs.shape)
    smoothed = wanted.float() * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return F.binary_cross_entropy_with_logits(outputs, smoothed)


def mse(outputs: Tensor, targets: Tensor, _label_smoothing: float) -> Tensor:
    """Mean squared error; numbers have no labels to smooth."""
    return F.mse_loss(outputs.reshape(targets.shape), targets)
