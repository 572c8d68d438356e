"""Curves and their thinning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.curve import Curve


def curve(losses: list[float]) -> Curve:
    steps = np.arange(len(losses), dtype=np.float64)
    return Curve(steps, steps * 0.1, steps * 0 + 0.9, np.array(losses, dtype=np.float64), steps)


LOSSES = st.lists(st.floats(0.0, 10.0) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=300)


@given(losses=LOSSES, points=st.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_extremes(losses: list[float], points: int) -> None:
    whole = curve(losses)
    thin = whole.thin(points)
    assert len(thin) <= points
    assert set(thin.step) <= set(whole.step)
    assert (thin.step[0], thin.step[-1]) == (0, len(losses) - 1)
    assert (np.diff(thin.step) > 0).all() or len(thin) == 1
    finite = [loss for loss in losses if math.isfinite(loss)]
    if finite and len(losses) > points:
        assert min(finite) in thin.loss
    if len(losses) <= points:
        assert thin == whole


def test_joining_the_parts_of_a_curve_gives_the_curve() -> None:
    whole = curve([3.0, 2.0, math.nan, 1.0])
    assert Curve.join([whole.take(slice(0, 1)), whole.take(slice(1, 4))]) == whole
    assert len(Curve.join([])) == 0


def test_columns_of_unequal_length_are_refused() -> None:
    one, two = np.zeros(1), np.zeros(2)
    with pytest.raises(ValueError, match="same length"):
        Curve(one, one, one, two, one)
