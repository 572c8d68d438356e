"""Intervals against closed forms, published values and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from superconv_tune.verdict.statistics import (
    Spread,
    confidence_above,
    difference,
    interval,
    over_seeds,
    proportion,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "items", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3 (Wilson score without continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_published_table(right: int, items: int, low: float, high: float) -> None:
    assert wilson(right / items, items, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_no_errors_is_not_certainty() -> None:
    spread = proportion(np.ones((3, 100), dtype=np.bool_))
    low, high = interval(spread, 0.95)
    assert high == 1.0
    assert low == pytest.approx(100 / (100 + 1.959964**2), abs=1e-6)
    assert confidence_above(spread, 0.99) < 0.9


def test_student_interval_over_seeds() -> None:
    low, high = interval(over_seeds([1.0, 2.0, 3.0]), 0.95)
    assert (low, high) == pytest.approx((2.0 - 4.302653 / np.sqrt(3), 2.0 + 4.302653 / np.sqrt(3)), abs=1e-5)


def test_one_value_has_no_spread() -> None:
    with pytest.raises(ValueError, match="two values"):
        over_seeds([0.5])


def test_equal_values_leave_no_doubt() -> None:
    spread = over_seeds([0.5, 0.5])
    assert (confidence_above(spread, 0.5), confidence_above(spread, 0.51)) == (1.0, 0.0)


def test_a_share_is_between_0_and_1_for_sure() -> None:
    spread = proportion(np.array([[True, False, True], [True, True, False]]))
    assert (confidence_above(spread, 0.0), confidence_above(spread, 1.0)) == (1.0, 0.0)


def test_no_items_say_nothing() -> None:
    assert wilson(0.5, 0, 0.95) == (0.0, 1.0)
    for shape in ((0, 5), (3, 0)):
        with pytest.raises(ValueError, match="At least one model and one item"):
            proportion(np.ones(shape, dtype=np.bool_))


@given(
    mean=st.floats(0.02, 0.98),
    items=st.integers(20, 5000),
    df=st.floats(2.0, 500.0),
    value=st.floats(0.02, 0.98),
    level=st.floats(0.5, 0.99),
)
def test_confidence_inverts_the_interval(mean: float, items: int, df: float, value: float, level: float) -> None:
    spread = Spread(mean, np.sqrt(mean * (1 - mean) / items), df, float(items))
    low, _ = interval(spread, level)
    confidence = confidence_above(spread, value)
    one_sided = 0.5 + level / 2
    if abs(confidence - one_sided) > 1e-6:
        assert (low >= value) == (confidence >= one_sided)


@pytest.mark.parametrize("models", [3, 5])
def test_the_lower_limit_misses_no_more_often_than_its_level(models: int) -> None:
    """Items differ in difficulty and seeds in skill; 2.5 % may lie below the limit (z with few seeds misses 6-8 %)."""
    rng = np.random.default_rng(7)
    misses, rounds = 0, 2000
    truth = 0.9
    for _ in range(rounds):
        difficulty = rng.beta(truth * 2, (1 - truth) * 2, size=400)
        skill = rng.normal(0.0, 0.01, size=(models, 1))
        correct = rng.random((models, 400)) < np.clip(difficulty + skill, 0.0, 1.0)
        misses += interval(proportion(correct), 0.95)[0] > truth
    assert misses / rounds <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / rounds)
    assert misses > 0  # an interval that never misses is too wide to be a test


def test_the_difference_of_two_means_is_student_s_two_sample_t() -> None:
    now, before = [0.90, 0.91, 0.93], [0.92, 0.94, 0.95, 0.93]
    expected = stats.ttest_ind(now, before).confidence_interval(0.95)
    assert interval(difference(now, before), 0.95) == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match="three"):
        difference([0.9], [0.8])


def test_equal_values_do_not_differ_by_rounding() -> None:
    found = difference([0.1] * 3, [0.1] * 16)
    assert (found.mean, found.se) == (0.0, 0.0)


def test_models_that_are_equal_are_as_uncertain_as_the_items_they_share() -> None:
    spread = over_seeds([0.8, 0.8, 0.8], items_se=0.02)
    assert [spread.mean, spread.se] == pytest.approx([0.8, 0.02])
    assert spread.df == np.inf
    assert confidence_above(spread, 0.8 - 1.96 * 0.02) == pytest.approx(0.975, abs=1e-3)


def test_the_noise_of_seeds_and_of_items_add_up() -> None:
    values = [0.70, 0.74, 0.78]
    alone, both = over_seeds(values), over_seeds(values, items_se=0.03)
    assert both.se == pytest.approx(np.hypot(alone.se, 0.03))
    assert alone.df < both.df < np.inf
