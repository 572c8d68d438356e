"""Trained models as bytes and back, in formats that run no code when they are read."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.kept.description import Weights

# scikit-learn takes a second to import, and most models are networks.
_packed_estimators = LazyFunction("superconv_tune.kept.estimators:packed_estimators")
_estimators_in = LazyFunction("superconv_tune.kept.estimators:estimators_in")


def format_of(model: object) -> Weights:
    """The format that keeps a model: tensors of a network, or estimators of scikit-learn."""
    return "safetensors" if isinstance(model, nn.Module) else "skops"


def packed(model: Any) -> bytes:
    """The weights and buffers of a network, or the fitted estimators of `superconv_tune.problems.fitted.FittedModel`.

    Raises:
        ValueError: if the model has a state that is no tensor, or the estimator is made of types that are not known.
    """
    if not isinstance(model, nn.Module):
        content: bytes = _packed_estimators(list(model.estimators))
        return content
    state = model.state_dict()
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise ValueError(f"the model's state {strange[0]} is a {type(state[strange[0]]).__name__} and no tensor")
    return packed_tensors(state)


def fill(model: nn.Module, content: bytes) -> None:
    """Put kept weights into a fresh network.

    Raises:
        UserError: if they are those of another one.
    """
    try:
        model.load_state_dict(tensors_of(content))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"The kept weights do not fit the network that is made now: {reason}") from error


def estimators(content: bytes) -> Any:
    """Fitted estimators of scikit-learn.

    Raises:
        UserError: if it is made of types that are not known to be safe.
    """
    try:
        return _estimators_in(content)
    except ValueError as error:
        raise UserError(f"The kept model is not loaded: {error}.") from error


def packed_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Named tensors, such as outputs and targets."""
    # Clones, because safetensors refuses tensors that share memory, as tied weights do.
    return bytes_of({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()})


def tensors_in(content: bytes) -> dict[str, torch.Tensor]:
    """The tensors that `packed_tensors` wrote."""
    return tensors_of(content)
