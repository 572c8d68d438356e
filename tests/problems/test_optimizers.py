"""Optimizers by name: what decays, where the momentum is, and what the hardware's quick form needs."""

from __future__ import annotations

import pytest
from torch import nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.policies import OneCycle
from superconv_tune.lr.schedule import Knobs, Schedule
from superconv_tune.lr.span import Span
from superconv_tune.problems.optimizers import OPTIMIZERS, param_groups
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


SCALES = {"0.weight": ("bottom", 0.25), "0.bias": ("bottom", 0.25), "2.weight": ("head", 1.0)}


def test_groups_have_names_scales_and_only_what_is_trained() -> None:
    model = network()
    list(model.children())[1].requires_grad_(False)
    groups = param_groups(model, 0.1, SCALES)
    found = [(group["name"], group["lr_scale"], group["weight_decay"], len(group["params"])) for group in groups]
    assert found == [
        ("bottom weights", 0.25, 0.1, 1),
        ("head weights", 1.0, 0.1, 1),
        ("bottom norms and biases", 0.25, 0.0, 1),
    ]
    assert [group["name"] for group in param_groups(network(), 0.1)] == ["weights", "norms and biases"]


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_rate_of_a_cycle_is_the_heads_times_the_scale(name: str) -> None:
    optimizer = OPTIMIZERS[name](network(), Hyperparameters(), scales=lambda _: SCALES)
    span = Span(steps=5, max_lr=0.8, pct_start=0.5, div_factor=4.0, final_div_factor=10.0)
    knobs = Schedule(policy=OneCycle(anneal="linear")).knobs(span)
    rates = []
    for step in range(5):
        apply(optimizer, knobs(step / 4))
        rates.append({group["name"]: group["lr"] for group in optimizer.param_groups})
    head = [0.2, 0.6, 0.644, 0.332, 0.02]  # by hand: up to 0.8 at step 1.5 of 4, then down to 0.2 / 10
    assert [each["head weights"] for each in rates] == pytest.approx(head)
    assert [each["bottom weights"] for each in rates] == pytest.approx([rate / 4 for rate in head])
    assert [each["bottom norms and biases"] for each in rates] == pytest.approx([rate / 4 for rate in head])
    assert [each["norms and biases"] for each in rates] == pytest.approx(head)
