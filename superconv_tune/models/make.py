"""A fresh built-in model, or everything that is wrong with what was asked."""

from __future__ import annotations

import inspect
import math

from torch import nn

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.models.layers import Shape
from superconv_tune.models.registry import MODELS

NO_OPTIONS = 3  # parameters that every model has: input_shape, outputs, width


def make(name: str, input_shape: Shape, outputs: int, width: float = 1.0, **options: object) -> nn.Module:
    """A fresh model; its weights are drawn from torch's global generator.

    Args:
        name: one of `MODELS`.
        input_shape: of one input, without the batch: (features,), (channels, length) or (channels, height, width).
        outputs: classes, or numbers to be predicted; the model gives [n, outputs].
        width: what all channels and hidden units are multiplied by; 1 is the size in the literature.
        options: of that model, such as ``depth``.

    Raises:
        UserError: if there is no such model or option, a value is out of its range, or the shape does not fit.
    """
    if name not in MODELS:
        raise UserError(f"model {name!r} is unknown. Known: {', '.join(MODELS)}.")
    faults = [*_option_faults(name, options), *_size_faults(name, input_shape, outputs, width)]
    raise_any(faults)
    model: nn.Module = MODELS[name](input_shape, outputs, width, **options)
    return model


def _option_faults(name: str, options: dict[str, object]) -> list[str]:
    known = list(inspect.signature(MODELS[name].function).parameters)[NO_OPTIONS:]
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
