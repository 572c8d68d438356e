"""The built-in models by name; a new one is a function in a file of its own and a line here."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

from torch import nn

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.models.cnn1d import cnn1d
from superconv_tune.models.layers import Shape
from superconv_tune.models.lenet5 import lenet5
from superconv_tune.models.mlp import mlp
from superconv_tune.models.resnet9 import resnet9
from superconv_tune.models.resnet_cifar import resnet_cifar
from superconv_tune.models.text_bytes import text_bytes

# Shape of one input, number of outputs, width, options by name.
MODELS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "lenet5": lenet5,
    "cnn1d": cnn1d,
    "resnet9": resnet9,
    "resnet_cifar": resnet_cifar,
    "text_bytes": text_bytes,
}
COMMON_PARAMETERS = 3  # input_shape, outputs and width, which every model has; the others are its options


def make(name: str, input_shape: Shape, outputs: int, width: float = 1.0, **options: object) -> nn.Module:
    """A fresh model; its weights are drawn from torch's global generator.

    Args:
        name: one of `MODELS`.
        input_shape: of one input, without the batch: (features,), (channels, length) or (channels, height, width).
        outputs: number of classes, or of numbers to predict; the model returns [n, outputs].
        width: factor for all channels and hidden units; 1 is the size in the literature.
        options: options of that model, such as ``depth``.

    Raises:
        UserError: if there is no such model or option, a value is out of its range, or the shape does not fit.
    """
    if name not in MODELS:
        raise UserError(f"model {name!r} is unknown. Known: {', '.join(MODELS)}.")
    faults = [*_option_faults(name, options), *_size_faults(name, input_shape, outputs, width)]
    raise_any(faults)
    return MODELS[name](input_shape, outputs, width, **options)


def _option_faults(name: str, options: dict[str, object]) -> list[str]:
    known = list(inspect.signature(MODELS[name]).parameters)[COMMON_PARAMETERS:]
    possible = f"It has {', '.join(known)}." if known else "It has none; width sizes it."
    return [f"model {name} has no option {option!r}. {possible}" for option in options if option not in known]


def _size_faults(name: str, input_shape: Shape, outputs: int, width: float) -> list[str]:
    faults = []
    if not (math.isfinite(width) and width > 0):
        faults.append(f"width of model {name} multiplies its units and is above 0, but got {width!r}.")
    if outputs < 1:
        faults.append(f"model {name} needs at least one output, but got {outputs!r}.")
    if not input_shape or min(input_shape) < 1:
        faults.append(f"model {name} needs inputs with at least one value each, but their shape is {input_shape}.")
    return faults
