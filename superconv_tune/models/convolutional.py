"""Small convolutional networks: LeNet-5 for images, its like for signals, a ResNet with nine layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
Image = tuple[int, int, int]

LENET_KERNEL = 5


def lenet5(input_shape: Shape, outputs: int, width: int = 16, *, dropout: float = 0.0) -> nn.Module:
    """LeNet-5 (LeCun et al. 1998) as it is used today: ReLU, max pooling, padded convolutions; images from 4 x 4 up.

    ``width`` and ``2 * width`` channels, then one hidden layer of ``8 * width`` units.
    """
    channels, height, columns = image_shape(input_shape)
    if min(height, columns) < 4:
        raise ValueError(f"lenet5 pools twice by two and needs images from 4 x 4 up, but got {height} x {columns}.")
    return nn.Sequential(
        *_conv_pool(channels, width),
        *_conv_pool(width, 2 * width),
        nn.Flatten(),
        nn.Linear(2 * width * (height // 4) * (columns // 4), 8 * width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(8 * width, outputs),
    )


def _conv_pool(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, LENET_KERNEL, padding="same"), nn.ReLU(inplace=True), nn.MaxPool2d(2)]


def cnn1d(input_shape: Shape, outputs: int, width: int = 25) -> nn.Module:
    """Three strided convolutions over a signal [n] or [channels, n], as in the MNIST-1D paper (Greydanus 2020)."""
    channels, length = input_shape if len(input_shape) == 2 else (1, *input_shape)
    if len(input_shape) > 2 or length < 8:
        raise ValueError(
            f"cnn1d takes signals [n] or [channels, n] with n >= 8, but got the shape {list(input_shape)}."
        )
    left = math.ceil(length / 8)  # three strides of two, each rounded up
    return nn.Sequential(
        _AsSignal(),
        nn.Conv1d(channels, width, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv1d(width, width, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv1d(width, width, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(width * left, outputs),
    )


class _AsSignal(nn.Module):
    """[batch, n] to [batch, 1, n]; [batch, channels, n] stays."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.unsqueeze(1) if inputs.dim() == 2 else inputs


def resnet9(input_shape: Shape, outputs: int, width: int = 64, *, scale: float = 0.125) -> nn.Module:
    """Page's nine-layer residual network ("How to train your ResNet", 2018); ``width`` channels in the first layer.

    Images are pooled while they are larger than 4 x 4, up to three times, and by a global maximum at the end.
    """
    channels, height, columns = image_shape(input_shape)
    sizes = [min(height, columns) // 2**halvings for halvings in range(3)]
    pools = [nn.MaxPool2d(2) if size >= 4 else nn.Identity() for size in sizes]
    return nn.Sequential(
        _conv_bn(channels, width),
        _conv_bn(width, 2 * width),
        pools[0],
        _Residual(2 * width),
        _conv_bn(2 * width, 4 * width),
        pools[1],
        _conv_bn(4 * width, 8 * width),
        pools[2],
        _Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, outputs, bias=False),
        _Scale(scale),  # Page: with batch norm the logits grow; an eighth keeps the softmax soft at first
    )


def _conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv_bn(width, width), _conv_bn(width, width))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + torch.as_tensor(self.body(inputs))


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor


def image_shape(input_shape: Shape) -> Image:
    """Channels, height, width.

    Raises:
        ValueError: if the shape is no image's.
    """
    if len(input_shape) != 3:
        raise ValueError(f"this model takes images [channels, height, width], but got the shape {list(input_shape)}.")
    channels, height, width = input_shape
    return channels, height, width
