"""Torch's compiler, which training here does not use."""

from __future__ import annotations

import inspect

import torch
from torch.optim import SGD, Adam, Optimizer

WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
STEPPED = (SGD, Adam)  # AdamW is an Adam


def skip_compiler() -> None:
    """Let optimizers work without torch's compiler, whose import takes a second in every process.

    Torch wraps these methods so that they can stand in compiled code, and the wrappers import the compiler when first
    called. A user's model may still be compiled: only an optimizer inside compiled code would need the wrappers.
    """
    for name in WRAPPED:
        setattr(Optimizer, name, inspect.unwrap(getattr(Optimizer, name)))
    for kind in STEPPED:
        kind.step = torch.no_grad()(inspect.unwrap(kind.step))  # type: ignore[method-assign]
