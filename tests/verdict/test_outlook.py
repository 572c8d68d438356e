"""The outlook on longer cycles: its distribution, its library, and how it depends on the horizon."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from superconv_tune.verdict.calibration import known, library
from superconv_tune.verdict.outlook import (
    REACH,
    Calibration,
    Known,
    Outlook,
    calibrate,
    log_odds,
    outlook,
    pooled,
    slope_between,
)
from superconv_tune.verdict.statistics import Spread, proportion

SURE = Spread(0.9, 1e-9, math.inf, 1e12)


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    errors = {length: 1.0 / (1.0 + length**0.4 / 2.0) for length in (9.0, 27.0)}
    assert slope_between((27.0, errors[27.0]), (9.0, errors[9.0])) == pytest.approx(0.4)


def test_a_library_on_a_line_has_no_residuals() -> None:
    cases = [Known(family, slope, 0.1 + 1.5 * max(slope, 0.0)) for family in "abc" for slope in (-0.2, 0.0, 0.4)]
    found = calibrate(cases)
    assert (found.base, found.rate) == pytest.approx((0.1, 1.5))
    assert found.residuals == pytest.approx([0.0] * 9, abs=1e-9)


def test_the_residuals_of_a_family_are_those_of_a_line_fitted_without_it() -> None:
    cases = [Known("a", 0.0, 0.0), Known("a", 0.1, 0.0)]
    cases += [Known(family, slope, 0.1 + slope) for family in "bc" for slope in (0.0, 0.05, 0.1)]
    assert sorted([-1.0, -1.0]) == pytest.approx(list(calibrate(cases).residuals[:2]))


def test_two_families_are_too_few() -> None:
    with pytest.raises(ValueError, match="three families"):
        calibrate([Known("a", 0.2, 0.1), Known("b", 0.2, 0.1)] * 5)


def test_without_noise_the_probability_counts_residuals() -> None:
    """(1 + number) / (n + 2), the conformal count of science 4.2 E."""
    found = outlook(SURE, 0.1, REACH, Calibration(0.1, 0.0, (-1.0, 0.0, 0.5, 1.0)))
    assert found.gains == pytest.approx([0.0, 0.1, 0.2, 0.3])
    between = 1.0 / (1.0 + 9.0 * math.exp(0.15))
    assert found.probability(between) == pytest.approx((1 + 2) / 6)
    assert found.probability(0.5) == pytest.approx(5 / 6)
    assert found.probability(0.0) == pytest.approx(1 / 6)
    assert found.probability(1.0) == pytest.approx(5 / 6)


def test_without_gains_only_the_noise_counts() -> None:
    found = Outlook(log_odds(0.1), 0.2, 7.0, (0.0,) * 998)
    odds = log_odds(0.1) + 0.2 * stats.t.ppf(0.9, 7.0)
    assert found.probability(1.0 / (1.0 + math.exp(-odds))) == pytest.approx(0.9, abs=2e-3)


@given(
    accuracy=st.floats(0.3, 0.999),
    se=st.floats(1e-4, 0.05),
    slope=st.floats(0.0, 1.0),
    stretch=st.floats(1.0, 20.0),
    probability=st.floats(0.06, 0.94),
)
def test_an_error_at_a_probability_has_that_probability(
    accuracy: float, se: float, slope: float, stretch: float, probability: float
) -> None:
    found = outlook(Spread(accuracy, se, 10.0, 500.0), slope, stretch, library())
    error = found.error_at(probability)
    assert found.probability(error * 1.001) >= probability - 1e-6
    assert found.probability(error * 0.999) <= probability + 1e-6


@given(slope=st.floats(0.0, 1.0), stretch=st.floats(1.0, 8.0), error=st.floats(0.001, 0.5))
def test_a_longer_horizon_never_makes_a_target_less_likely(slope: float, stretch: float, error: float) -> None:
    spread = Spread(0.9, 0.01, 30.0, 900.0)
    near, far = (outlook(spread, slope, s, library()).probability(error) for s in (stretch, 1.5 * stretch))
    assert far >= near - 1e-12


@given(slope=st.floats(0.1, 3.0))
def test_a_steep_step_may_go_on_as_it_was(slope: float) -> None:
    """The best twentieth of what is possible holds the straight continuation, however steep it is."""
    gains = outlook(SURE, slope, REACH, library()).gains
    assert np.quantile(gains, 0.95) >= slope * math.log(REACH)


def test_a_steeper_step_never_promises_less_and_at_best_more() -> None:
    """0.55 is what a small residual net on photographs showed, from 9 to 28 epochs."""
    found = [outlook(SURE, slope, REACH, library()) for slope in (0.0, 0.15, 0.3, 0.55, 1.0)]
    for probability in (0.05, 0.25, 0.5, 0.75):
        errors = [each.error_at(probability) for each in found]
        assert sorted(errors, reverse=True) == pytest.approx(errors, rel=1e-3)
    best = [each.error_at(0.05) for each in found]
    assert all(later < 0.95 * earlier for earlier, later in itertools.pairwise(best))


def test_other_items_make_the_noise_of_items_less_and_not_that_of_seeds() -> None:
    alike, apart = (proportion(np.arange(1000) < np.array(right)) for right in ([[840], [840]], [[800], [880]]))
    for spread in (alike, apart):
        more = pooled(spread, 0.86, 1000.0)
        assert more.by_seed == spread.by_seed
        by_item = spread.se**2 - spread.by_seed
        assert more.se**2 - more.by_seed == pytest.approx(by_item / 2.0, rel=0.1)
        assert more.mean == pytest.approx(0.85, abs=1e-3)
    assert pooled(apart, 0.86, 1e6).se >= math.sqrt(apart.by_seed)
    assert pooled(apart, 0.86, 1e6).df < 2.0 < pooled(alike, 0.86, 1000.0).df


def test_a_steeper_step_promises_no_less_where_the_library_says_so() -> None:
    falling = [Known(family, slope, 0.3 - slope) for family in "abc" for slope in (0.0, 0.1, 0.2)]
    assert (calibrate(falling).base, calibrate(falling).rate) == pytest.approx((0.2, 0.0))


def test_models_without_an_error_count_as_half_an_error() -> None:
    found = outlook(Spread(1.0, 0.0, math.inf, 200.0), 0.3, REACH, library())
    assert found.log_odds == pytest.approx(log_odds(0.5 / 200))
    assert found.se > 0.5


def test_the_library_has_searches_of_many_data_sets_and_no_impossible_one() -> None:
    tasks = known()
    assert len(tasks) >= 50
    assert {task.family for task in tasks} >= {"photos10", "animals20", "fashion", "phoneme", "credit"}
    assert all(task.gain >= 0.0 for task in tasks)


def test_the_committed_library_gives_the_quantiles_of_its_rows() -> None:
    """Recomputed with scikit-learn, leaving out one family at a time."""
    tasks, found = known(), library()
    slope = np.clip([task.slope for task in tasks], 0.0, None)[:, None]
    gain, family = np.array([task.gain for task in tasks]), np.array([task.family for task in tasks])
    predicted = cross_val_predict(LinearRegression(positive=True), slope, gain, groups=family, cv=LeaveOneGroupOut())
    residual = (gain - predicted) / np.where(gain > predicted, 0.1 + slope[:, 0], predicted)
    line = LinearRegression(positive=True).fit(slope, gain)
    assert (found.base, found.rate) == pytest.approx((line.intercept_, line.coef_[0]))
    for q in (0.05, 0.5, 0.95):
        assert np.quantile(found.residuals, q) == pytest.approx(np.quantile(residual, q))
