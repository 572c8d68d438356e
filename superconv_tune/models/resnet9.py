"""The nine-layer residual net of the fast CIFAR-10 recipes."""

from __future__ import annotations

from torch import Tensor, nn

from superconv_tune.models.layers import Shape, image_shape, initialise, scaled

LOGIT_SCALE = 0.125  # Page's; keeps the softmax soft while the norms still make large features


def resnet9(input_shape: Shape, outputs: int, width: float) -> nn.Module:
    """Four convolution stages of 64, 128, 256 and 512 channels; the second and the last have a residual branch.

    D. Page, How to Train Your ResNet (2018), part 4, with a global maximum instead of its 4x4 pooling, so that images
    of any size from 8 x 8 fit. The norms of a branch start with a scale of one: its ReLU comes before the sum, and
    after a scale of zero it would never let a gradient through.

    Raises:
        UserError: if the inputs are not images, or are smaller than 8 x 8.
    """
    channels, _, _ = image_shape("resnet9", input_shape, smallest=8)
    stem, low, middle, high = (scaled(units, width) for units in (64, 128, 256, 512))
    head = nn.Linear(high, outputs, bias=False)
    model = nn.Sequential(
        *_convolution(channels, stem),
        *_convolution(stem, low),
        nn.MaxPool2d(2),
        _Residual(low),
        *_convolution(low, middle),
        nn.MaxPool2d(2),
        *_convolution(middle, high),
        nn.MaxPool2d(2),
        _Residual(high),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        head,
        _Scale(),
    )
    return initialise(model, head)


def _convolution(channels: int, units: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, units, 3, padding=1, bias=False), nn.BatchNorm2d(units), nn.ReLU()]


class _Residual(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*_convolution(units, units), *_convolution(units, units))

    def forward(self, inputs: Tensor) -> Tensor:
        branch: Tensor = self.branch(inputs)
        return inputs + branch


class _Scale(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return LOGIT_SCALE * inputs
