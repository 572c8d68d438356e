"""Optimizers by name: what decays, where the momentum is, and what the hardware's quick form needs."""

from __future__ import annotations

import pytest
from torch import nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Knobs
from superconv_tune.problems.optimizers import OPTIMIZERS
from superconv_tune.training.loop import apply


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_only_weights_decay_and_every_parameter_is_trained(name: str) -> None:
    model = network()
    optimizer = OPTIMIZERS[name](model, Hyperparameters(weight_decay=0.1))
    groups = {group["decay"]: group for group in optimizer.param_groups}
    assert [parameter.dim() for parameter in groups[True]["params"]] == [2, 2]
    assert {parameter.dim() for parameter in groups[False]["params"]} == {1}
    assert (groups[True]["weight_decay"], groups[False]["weight_decay"]) == (0.1, 0.0)
    assert sum(len(group["params"]) for group in groups.values()) == len(list(model.parameters()))


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_knobs_reach_the_optimizer(name: str) -> None:
    optimizer = OPTIMIZERS[name](network(), Hyperparameters())
    apply(optimizer, Knobs(lr=0.3, momentum=0.7, weight_decay=0.2))
    for group in optimizer.param_groups:
        assert group["lr"] == 0.3
        assert (group["betas"][0] if "betas" in group else group["momentum"]) == 0.7
        assert group["weight_decay"] == (0.2 if group["decay"] else 0.0)


def test_sgd_without_momentum_is_legal() -> None:
    OPTIMIZERS["sgd"](network(), Hyperparameters(base_momentum=0.0, momentum_width=0.0))
