"""The outputs of a model on the validation or test part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from superconv_tune.data.batches import Batch
from superconv_tune.data.nested import joined, mapped
from superconv_tune.training.loop import Runtime


def evaluate(model: nn.Module, batches: Iterable[Batch], runtime: Runtime) -> tuple[Any, Any]:
    """Outputs and targets of all batches, in order, on the runtime's device: [n, ...] where they are single tensors.

    Every module runs in evaluation mode and then gets its own mode back, a frozen norm included. Tensors that a model
    makes here may be used in training later, which those of torch's inference mode may not.

    Raises:
        ValueError: if there is no batch, or the model gives something that holds no tensors.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.set_grad_enabled(runtime.evaluates_with_grad):
            outputs, targets = _forward(model, batches, runtime)
    finally:
        for module, mode in modes.items():
            module.training = mode
    if not outputs:
        raise ValueError("An evaluation needs at least one batch, but the part is empty.")
    return joined(outputs), joined(targets)


def _forward(model: nn.Module, batches: Iterable[Batch], runtime: Runtime) -> tuple[list[Any], list[Any]]:
    outputs, targets = [], []
    for batch in batches:
        inputs, target = runtime.batch(batch)
        outputs.append(mapped(lambda each: each.detach(), runtime.forward(model, inputs)))
        targets.append(target)
    return outputs, targets
