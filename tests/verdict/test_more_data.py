"""What more data would reach: the line, its residuals, and the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superconv_tune.verdict.more_data import (
    FARTHEST,
    Known,
    Slope,
    fitted,
    known,
    library,
    scale,
    times_needed,
    with_more_data,
)
from superconv_tune.verdict.statistics import Spread

EXACT = Spread(0.9, 1e-9, math.inf, 1e9)


def on_a_line(base: float, factor: float) -> list[Known]:
    slopes = [0.1, 0.3, 0.5, 0.9]
    return [Known(name, slope, base + factor * slope) for name in "abc" for slope in slopes]


def test_a_line_is_found_and_leaves_no_residuals() -> None:
    growth = fitted(on_a_line(0.05, 0.8))
    assert (growth.base, growth.factor) == pytest.approx((0.05, 0.8))
    assert growth.residuals == pytest.approx([0.0] * 12, abs=1e-9)
    found = with_more_data(EXACT, Slope(0.5, 0.0), 4.0, growth)
    odds = 1.0 / 9.0 * 4.0 ** -(0.05 + 0.4)
    assert found.error_at(0.5) == pytest.approx(odds / (1.0 + odds), rel=1e-3)


def test_a_residual_is_of_a_line_without_its_data_set() -> None:
    odd = [*on_a_line(0.0, 1.0), *(Known("d", slope, slope + scale(slope)) for slope in (0.1, 0.5))]
    assert fitted(odd).residuals[-2:] == pytest.approx([1.0, 1.0])
    with pytest.raises(ValueError, match="three data sets"):
        fitted(on_a_line(0.0, 1.0)[:8])


@settings(max_examples=25, deadline=None)
@given(
    slope=st.floats(-0.5, 1.5), times=st.floats(1.0, FARTHEST), mean=st.floats(0.05, 0.99), items=st.integers(50, 5000)
)
def test_more_data_is_never_expected_to_harm(slope: float, times: float, mean: float, items: int) -> None:
    spread = Spread(mean, math.sqrt(mean * (1.0 - mean) / items), math.inf, float(items))
    less, more = (
        with_more_data(spread, Slope(slope, 0.1), each, library()) for each in (times, min(FARTHEST, 2 * times))
    )
    assert more.error_at(0.95) - more.error_at(0.05) > 0.0
    assert more.error_at(0.5) <= less.error_at(0.5) + 1e-6
    assert less.error_at(0.5) <= 1.0 - mean + 0.02


def test_noise_of_the_slope_widens_the_interval() -> None:
    widths = []
    for error in (0.0, 0.3):
        found = with_more_data(EXACT, Slope(0.5, error), 4.0, library())
        widths.append(found.error_at(0.95) - found.error_at(0.05))
    assert widths[1] > 1.2 * widths[0]


def test_the_times_that_are_needed_invert_the_interval() -> None:
    spread, slope, growth = Spread(0.9, 0.005, math.inf, 3600.0), Slope(0.5, 0.05), library()
    for probability in (0.05, 0.5):
        times = times_needed(spread, slope, 0.07, probability, growth)
        assert times is not None
        assert with_more_data(spread, slope, times, growth).probability(0.07) == pytest.approx(probability, abs=0.01)
    assert times_needed(spread, slope, 0.001, 0.95, growth) is None
    assert times_needed(spread, slope, 0.2, 0.05, growth) == pytest.approx(1.0, abs=1e-4)


def test_the_library_has_many_data_sets_and_factors() -> None:
    assert len({each.data for each in known()}) >= 8
    assert len(known()) >= 150
    assert np.isfinite([[each.slope, each.rate] for each in known()]).all()
    assert 0.5 < library().factor < 1.3
