"""Takes one of several outputs of a model, such as the logits of a transformer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from superconv_tune.core.errors import UserError


def selecting(make: Callable[[], nn.Module], select: str | int | None) -> Callable[[], nn.Module]:
    """A function that makes the same model, which gives one of its outputs only; its weights keep their names."""
    if select is None:
        return make
    return partial(_made, make, select)


def _made(make: Callable[[], nn.Module], select: str | int) -> nn.Module:
    model = make()
    if isinstance(model, nn.Module):  # or else the rehearsal says so
        model.register_forward_hook(partial(_selected, select))
    return model


def _selected(select: str | int, _model: nn.Module, _inputs: object, outputs: Any) -> Any:
    """The one output, by key, attribute or index; a single tensor, which some models give in evaluation, is it."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping):
        if select in outputs:
            return outputs[select]
        names: list[object] = list(outputs)
    elif isinstance(outputs, tuple | list) and not hasattr(outputs, str(select)):
        if str(select).lstrip("-").isdigit() and -len(outputs) <= int(select) < len(outputs):
            return outputs[int(select)]
        names = list(range(len(outputs)))
    else:
        if hasattr(outputs, str(select)):
            return getattr(outputs, str(select))
        names = list(getattr(outputs, "__dict__", {}))
    raise UserError(
        f"select: the model gives a {type(outputs).__name__} with {', '.join(map(str, names)) or 'nothing'}, but not "
        f"{select!r}. Name one of them."
    )
