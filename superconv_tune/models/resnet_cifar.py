"""The residual network for small images that Smith trained in his super-convergence papers."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from superconv_tune.models.convolutional import Shape, image_shape

BLOCKS_OF = {20: 3, 56: 9, 110: 18}  # depth = 6 n + 2


def resnet_cifar(input_shape: Shape, outputs: int, width: int = 16, *, depth: int = 20) -> nn.Module:
    """ResNet-20, -56 or -110 (He et al. 2016, arXiv:1512.03385, section 4.2), shortcuts without parameters (option A).

    Three stages of ``width``, ``2 * width`` and ``4 * width`` channels; convolutions drawn after He et al. 2015.
    """
    channels, _, _ = image_shape(input_shape)
    if depth not in BLOCKS_OF:
        raise ValueError(f"resnet_cifar has depth {', '.join(map(str, BLOCKS_OF))}, but got {depth}.")
    stages = [width, 2 * width, 4 * width]
    blocks: list[nn.Module] = []
    inputs = width
    for stage, outs in enumerate(stages):
        for block in range(BLOCKS_OF[depth]):
            blocks.append(_Block(inputs, outs, stride=2 if stage > 0 and block == 0 else 1))
            inputs = outs
    model = nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, outputs),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut that drops every other pixel and pads channels with zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        shortcut = inputs[:, :, :: self.stride, :: self.stride]
        if self.padding:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, self.padding // 2, self.padding - self.padding // 2))
        hidden = torch.relu(self.norm1(self.conv1(inputs)))
        return torch.relu(self.norm2(self.conv2(hidden)) + shortcut)
