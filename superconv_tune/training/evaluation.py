"""The outputs of a model on the validation or test part."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from superconv_tune.data.batches import Batch
from superconv_tune.training.loop import Runtime


def evaluate(model: nn.Module, batches: Iterable[Batch], runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Outputs [n, ...] and targets [n, ...] of all batches, in order, on the runtime's device.

    Every module runs in evaluation mode and then gets its own mode back, a frozen norm included.

    Raises:
        ValueError: if there is no batch.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        outputs, targets = _forward(model, batches, runtime)
    finally:
        for module, mode in modes.items():
            module.training = mode
    if not outputs:
        raise ValueError("An evaluation needs at least one batch, but the part is empty.")
    return torch.cat(outputs), torch.cat(targets)


@torch.inference_mode()
def _forward(model: nn.Module, batches: Iterable[Batch], runtime: Runtime) -> tuple[list[Tensor], list[Tensor]]:
    outputs, targets = [], []
    for batch in batches:
        inputs, target = runtime.batch(batch)
        outputs.append(runtime.forward(model, inputs))
        targets.append(target)
    return outputs, targets
