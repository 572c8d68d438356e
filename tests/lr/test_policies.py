"""Policies against PyTorch's, step by step, and the properties that hold for all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import AdamW, lr_scheduler

from superconv_tune.lr.options import options_of
from superconv_tune.lr.policies import (
    SCHEDULES,
    Cosine,
    CosineRestarts,
    Exponential,
    ExpRange,
    Inverse,
    Linear,
    OneCycle,
    Polynomial,
    Step,
    Triangular,
    Triangular2,
    WarmupStableDecay,
)
from superconv_tune.lr.schedule import Schedule
from superconv_tune.lr.span import Span
from tests.golden.one_cycle import TABLE
from tests.schedules import assert_same_rates, ours, torchs

FLOOR = 0.04 / 1e4  # of a peak of 1 with the default factors


@pytest.mark.parametrize("column", [1, 2, 3], ids=["cosine", "three-phase", "linear"])
def test_one_cycle_equals_the_golden_table(column: int) -> None:
    variants = {1: OneCycle(), 2: OneCycle(three_phase=True), 3: OneCycle(anneal="linear")}
    found = ours(variants[column], steps=100)
    for row in TABLE:
        expected = row[column]
        assert isinstance(expected, tuple)
        assert (found[row[0]].lr, found[row[0]].momentum) == pytest.approx(expected, rel=2e-9)


@given(
    steps=st.integers(12, 150),
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
    shape: dict[str, Any] = {"pct_start": pct_start, "div_factor": div_factor, "final_div_factor": final_div_factor}

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.OneCycleLR(
            optimizer, max_lr, total_steps=steps, anneal_strategy=anneal, three_phase=three_phase, **shape
        )

    expected = torchs(make, steps)
    found = ours(OneCycle(anneal=anneal, three_phase=three_phase), steps=steps, max_lr=max_lr, **shape)
    # Corners lie between steps; torch interpolates from a corner that it rounds to 1e-16 of a step.
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-9, atol=1e-12 * max_lr)
    np.testing.assert_allclose([k.momentum for k in found], [e[1] for e in expected], rtol=1e-9)


GAMMA = 0.9


@pytest.mark.parametrize("policy", [Triangular(), Triangular2(), ExpRange(gamma=GAMMA)], ids=lambda policy: policy.name)
def test_cyclical_policies_equal_torchs(policy: Triangular | Triangular2 | ExpRange) -> None:
    """Two cycles of 20 steps up and 20 down end where a third would begin, after 81 steps."""

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.CyclicLR(
            optimizer,
            0.1,
            0.6,
            step_size_up=20,
            mode=policy.name,
            gamma=GAMMA ** (1 / 20),
            base_momentum=0.8,
            max_momentum=0.9,
        )

    expected = torchs(make, 80)
    found = ours(policy, steps=81, max_lr=0.6, div_factor=6.0, max_momentum=0.9, base_momentum=0.8)[:80]
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-10)
    if policy.name == "triangular":  # the scaled modes scale torch's momentum cycle too; ours keeps its depth
        np.testing.assert_allclose([k.momentum for k in found], [e[1] for e in expected], rtol=1e-10)


@pytest.mark.parametrize("cycles", [0.5, 1.0, 4.0])
def test_the_number_of_triangles_is_the_given_one(cycles: float) -> None:
    found = ours(Triangular(cycles=cycles), steps=401, div_factor=10.0)
    rising = round(200 / cycles)
    expected = torchs(lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, step_size_up=rising, cycle_momentum=False), 401)
    np.testing.assert_allclose([k.lr for k in found], [e[0] for e in expected], rtol=1e-9)


def test_step_equals_torchs_with_milestones_on_steps() -> None:
    found = ours(Step(milestones=(0.3, 0.8), gamma=0.2))
    assert_same_rates(found, lambda o: lr_scheduler.MultiStepLR(o, [30, 80], gamma=0.2))


def test_exponential_equals_torchs() -> None:
    assert_same_rates(ours(Exponential(gamma=0.05)), lambda o: lr_scheduler.ExponentialLR(o, 0.05 ** (1 / 100)))


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_polynomial_equals_torchs_above_its_floor(power: float) -> None:
    """Torch falls to 0, where the last step would not move; ours to the floor of a one-cycle."""
    found = ours(Polynomial(power=power), div_factor=1e6, final_div_factor=1e9)
    assert_same_rates(found, lambda o: lr_scheduler.PolynomialLR(o, 100, power))


def test_linear_and_cosine_equal_torchs() -> None:
    assert_same_rates(ours(Linear()), lambda o: lr_scheduler.LinearLR(o, 1.0, FLOOR, total_iters=100))
    assert_same_rates(ours(Cosine()), lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=FLOOR))


def test_cosine_restarts_equal_torchs_up_to_the_last_step() -> None:
    found = ours(CosineRestarts(cycles=4.0))
    expected = torchs(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 25, eta_min=FLOOR), 100)
    np.testing.assert_allclose([k.lr for k in found[:100]], [e[0] for e in expected], rtol=1e-9)
    assert found[100].lr == pytest.approx(FLOOR)


def test_inverse_equals_caffes() -> None:
    found = ours(Inverse(gamma=10.0, power=0.75), steps=11, max_lr=0.01)
    np.testing.assert_allclose([k.lr for k in found], 0.01 * (1 + np.arange(11)) ** -0.75)


def test_wsd_is_constant_then_linear_as_torch_joins_them() -> None:
    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        stable = lr_scheduler.ConstantLR(optimizer, 1.0)
        decay = lr_scheduler.LinearLR(optimizer, 1.0, FLOOR, total_iters=30)
        return lr_scheduler.SequentialLR(optimizer, [stable, decay], milestones=[70])

    assert_same_rates(ours(WarmupStableDecay(decay_share=0.3)), make)


@given(
    steps=st.integers(1, 300),
    pct_start=st.floats(0.0, 1.0),
    scale=st.floats(1e-3, 1e3),
    anneal=st.sampled_from(["cos", "linear"]),
)
def test_one_cycle_has_one_peak_that_is_max_lr_and_momentum_runs_against_it(
    steps: int, pct_start: float, scale: float, anneal: Any
) -> None:
    found = ours(OneCycle(anneal=anneal), steps=steps, max_lr=scale, pct_start=pct_start)
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
def test_a_rise_of_at_most_one_step_starts_at_the_peak(pct_start: float) -> None:
    """Torch divides by zero here."""
    assert ours(OneCycle(), steps=10, max_lr=0.5, pct_start=pct_start)[0].lr == 0.5


@pytest.mark.parametrize("policy", sorted(SCHEDULES))
@given(scale=st.floats(1e-3, 1e3), progress=st.floats(-2.0, 3.0))
def test_every_policy_is_positive_bounded_scale_equivariant_and_clamped(
    policy: str, scale: float, progress: float
) -> None:
    schedule = Schedule(policy=SCHEDULES[policy]())
    one = schedule.knobs(Span(steps=50, max_lr=1.0))
    scaled = schedule.knobs(Span(steps=50, max_lr=scale))
    assert 0.0 < one(progress).lr <= 1.0 + 1e-12
    assert scaled(progress).lr == pytest.approx(scale * one(progress).lr)
    assert one(progress) == one(min(max(progress, 0.0), 1.0))
    assert 0.85 <= one(progress).momentum <= 0.95
    assert math.isfinite(one(progress).weight_decay)


@pytest.mark.parametrize("policy", sorted(SCHEDULES))
def test_momentum_moves_only_where_the_learning_rate_rises(policy: str) -> None:
    found = ours(SCHEDULES[policy]())
    moves = len({knobs.momentum for knobs in found}) > 1
    assert moves == SCHEDULES[policy].is_cyclical
    if not moves:
        assert found[0].momentum == 0.95


def test_options_of_a_policy_do_not_hide_those_of_every_schedule() -> None:
    for policy in SCHEDULES.values():
        assert not {"policy", *options_of(Schedule)} & set(options_of(policy))


def test_three_phases_need_a_rise_of_at_most_half() -> None:
    for shape in (OneCycle(three_phase=True).rate, OneCycle(three_phase=True).height):
        with pytest.raises(ValueError, match=r"three_phase needs a pct_start of at most 0\.5, but got 0\.6"):
            shape(Span(steps=10, max_lr=1.0, pct_start=0.6))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (OneCycle, {"anneal": "cosine"}, "anneal is unknown: 'cosine'. Did you mean 'cos'?"),
        (OneCycle, {"three_phase": 1}, "three_phase must be true or false, but got 1"),
        (OneCycle, {"name": "cosine"}, "name is unknown: 'cosine'"),
        (Triangular, {"cycles": 0.0}, "cycles must be a number above 0, but got 0"),
        (Triangular2, {"cycles": math.inf}, "cycles"),
        (ExpRange, {"gamma": 1.5, "cycles": -1.0}, "gamma must be a number above 0 and at most 1, but got 1.5"),
        (ExpRange, {"gamma": 1.5, "cycles": -1.0}, "cycles must be a number above 0, but got -1"),
        (Step, {"milestones": ()}, "milestones must be a list of numbers from 0 to 1"),
        (Step, {"milestones": (0.5, 1.5)}, "milestones"),
        (Step, {"milestones": (0.5, 0.3)}, "milestones must rise, but got [0.5, 0.3]"),
        (Step, {"gamma": 0.0}, "gamma"),
        (Exponential, {"gamma": math.nan}, "gamma"),
        (Polynomial, {"power": 0}, "power"),
        (CosineRestarts, {"cycles": True}, "cycles"),
        (Inverse, {"gamma": -1.0}, "gamma must be a number above 0, but got -1"),
    ],
)
def test_a_policy_refuses_options_outside_their_limits(kind: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is looked at below
        kind(**options)
    assert message in str(caught.value)


def test_adams_first_beta_takes_the_momentum() -> None:
    """Our momentum maps to betas as in `OneCycleLR`."""
    optimizer = AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10)
    assert optimizer.param_groups[0]["betas"][0] == ours(OneCycle(), steps=10)[0].momentum
