"""Multi-layer perceptron."""

from __future__ import annotations

import math

from torch import nn

Shape = tuple[int, ...]


def mlp(
    input_shape: Shape,
    outputs: int,
    width: int = 256,
    *,
    depth: int = 2,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Module:
    """``depth`` hidden layers of ``width`` units with ReLU; any input shape, flattened.

    Args:
        input_shape: of one example.
        outputs: classes, or numbers to predict.
        width: units of each hidden layer.
        depth: hidden layers.
        batch_norm: normalise before every ReLU.
        dropout: share of hidden units that are dropped.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = math.prod(input_shape)
    for _ in range(depth):
        layers.append(nn.Linear(inputs, width, bias=not batch_norm))
        layers += [nn.BatchNorm1d(width)] * batch_norm
        layers.append(nn.ReLU(inplace=True))
        layers += [nn.Dropout(dropout)] * (dropout > 0.0)
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
