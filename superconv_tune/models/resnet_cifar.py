"""The residual nets for CIFAR-10 that super-convergence was found on."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import pad, relu

from superconv_tune.core.errors import raise_any
from superconv_tune.models.layers import Shape, image_shape, initialise, scaled

DEPTHS = (20, 32, 44, 56, 110)
Shortcut = Literal["A", "B"]


def resnet_cifar(
    input_shape: Shape, outputs: int, width: float, depth: int = 20, shortcut: Shortcut = "A"
) -> nn.Module:
    """Three stages of 16, 32 and 64 channels with ``(depth - 2) / 6`` blocks of two 3x3 convolutions each.

    He et al. 2015, Deep Residual Learning, section 4.2; Smith's are 20, 56 and 110 deep (1708.07120). Where the shape
    changes, shortcut A subsamples and pads with zero channels, B is a 1x1 convolution. The last norm of each block
    starts at zero, so that it starts as the identity (Goyal et al. 2017, Accurate, Large Minibatch SGD, section 5.1).

    Raises:
        UserError: if the inputs are not images, are smaller than 4 x 4, or an option has an unknown value.
    """
    channels, _, _ = image_shape("resnet_cifar", input_shape, smallest=4)
    _check_options(depth, shortcut)
    stages = [scaled(units, width) for units in (16, 32, 64)]
    head = nn.Linear(stages[-1], outputs)
    layers: list[nn.Module] = [*_convolution(channels, stages[0], stride=1), nn.ReLU()]
    before = stages[0]
    for stage, units in enumerate(stages):
        for block in range((depth - 2) // 6):
            layers.append(_Block(before, units, 2 if stage > 0 and block == 0 else 1, shortcut))
            before = units
    model = initialise(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), head)
    for module in model.modules():
        if isinstance(module, _Block):
            nn.init.zeros_(module.last_norm.weight)
    return model


def _check_options(depth: int, shortcut: str) -> None:
    faults = []
    if depth not in DEPTHS:
        faults.append(f"option depth of model resnet_cifar is one of {', '.join(map(str, DEPTHS))}, but got {depth!r}.")
    if shortcut not in ("A", "B"):
        faults.append(f"option shortcut of model resnet_cifar is A (zero channels) or B (1x1), but got {shortcut!r}.")
    raise_any(faults)


def _convolution(channels: int, units: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(channels, units, 3, stride, padding=1, bias=False), nn.BatchNorm2d(units)


class _Block(nn.Module):
    """ReLU(shortcut(x) + norm(conv(ReLU(norm(conv(x)))))."""

    def __init__(self, channels: int, units: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        last, self.last_norm = _convolution(units, units, stride=1)
        self.branch = nn.Sequential(*_convolution(channels, units, stride), nn.ReLU(), last, self.last_norm)
        self.shortcut = _shortcut(channels, units, stride, shortcut)

    def forward(self, inputs: Tensor) -> Tensor:
        return relu(self.shortcut(inputs) + self.branch(inputs))


def _shortcut(channels: int, units: int, stride: int, kind: Shortcut) -> nn.Module:
    if stride == 1 and channels == units:
        return nn.Identity()
    if kind == "A":
        return _ZeroChannels(units - channels, stride)
    return nn.Sequential(nn.Conv2d(channels, units, 1, stride, bias=False), nn.BatchNorm2d(units))


class _ZeroChannels(nn.Module):
    """Every ``stride``-th pixel, with ``more`` channels of zeros: a shortcut without parameters."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more = more
        self.stride = stride

    def forward(self, inputs: Tensor) -> Tensor:
        return pad(inputs[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
