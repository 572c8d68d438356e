"""The known losses. A new one is a function in `superconv_tune.measures.loss_functions` and a line in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from superconv_tune.core.lazy import LazyFunction


@dataclass(frozen=True)
class Loss:
    """A loss by name.

    Attributes:
        compute: outputs, targets (tensors) and label smoothing to the mean loss.
        regression: whether targets are numbers instead of classes.
    """

    compute: Callable[[Any, Any, float], Any]
    regression: bool = False


FUNCTIONS = "superconv_tune.measures.loss_functions"
BALANCED = "balanced_cross_entropy"

LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(LazyFunction(f"{FUNCTIONS}:cross_entropy")),
    BALANCED: Loss(LazyFunction(f"{FUNCTIONS}:cross_entropy")),  # with the weights of `loss_of`
    "bce": Loss(LazyFunction(f"{FUNCTIONS}:bce")),
    "mse": Loss(LazyFunction(f"{FUNCTIONS}:mse"), regression=True),
    "l1": Loss(LazyFunction(f"{FUNCTIONS}:l1"), regression=True),
    "huber": Loss(LazyFunction(f"{FUNCTIONS}:huber"), regression=True),
}
