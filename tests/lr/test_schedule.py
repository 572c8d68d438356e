"""Schedules against PyTorch's, step by step, and the properties that hold for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, AdamW, lr_scheduler

from superconv_tune.lr.schedule import SCHEDULES, Knobs, SchedulePlan, build
from tests.golden.one_cycle import TABLE

Make = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def ours(plan: SchedulePlan) -> list[Knobs]:
    schedule = build(plan)
    return [schedule(step / max(1, plan.steps - 1)) for step in range(plan.steps)]


def torchs(make: Make, steps: int, lr: float = 1.0) -> list[tuple[float, float]]:
    """Learning rate and momentum that each step uses."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    seen = []
    for step in range(steps):
        group = optimizer.param_groups[0]
        seen.append((float(group["lr"]), float(group["momentum"])))
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return seen


def assert_same(plan: SchedulePlan, make: Make, *, momentum: bool = False, lr: float = 1.0) -> None:
    expected = torchs(make, plan.steps, lr)
    found = ours(plan)
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-12, atol=1e-15)
    if momentum:
        np.testing.assert_allclose([k.momentum for k in found], [e[1] for e in expected], rtol=1e-12)


@pytest.mark.parametrize("column", [1, 2, 3], ids=["cosine", "three-phase", "linear"])
def test_one_cycle_equals_the_golden_table(column: int) -> None:
    variants: dict[int, dict[str, Any]] = {1: {}, 2: {"three_phase": True}, 3: {"anneal": "linear"}}
    found = ours(SchedulePlan(steps=100, max_lr=1.0, **variants[column]))
    for row in TABLE:
        expected = row[column]
        assert isinstance(expected, tuple)
        assert (found[row[0]].lr, found[row[0]].momentum) == pytest.approx(expected, rel=2e-9)


@given(
    steps=st.integers(12, 400),
    max_lr=st.floats(1e-4, 10.0),
    pct_start=st.floats(0.2, 0.5),
    div_factor=st.floats(1.0, 1e3),
    final_div_factor=st.floats(1.0, 1e5),
    anneal=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
def test_one_cycle_equals_torchs_at_every_step(
    steps: int,
    max_lr: float,
    pct_start: float,
    div_factor: float,
    final_div_factor: float,
    anneal: Any,
    three_phase: bool,
) -> None:
    plan = SchedulePlan(
        steps=steps,
        max_lr=max_lr,
        pct_start=pct_start,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        anneal=anneal,
        three_phase=three_phase,
    )

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr,
            total_steps=steps,
            pct_start=pct_start,
            anneal_strategy=anneal,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            three_phase=three_phase,
        )

    expected, found = torchs(make, steps), ours(plan)
    # Corners lie between steps; torch interpolates from a corner that it rounds to 1e-16 of a step.
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-9, atol=1e-12 * max_lr)
    np.testing.assert_allclose([k.momentum for k in found], [e[1] for e in expected], rtol=1e-9)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cyclical_policies_equal_torchs(mode: Any) -> None:
    """Two cycles of 20 steps up and 20 down end where the third would begin: 81 steps."""
    gamma = 0.9
    plan = SchedulePlan(
        steps=81, max_lr=0.6, policy=mode, div_factor=6.0, gamma=gamma, max_momentum=0.9, base_momentum=0.8
    )

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.CyclicLR(
            optimizer,
            0.1,
            0.6,
            step_size_up=20,
            mode=mode,
            gamma=gamma ** (1 / 20),
            base_momentum=0.8,
            max_momentum=0.9,
        )

    expected, found = torchs(make, 80), ours(plan)[:80]
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-10)
    if mode == "triangular":  # the scaled modes scale torch's momentum cycle too; ours keeps its depth
        np.testing.assert_allclose([k.momentum for k in found], [e[1] for e in expected], rtol=1e-10)


def test_step_equals_torchs_with_milestones_on_steps() -> None:
    plan = SchedulePlan(steps=101, max_lr=1.0, policy="step", milestones=(0.3, 0.8), gamma=0.2)
    assert_same(plan, lambda o: lr_scheduler.MultiStepLR(o, [30, 80], gamma=0.2))


def test_exponential_equals_torchs() -> None:
    plan = SchedulePlan(steps=101, max_lr=1.0, policy="exponential", gamma=0.05)
    assert_same(plan, lambda o: lr_scheduler.ExponentialLR(o, 0.05 ** (1 / 100)))


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_polynomial_equals_torchs_above_its_floor(power: float) -> None:
    """Torch falls to 0, where the last step would not move; ours to the floor of a one-cycle."""
    plan = SchedulePlan(steps=101, max_lr=1.0, policy="polynomial", power=power, div_factor=1e6, final_div_factor=1e9)
    assert_same(plan, lambda o: lr_scheduler.PolynomialLR(o, 100, power))


def test_linear_and_cosine_equal_torchs() -> None:
    floor = 0.04 / 1e4
    linear = SchedulePlan(steps=101, max_lr=1.0, policy="linear")
    assert_same(linear, lambda o: lr_scheduler.LinearLR(o, 1.0, floor, total_iters=100))
    cosine = SchedulePlan(steps=101, max_lr=1.0, policy="cosine")
    assert_same(cosine, lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=floor))


def test_cosine_restarts_equal_torchs_up_to_the_last_step() -> None:
    floor = 0.04 / 1e4
    plan = SchedulePlan(steps=101, max_lr=1.0, policy="cosine_restarts", cycles=4.0)
    expected = torchs(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 25, eta_min=floor), 100)
    np.testing.assert_allclose([k.lr for k in ours(plan)[:100]], [e[0] for e in expected], rtol=1e-9)
    assert ours(plan)[100].lr == pytest.approx(floor)


def test_inverse_is_caffes() -> None:
    found = ours(SchedulePlan(steps=11, max_lr=0.01, policy="inverse", inverse_gamma=10.0, power=0.75))
    np.testing.assert_allclose([k.lr for k in found], 0.01 * (1 + np.arange(11)) ** -0.75)


@pytest.mark.parametrize(
    ("warmup", "factors"),
    [
        ("constant", [0.1] * 10 + [1.0]),
        ("linear", np.linspace(0.1, 1.0, 11)),
        ("exponential", np.geomspace(0.1, 1.0, 11)),
    ],
)
def test_warm_up_joins_any_policy(warmup: Any, factors: Any) -> None:
    for policy in SCHEDULES:
        plain = ours(SchedulePlan(steps=101, max_lr=1.0, policy=policy))
        warm = ours(SchedulePlan(steps=101, max_lr=1.0, policy=policy, warmup=warmup, warmup_share=0.1))
        ratio = np.array([w.lr / p.lr for w, p in zip(warm, plain, strict=True)])
        np.testing.assert_allclose(ratio[:11], factors, rtol=1e-9)
        np.testing.assert_allclose(ratio[11:], 1.0)


def test_weight_decay_may_run_against_the_learning_rate() -> None:
    found = ours(
        SchedulePlan(steps=100, max_lr=1.0, weight_decay=1e-3, cycle_weight_decay=True, weight_decay_factor=0.1)
    )
    assert found[0].weight_decay == found[-1].weight_decay == 1e-3
    assert found[29].weight_decay == pytest.approx(1e-4)
    steady = ours(SchedulePlan(steps=100, max_lr=1.0, weight_decay=1e-3))
    assert {knobs.weight_decay for knobs in steady} == {1e-3}


@given(
    steps=st.integers(1, 300),
    pct_start=st.floats(0.0, 1.0),
    scale=st.floats(1e-3, 1e3),
    anneal=st.sampled_from(["cos", "linear"]),
)
def test_one_cycle_has_one_peak_that_is_max_lr_and_momentum_runs_against_it(
    steps: int, pct_start: float, scale: float, anneal: Any
) -> None:
    found = ours(SchedulePlan(steps=steps, max_lr=scale, pct_start=pct_start, anneal=anneal))
    lr, momentum = np.array([k.lr for k in found]), np.array([k.momentum for k in found])
    assert (lr > 0).all()
    assert lr.max() <= scale * (1 + 1e-12)
    top = int(lr.argmax())
    assert (np.diff(lr[: top + 1]) >= -1e-12 * scale).all()
    assert (np.diff(lr[top:]) <= 1e-12 * scale).all()
    # A peak between two steps may have its higher rate on one of them and its lower momentum on the other.
    assert (np.diff(momentum[:top]) <= 1e-12).all()
    assert (np.diff(momentum[top + 1 :]) >= -1e-12).all()
    peak = max(0.0, pct_start * steps - 1.0)
    if peak == round(peak):  # the peak falls on a step
        assert lr.max() == pytest.approx(scale)


@pytest.mark.parametrize("pct_start", [0.0, 0.1])
def test_a_rise_of_no_step_or_one_starts_at_the_peak(pct_start: float) -> None:
    """Torch divides by zero here."""
    assert ours(SchedulePlan(steps=10, max_lr=0.5, pct_start=pct_start))[0].lr == 0.5


@pytest.mark.parametrize("policy", sorted(SCHEDULES))
@given(scale=st.floats(1e-3, 1e3), progress=st.floats(-2.0, 3.0))
def test_every_policy_is_positive_bounded_scale_equivariant_and_clamped(
    policy: str, scale: float, progress: float
) -> None:
    one = build(SchedulePlan(steps=50, max_lr=1.0, policy=policy))
    scaled = build(SchedulePlan(steps=50, max_lr=scale, policy=policy))
    assert 0.0 < one(progress).lr <= 1.0 + 1e-12
    assert scaled(progress).lr == pytest.approx(scale * one(progress).lr)
    assert one(progress) == one(min(max(progress, 0.0), 1.0))
    assert 0.85 <= one(progress).momentum <= 0.95
    assert math.isfinite(one(progress).weight_decay)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": "onecycle"}, "one_cycle"),
        ({"steps": 0}, "steps"),
        ({"max_lr": 0.0}, "max_lr"),
        ({"max_lr": math.nan}, "max_lr"),
        ({"div_factor": 0.0}, "div_factor"),
        ({"pct_start": 1.5}, "pct_start"),
        ({"base_momentum": 0.99}, "base_momentum"),
        ({"three_phase": True, "pct_start": 0.6}, "three phases"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(SchedulePlan(**{"steps": 10, "max_lr": 1.0, **change}))


def test_adams_first_beta_takes_the_momentum() -> None:
    """What `OneCycleLR` does with betas, our knobs mean too."""
    optimizer = AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10)
    assert optimizer.param_groups[0]["betas"][0] == ours(SchedulePlan(steps=10, max_lr=1.0))[0].momentum
