"""Accuracy and losses in plain torch, so that a trial needs nothing else."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from superconv_tune.problems.problem import Metric


def correct_items(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the highest of the outputs [n, classes] is the target [n]; boolean [n]."""
    return outputs.argmax(dim=-1) == targets


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float(correct_items(outputs, targets).double().mean())


ACCURACY = Metric("accuracy", "max", 0.0, 1.0, _accuracy, correct_items)


def cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Softmax cross-entropy; ``label_smoothing`` of the target is spread over all classes."""
    return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def bce(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Logistic loss of one output per label; classes become one label each."""
    wanted = F.one_hot(targets, outputs.shape[-1]) if targets.dim() < outputs.dim() else targets
    smoothed = wanted.float() * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return F.binary_cross_entropy_with_logits(outputs, smoothed)


def mse(outputs: Tensor, targets: Tensor, _label_smoothing: float) -> Tensor:
    """Mean squared error; numbers have no labels to smooth."""
    return F.mse_loss(outputs.reshape(targets.shape), targets)
