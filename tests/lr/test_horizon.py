"""The horizon rule and its fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.lr.horizon import EXPONENTS, SATURATION, HorizonRule, exponent_of

RATES = st.floats(1e-4, 10.0)


@given(lr=RATES, epochs=st.floats(0.5, 100.0), exponent=st.floats(0.0, 0.8), longer=st.floats(1.0, 30.0))
def test_the_pick_grows_with_the_length_and_equals_the_reference_at_its_length(
    lr: float, epochs: float, exponent: float, longer: float
) -> None:
    rule = HorizonRule(lr, epochs, exponent)
    assert rule.max_lr(epochs) == pytest.approx(lr)
    assert rule.max_lr(epochs * longer) == pytest.approx(lr * min(longer, SATURATION) ** exponent)
    assert rule.max_lr(epochs * 1e6) == pytest.approx(rule.max_lr(epochs * SATURATION))


@given(lr=RATES, exponent=st.floats(0.0, 0.8), edge=RATES, longer=st.floats(1.0, 30.0))
def test_the_edge_caps_the_growth_but_never_the_reference(
    lr: float, exponent: float, edge: float, longer: float
) -> None:
    pick = HorizonRule(lr, 1.0, exponent, edge).max_lr(longer)
    assert pick <= max(edge, lr) * (1 + 1e-12)
    assert pick >= lr * (1 - 1e-12)


@given(lr=RATES, exponent=st.floats(0.1, 0.8), longer=st.floats(1.5, 20.0))
def test_where_the_growth_passes_the_edge_the_pick_is_the_edge(lr: float, exponent: float, longer: float) -> None:
    free = HorizonRule(lr, 1.0, exponent).max_lr(longer)
    edge = (lr * free) ** 0.5
    assert HorizonRule(lr, 1.0, exponent, edge).max_lr(longer) == pytest.approx(edge)
    assert HorizonRule(lr, 1.0, exponent, 2.0 * free).max_lr(longer) == pytest.approx(free)


def test_a_shorter_cycle_has_a_smaller_pick() -> None:
    rule = HorizonRule(0.1, 10.0, 0.3)
    assert rule.max_lr(5.0) == pytest.approx(0.1 * 0.5**0.3)
    assert rule.max_lr(1e-9) == pytest.approx(rule.max_lr(10.0 / SATURATION))


def test_nothing_is_assumed_of_an_unknown_optimizer() -> None:
    assert exponent_of("sgd") == EXPONENTS["sgd"] > 0.0
    assert exponent_of("nobody's") == 0.0
