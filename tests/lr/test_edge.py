"""The bisected edge: on known answers, and on trainings whose edge has a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.lr.edge import ABOVE, BELOW, HALVINGS, MOST_STRETCHES, PROBE_STEPS, Bracket, bisect, is_stable

RATES = st.floats(1e-6, 1e3)


@given(truth=RATES, octaves=st.floats(-10.0, 10.0))
def test_the_edge_is_found_to_a_few_percent_from_a_guess_a_thousand_times_off(truth: float, octaves: float) -> None:
    asked: list[float] = []

    def stable(lr: float) -> bool:
        asked.append(lr)
        return lr <= truth

    found = bisect(stable, truth * 2.0**octaves)
    assert found.stable <= truth < found.unstable
    assert abs(found.edge / truth - 1.0) <= 0.034
    assert len(asked) == len(set(asked))
    assert len(asked) <= HALVINGS + 2 + MOST_STRETCHES


@given(truth=RATES, halvings=st.integers(0, 12))
def test_each_halving_halves_the_bracket_in_octaves(truth: float, halvings: int) -> None:
    found = bisect(lambda lr: lr <= truth, truth, halvings)
    assert math.log2(found.unstable / found.stable) == pytest.approx(math.log2(BELOW * ABOVE) / 2**halvings)


def test_if_all_or_no_rates_are_stable_the_edge_is_the_known_end_of_the_bracket() -> None:
    everything = bisect(lambda _: True, 0.1)
    assert math.isinf(everything.unstable)
    assert everything.edge == everything.stable > 0.1 * ABOVE**MOST_STRETCHES / 2
    nothing = bisect(lambda _: False, 0.1)
    assert nothing.stable == 0.0
    assert 0.0 < nothing.edge == nothing.unstable < 0.1 / BELOW**MOST_STRETCHES * 2


def test_the_edge_of_a_bracket_is_its_geometric_mean() -> None:
    assert Bracket(0.1, 0.4).edge == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("losses", "stable"),
    [
        ([2.0, 1.5, 1.0], True),
        ([2.0] * 50, True),
        ([2.0] * 40 + [2.1] * 10, False),
        ([9.0] * 40 + [1.9] * 10, True),
        ([2.0, 1.0, math.nan], False),
        ([2.0, math.inf, 1.0], False),
        ([2.0, 50.0, 50.0, 50.0, 49.0], False),  # all damage in the first step
        ([1.9], True),
    ],
)
def test_stable_means_finite_and_no_higher_than_before(losses: list[float], stable: bool) -> None:
    assert is_stable(np.array(losses), before=2.0) is stable


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("condition", [1.0, 30.0, 1000.0])
def test_heavy_ball_on_quadratics_has_its_edge_at_the_closed_form(momentum: float, condition: float) -> None:
    """Stable below 2 (1 + b) / h, for the sharpest curvature h."""
    curvatures = np.geomspace(3.0, 3.0 / condition, 20)

    def stable(rate: float) -> bool:
        position, velocity, losses = np.ones(20), np.zeros(20), []
        for _ in range(PROBE_STEPS):
            losses.append(float(curvatures @ position**2) / 2.0)
            if losses[-1] > 1e100:
                return False
            velocity = momentum * velocity - rate * curvatures * position
            position = position + velocity
        return is_stable(np.array(losses), before=float(curvatures.sum()) / 2.0)

    truth = 2.0 * (1.0 + momentum) / 3.0
    assert bisect(stable, 3.0 * truth).edge == pytest.approx(truth, rel=0.05)
