"""The model for a spec that names none."""

from __future__ import annotations

from typing import Literal

from superconv_tune.models.layers import Shape

SMALL = 32  # pixels a side
LEAST = 8  # pixels a side for resnet9, which halves them three times; lenet5 and cnn1d have their own limits
QUICK_WIDTH = 0.25  # of resnet9: 0.4 million weights, and half the time of a ResNet-20 a step on a CPU core

Kind = Literal["classification", "regression", "structured", "text"]


def default_model(input_shape: Shape, kind: Kind) -> tuple[str, float | None]:
    """Name and width of a small model that suits inputs of this shape; a starting point, seldom the best one.

    Args:
        input_shape: shape of one input: (features,), (channels, length), (channels, height, width).
        kind: ``text`` for rows of bytes; the others make no difference.
    """
    if kind == "text":
        return "text_bytes", None
    if len(input_shape) == 2 and input_shape[1] >= 3:
        return "cnn1d", None
    if len(input_shape) != 3 or min(input_shape[1:]) < 4:
        return "mlp", None
    channels, *sides = input_shape
    if (channels == 1 and max(sides) <= SMALL) or min(sides) < LEAST:
        return "lenet5", None
    return "resnet9", QUICK_WIDTH if max(sides) <= SMALL else QUICK_WIDTH / 2  # a quarter of the work per pixel
