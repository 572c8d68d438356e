"""A small convolutional net for signals."""

from __future__ import annotations

from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.layers import Shape, initialise, scaled

SHORTEST = 3  # samples; the first kernel of five, padded by one on either side, has to fit
KERNELS = (5, 3, 3)


def cnn1d(input_shape: Shape, outputs: int, width: float) -> nn.Module:
    """Three convolutions of 25 channels with kernels 5, 3, 3 and stride 2, then one linear layer.

    The convolutional baseline of MNIST-1D's authors (Greydanus and Kobak 2020, arXiv 2011.14439).

    Raises:
        UserError: if the inputs are not signals of shape (channels, length), or are shorter than 3.
    """
    if len(input_shape) != 2 or input_shape[1] < SHORTEST:
        raise UserError(
            f"model cnn1d takes signals of shape (channels, length) and at least {SHORTEST} samples, but one input has "
            f"the shape {input_shape}. Take mlp for any shape, or lenet5 for images."
        )
    channels, length = input_shape
    layers: list[nn.Module] = []
    for kernel in KERNELS:
        layers += [nn.Conv1d(channels, scaled(25, width), kernel, stride=2, padding=1), nn.ReLU()]
        channels, length = scaled(25, width), (length + 2 - kernel) // 2 + 1
    head = nn.Linear(channels * length, outputs)
    return initialise(nn.Sequential(*layers, nn.Flatten(), head), head)
