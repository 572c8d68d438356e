"""The horizon rule, its fit, and the grid of probes that widens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.horizon import PRIORS, SAFETY, SATURATION, HorizonRule, best_of_grid, fit_exponent, widen

RATES = st.floats(1e-4, 10.0)


@given(lr=RATES, epochs=st.floats(0.5, 100.0), exponent=st.floats(0.0, 0.8), longer=st.floats(1.0, 30.0))
def test_the_pick_grows_with_the_length_and_is_the_reference_there(
    lr: float, epochs: float, exponent: float, longer: float
) -> None:
    rule = HorizonRule(lr, epochs, exponent)
    assert rule.max_lr(epochs) == pytest.approx(lr)
    assert rule.max_lr(epochs * longer) == pytest.approx(lr * min(longer, SATURATION) ** exponent)
    assert rule.max_lr(epochs * 1e6) == pytest.approx(rule.max_lr(epochs * SATURATION))


@given(lr=RATES, exponent=st.floats(0.0, 0.8), edge=RATES, longer=st.floats(1.0, 30.0))
def test_the_edge_caps_growth_but_never_what_was_trained(
    lr: float, exponent: float, edge: float, longer: float
) -> None:
    pick = HorizonRule(lr, 1.0, exponent, edge).max_lr(longer)
    assert pick <= max(edge / SAFETY, lr) * (1 + 1e-12)
    assert pick >= lr * (1 - 1e-12)


@pytest.mark.parametrize("prior", sorted(PRIORS.values()))
def test_one_rung_teaches_nothing(prior: tuple[float, float]) -> None:
    assert fit_exponent([], prior) == fit_exponent([(3.0, 0.1)], prior) == prior[0]


@given(slope=st.floats(-0.5, 1.0), lengths=st.integers(2, 5))
def test_the_fit_lies_between_the_prior_and_the_slope_and_nears_it(slope: float, lengths: int) -> None:
    rungs = [(3.0**k, 0.1 * 3.0 ** (slope * k)) for k in range(lengths)]
    mean, sd = PRIORS["sgd"]
    fitted = fit_exponent(rungs, (mean, sd))
    assert min(mean, slope) - 1e-9 <= fitted <= max(mean, slope) + 1e-9
    assert fit_exponent(rungs, (mean, 100.0)) == pytest.approx(slope, abs=1e-3)


GRID = (0.1, 0.2, 0.4, 0.8)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.1, 0.2, 0.3, 0.4), 1.6),
        ((0.4, 0.3, 0.2, 0.1), 0.05),
        ((0.1, 0.4, 0.3, 0.2), None),
        ((0.1, 0.2, 0.4, math.nan), None),
        ((math.nan,) * 4, 0.05),
    ],
)
def test_a_grid_widens_until_its_best_is_inside(scores: tuple[float, ...], expected: float | None) -> None:
    found = widen(GRID, scores, higher_is_better=True)
    assert found == (None if expected is None else pytest.approx(expected))
    lower = widen(GRID, [-score for score in scores], higher_is_better=False)
    assert lower == found or (lower is not None and lower == pytest.approx(found))


@given(best=st.floats(0.11, 0.75), noise=st.integers(0, 1000))
def test_the_pick_of_a_grid_is_near_the_top_of_the_hill(best: float, noise: int) -> None:
    rng = np.random.default_rng(noise)
    scores = [0.9 - 0.02 * math.log2(lr / best) ** 2 + rng.normal(0, 0.001) for lr in GRID]
    found = best_of_grid(GRID, scores, higher_is_better=True)
    assert abs(math.log2(found / best)) <= 0.75


def test_the_pick_keeps_half_a_step_from_the_cliff() -> None:
    found = best_of_grid(GRID, (0.1, 0.2, 0.4, math.nan), higher_is_better=True)
    assert found == pytest.approx(math.sqrt(0.2 * 0.4))


def test_a_lower_neighbour_that_diverged_does_not_pull() -> None:
    assert best_of_grid(GRID, (0.1, math.nan, 0.4, 0.2), higher_is_better=True) == 0.4
