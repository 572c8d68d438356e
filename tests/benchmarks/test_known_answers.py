"""The quick ones of the known answers; ``python -m benchmarks.range_test.known_answers`` runs all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.range_test.known_answers import (
    FULL_BATCH_BOUND,
    MINI_BATCH_BOUND,
    Line,
    edge_of,
    plain_edge_of,
)
from benchmarks.range_test.planted import planted
from benchmarks.range_test.quadratics import least_squares, logistic_regression, true_edge
from superconv_tune.lr.pick_rules import PICK_RULES

SMALL = {"features": 20, "items": 400}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("seed", [1, 2])
def test_ka1_the_edge_of_full_batch_least_squares_is_the_closed_form(seed: int, momentum: float) -> None:
    case = least_squares(seed, momentum, **SMALL)
    assert edge_of(case, None, seed) == pytest.approx(case.edge, rel=FULL_BATCH_BOUND)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ka2_the_edge_in_batches_is_that_of_a_much_longer_bisection(momentum: float) -> None:
    case = least_squares(5, momentum, **SMALL)
    truth = true_edge(case, 32)
    assert edge_of(case, 32, 5) == pytest.approx(truth, rel=MINI_BATCH_BOUND)
    assert truth < 0.5 * case.edge or momentum == 0.0  # the closed form is no answer there


def test_a_plain_ramp_of_the_same_problem_is_far_beyond_its_edge() -> None:
    case = least_squares(1, 0.0, **SMALL)
    assert plain_edge_of(case, None, 1) > 1.5 * case.edge


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ka3_the_edge_of_a_logistic_regression_is_that_of_its_hessian(momentum: float) -> None:
    case = logistic_regression(3, momentum, **SMALL)
    assert edge_of(case, None, 3) == pytest.approx(case.edge, rel=FULL_BATCH_BOUND)


@pytest.mark.parametrize(("noise", "octaves"), [(0.0, 0.1), (0.03, 1.0), (0.06, 1.25), (0.12, 1.75)])
def test_ka5_noise_moves_our_minimum_by_little(noise: float, octaves: float) -> None:
    truth = float(planted(0.0, 0).lr[np.argmin(planted(0.0, 0).loss)])
    picks = [PICK_RULES["lowest"](planted(noise, seed)) for seed in range(20)]
    errors = [abs(math.log2((pick or math.nan) / truth)) for pick in picks]
    assert max(errors) <= octaves


def test_ka5_noise_sends_the_steepest_fall_per_lr_orders_of_magnitude_down() -> None:
    """The complaint behind Lightning #21141, which ours must not share."""
    clean = PICK_RULES["lightning"](planted(0.0, 0))
    noisy = [PICK_RULES["lightning"](planted(0.06, seed)) for seed in range(20)]
    assert clean is not None
    assert np.median([pick / clean for pick in noisy if pick is not None]) < 0.1


def test_a_line_counts_what_is_outside_and_what_is_missing() -> None:
    line = Line("KA1", "something", (1.0, 1.04, 0.94, 1.06, math.nan), bound=0.05)
    assert line.outside == 3
    assert line.cells()[2] == "4 of 5"
    assert line.cells()[-2:] == ("5.0%", "3")
    assert Line("KA5", "something", (0.1, 10.0)).outside == 0
    assert Line("KA5", "something", (0.1, 10.0)).cells()[3] == "1"
    assert Line("KA5", "nothing", (math.nan,)).cells()[3] == "-"
