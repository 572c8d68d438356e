"""Better and worse values, for either direction of a metric."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.yardstick import Direction, Yardstick

VALUES = st.floats(-1e6, 1e6)
DIRECTIONS = st.sampled_from(("max", "min"))


def yardstick(direction: Direction, items: int | None = None) -> Yardstick:
    return Yardstick("metric", direction, items)


@given(DIRECTIONS, VALUES, VALUES)
def test_the_better_of_two_values_has_the_higher_worth(direction: Direction, one: float, other: float) -> None:
    of = yardstick(direction)
    is_better = one > other if direction == "max" else one < other
    assert (of.worth(one) > of.worth(other)) == of.is_better(one, than=other) == is_better
    assert of.worth(of.worth(one)) == one


@given(DIRECTIONS, st.lists(VALUES, min_size=1))
def test_nothing_is_better_than_the_best(direction: Direction, values: list[float]) -> None:
    of = yardstick(direction)
    best = of.best(values)
    assert best == (max(values) if direction == "max" else min(values))
    assert best in values
    assert not any(of.is_better(value, than=best) for value in values)


@given(DIRECTIONS, VALUES, VALUES)
def test_an_equal_or_better_value_reaches_a_target_and_a_worse_one_misses_it(
    direction: Direction, value: float, target: float
) -> None:
    of = yardstick(direction)
    assert of.reaches(value, target) == (not of.is_better(target, than=value))
    assert of.reaches(target, target)
    assert of.reaches(value, target) == yardstick("min" if direction == "max" else "max").reaches(-value, -target)


def test_the_best_of_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        yardstick("max").best([])


def test_the_standard_error_falls_with_the_number_of_items_and_is_zero_without_one() -> None:
    assert yardstick("max", 400).standard_error(0.5) == pytest.approx(0.025)
    assert yardstick("max", 1600).standard_error(0.5) == pytest.approx(0.0125)
    assert yardstick("max", 400).standard_error(1.0) == 0.0
    assert yardstick("max", 400).standard_error(1.5) == 0.0  # a metric of items is a share; nothing to be sure of
    assert math.isclose(yardstick("min", None).standard_error(0.5), 0.0)
