"""The functions behind the table of losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.measures.losses import BALANCED, LOSSES

LossFunction = Callable[[Tensor, Tensor, float], Tensor]  # outputs, targets, label smoothing to the mean loss


def cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float, weights: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy; a share ``label_smoothing`` of the target is spread over all classes.

    Raises:
        ValueError: for one output per item, whose softmax is always 1.
    """
    if outputs.dim() == 1 or outputs.shape[-1] == 1:
        raise ValueError(f"cross_entropy needs an output per class, but got {list(outputs.shape)}; one logit needs bce")
    return F.cross_entropy(outputs, targets, weight=weights, label_smoothing=label_smoothing)


def bce(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Logistic loss with one output per class, or a single output for two classes."""
    has_class_each = outputs.dim() > 1 and outputs.shape[-1] > 1 and targets.dim() < outputs.dim()
    wanted = F.one_hot(targets, outputs.shape[-1]) if has_class_each else targets.reshape(outputs.shape)
    smoothed = wanted.float() * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return F.binary_cross_entropy_with_logits(outputs, smoothed)


def mse(outputs: Tensor, targets: Tensor, _label_smoothing: float) -> Tensor:
    """Mean squared error; numbers have no labels to smooth."""
    return F.mse_loss(outputs.reshape(targets.shape), targets)


def l1(outputs: Tensor, targets: Tensor, _label_smoothing: float) -> Tensor:
    """Mean absolute error, which outliers affect less."""
    return F.l1_loss(outputs.reshape(targets.shape), targets)


def huber(outputs: Tensor, targets: Tensor, _label_smoothing: float) -> Tensor:
    """Squared error up to 1 and absolute beyond it, in the units of the targets."""
    return F.huber_loss(outputs.reshape(targets.shape), targets)


def loss_of(name: str, classes: int | None, targets: NDArray[Any] | None, device: torch.device) -> LossFunction:
    """The loss of that name; a balanced one weights classes as if all were equally frequent.

    Args:
        name: one of `LOSSES`.
        classes: number of classes; None if it is not known.
        targets: of the training part; None if they are not known.
        device: of the outputs; the weights lie there from the start, since a copy would make every step wait.
    """
    if name != BALANCED:
        return LOSSES[name].compute
    assert classes is not None
    assert targets is not None
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    weights = torch.tensor(len(targets) / (classes * counts), dtype=torch.float32, device=device)
    return partial(cross_entropy, weights=weights)
