"""What the models share: widths, checks of shapes, initial weights."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from superconv_tune.core.errors import UserError

Shape = tuple[int, ...]
Module = TypeVar("Module", bound=nn.Module)


def scaled(units: int, width: float) -> int:
    """``units`` channels or neurons times ``width``, at least one."""
    return max(1, round(units * width))


def image_shape(model: str, input_shape: Shape, smallest: int) -> tuple[int, int, int]:
    """The shape as (channels, height, width).

    Raises:
        UserError: if the inputs are not images, or have a side below ``smallest`` pixels.
    """
    if len(input_shape) != 3:
        raise UserError(
            f"model {model} takes images of shape (channels, height, width), but one input has the shape "
            f"{input_shape}. Take mlp for any shape, or cnn1d for signals (channels, length)."
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise UserError(
            f"model {model} needs images of at least {smallest} x {smallest} pixels, but these have "
            f"{height} x {width}. Take mlp."
        )
    return channels, height, width


def initialise(model: Module, head: nn.Linear) -> Module:
    """Draw the weights: Gaussian of variance 2/fan_in before a ReLU, 1/fan_in in the head; biases zero.

    He et al. 2015, Delving Deep into Rectifiers, eq. 10. Norms keep torch's scale of one and shift of zero.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear" if module is head else "relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
