"""Fully connected layers on the flattened input."""

from __future__ import annotations

import math

from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.layers import Shape, initialise, scaled


def mlp(input_shape: Shape, outputs: int, width: float, depth: int = 2) -> nn.Module:
    """``depth`` hidden layers of 256 ReLU units each, for inputs of any shape.

    Raises:
        UserError: if ``depth`` is not a whole number of 0 or more.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
        raise UserError(f"option depth of model mlp counts its hidden layers and is 0 or more, but got {depth!r}.")
    layers: list[nn.Module] = [nn.Flatten()]
    units = math.prod(input_shape)
    for _ in range(depth):
        layers += [nn.Linear(units, scaled(256, width)), nn.ReLU()]
        units = scaled(256, width)
    head = nn.Linear(units, outputs)
    return initialise(nn.Sequential(*layers, head), head)
