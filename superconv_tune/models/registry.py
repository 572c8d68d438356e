"""Built-in models by name. A new one is a function and a line in `MODELS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.convolutional import cnn1d, lenet5, resnet9
from superconv_tune.models.mlp import mlp
from superconv_tune.models.resnet_cifar import resnet_cifar

MODELS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "lenet5": lenet5,
    "cnn1d": cnn1d,
    "resnet9": resnet9,
    "resnet_cifar": resnet_cifar,
}


def make(
    name: str,
    input_shape: tuple[int, ...],
    outputs: int,
    width: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A fresh model; its weights are drawn from torch's global generator.

    Args:
        name: a key of `MODELS`.
        input_shape: of one example, without the batch.
        outputs: classes, or numbers to predict.
        width: size of the model; None for the one that the model has by itself.
        options: further keywords of the model's function.

    Raises:
        UserError: if the model is unknown, does not take the option, or not this shape.
    """
    if name not in MODELS:
        raise UserError(f"model: {name!r} is unknown. Known: {', '.join(MODELS)}.")
    sized = {} if width is None else {"width": width}
    try:
        return MODELS[name](input_shape, outputs, **sized, **(options or {}))
    except (TypeError, ValueError) as error:
        raise UserError(f"model {name}: {error}") from error
