"""The grid of probes: it widens until the best rate is inside, and its pick keeps a distance from the edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.lr.lr_range import EDGE_GIVE_BACK
from superconv_tune.lr.rate_grid import (
    FARTHEST_VOTE,
    GRID_FACTOR,
    MOST_WIDENINGS,
    RAMP_VOTE,
    ProbeGrid,
    first_grid,
    next_rates,
)

GRID = (0.1, 0.2, 0.4, 0.8)
UNTRAINED = 0.1
SCORES = st.floats(-100.0, 100.0) | st.just(math.nan)


def grid(scores: tuple[float, ...], *, higher_is_better: bool = True, untrained: float | None = None) -> ProbeGrid:
    rates = tuple(0.1 * 2.0**power for power in range(len(scores)))
    return ProbeGrid.of(zip(rates, scores, strict=True), higher_is_better=higher_is_better, untrained=untrained)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.1, 0.2, 0.3, 0.4), 1.6),
        ((0.4, 0.3, 0.2, 0.1), 0.05),
        ((0.1, 0.4, 0.3, 0.2), None),
        ((0.1, 0.2, 0.4, math.nan), None),
        ((math.nan,) * 4, 0.05),
        ((math.nan, math.nan, math.nan, 0.4), 1.6),
        ((0.4, math.nan, math.nan, math.nan), 0.05),
    ],
)
def test_a_grid_widens_until_its_best_is_inside(scores: tuple[float, ...], expected: float | None) -> None:
    found = grid(scores).beyond()
    assert found == (None if expected is None else pytest.approx(expected))
    lower = grid(tuple(-score for score in scores), higher_is_better=False).beyond()
    assert lower == found or (lower is not None and lower == pytest.approx(found))


@given(centre=st.floats(1e-6, 10.0), best=st.floats(-5.0, 5.0))
def test_widening_step_by_step_always_brackets_the_top_of_a_parabola(centre: float, best: float) -> None:
    rates = first_grid(centre)
    scores = {lr: -((math.log2(lr / centre) - best) ** 2) for lr in rates}
    for _ in range(12):
        wider = ProbeGrid.of(scores.items(), higher_is_better=True).beyond()
        if wider is None:
            break
        assert wider not in scores
        scores[wider] = -((math.log2(wider / centre) - best) ** 2)
    found = ProbeGrid.of(scores.items(), higher_is_better=True)
    assert found.beyond() is None
    np.testing.assert_allclose(np.diff(np.log2(found.rates)), math.log2(GRID_FACTOR), rtol=1e-9)
    assert math.log2(found.best_lr() / centre) == pytest.approx(best, abs=1e-6)  # a parabola is fitted exactly


def test_the_first_grid_begins_at_its_centre_and_has_no_gap() -> None:
    rates = first_grid(0.3)
    assert rates[0] == 0.3
    np.testing.assert_allclose(np.diff(np.sort(np.log2(rates))), math.log2(GRID_FACTOR))


@given(best=st.floats(0.11, 0.75), noise=st.integers(0, 1000))
def test_the_pick_of_a_grid_is_near_the_top_of_the_parabola(best: float, noise: int) -> None:
    rng = np.random.default_rng(noise)
    scores = tuple(0.9 - 0.02 * math.log2(lr / best) ** 2 + rng.normal(0, 0.001) for lr in GRID)
    found = grid(scores).best_lr()
    assert abs(math.log2(found / best)) <= 0.75


@given(scores=st.lists(SCORES, min_size=1, max_size=7), untrained=st.none() | st.floats(-100.0, 100.0))
def test_the_pick_is_within_half_a_step_of_the_best_rate_and_not_above_the_edge_by_more(
    scores: list[float], untrained: float | None
) -> None:
    found = grid(tuple(scores), untrained=untrained)
    best = found.rates[int(np.argmax(found.worth))]
    assert abs(math.log2(found.best_lr() / best)) <= 0.5 * math.log2(GRID_FACTOR) + 1e-9
    assert best <= found.edge() <= found.rates[-1]


@pytest.mark.parametrize("untrained", [None, UNTRAINED])
def test_the_pick_is_half_a_step_below_the_best_rate_at_the_edge(untrained: float | None) -> None:
    found = grid((0.1, 0.2, 0.4, math.nan), untrained=untrained).best_lr()
    assert found == pytest.approx(math.sqrt(0.2 * 0.4))


def test_a_neighbour_is_past_the_edge_if_it_lost_a_quarter_of_the_improvement() -> None:
    learned = 0.9 - UNTRAINED
    over = 0.9 - 1.1 * EDGE_GIVE_BACK * learned
    before = 0.9 - 0.9 * EDGE_GIVE_BACK * learned
    assert grid((0.8, 0.9, over), untrained=UNTRAINED).best_lr() == pytest.approx(math.sqrt(0.1 * 0.2))
    assert grid((0.8, 0.9, before), untrained=UNTRAINED).best_lr() > math.sqrt(0.1 * 0.2) * 1.01
    assert grid((0.8, 0.9, over)).best_lr() > math.sqrt(0.1 * 0.2) * 1.01  # the improvement is unknown


def test_a_diverged_lower_neighbour_does_not_move_the_pick() -> None:
    assert grid((0.1, math.nan, 0.4, 0.39), untrained=UNTRAINED).best_lr() == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("scores", "edge"),
    [
        ((0.8, 0.9, 0.85, 0.3), 0.4),
        ((0.8, 0.9, 0.85, math.nan), 0.4),
        ((0.8, 0.9, 0.3, 0.9), 0.2),
        ((0.8, 0.9, 0.85, 0.8), 0.8),
        ((0.9, math.nan, 0.5, 0.4), 0.1),
        ((0.2, 0.9, 0.8, 0.71), 0.8),
    ],
)
def test_the_edge_is_the_last_rate_before_a_quarter_is_lost(scores: tuple[float, ...], edge: float) -> None:
    assert grid(scores, untrained=UNTRAINED).edge() == pytest.approx(edge)


def test_scores_of_one_rate_are_averaged_and_one_divergence_counts_for_all() -> None:
    probes = [(0.2, 0.5), (0.1, 0.3), (0.2, 0.7), (0.4, 0.9), (0.4, math.inf)]
    found = ProbeGrid.of(probes, higher_is_better=True)
    assert found.rates == (0.1, 0.2, 0.4)
    assert list(found.worth) == pytest.approx([0.3, 0.6, -math.inf])


@given(scores=st.lists(SCORES, min_size=2, max_size=7), untrained=st.floats(-100.0, 100.0))
def test_a_loss_gives_the_result_of_the_negated_accuracy(scores: list[float], untrained: float) -> None:
    up = grid(tuple(scores), untrained=untrained)
    down = grid(tuple(-score for score in scores), higher_is_better=False, untrained=-untrained)
    assert up == down


@given(minimum=st.floats(1e-4, 100.0))
def test_the_ramp_moves_the_pick_by_at_most_a_quarter_of_an_octave(minimum: float) -> None:
    hill = grid((0.5, 0.8, 0.9, 0.8, 0.5), untrained=UNTRAINED)
    moved = math.log2(hill.pick(minimum) / hill.best_lr())
    asked = math.log2(minimum / hill.best_lr())
    assert moved == pytest.approx(RAMP_VOTE * min(max(asked, -FARTHEST_VOTE), FARTHEST_VOTE))
    assert hill.pick(None) == hill.best_lr()


def test_rates_are_probed_from_the_centre_and_then_beyond_the_border_where_the_best_lies() -> None:
    first = first_grid(0.1)
    assert next_rates(0.1, [], None) == first
    assert next_rates(0.1, first[:2], None) == first[2:]
    assert next_rates(0.1, first, None) == []
    rising, inside = (
        ProbeGrid.of(zip(sorted(first), s, strict=True), higher_is_better=True) for s in (GRID, (1, 3, 2, 1))
    )
    assert next_rates(0.1, first, rising) == [pytest.approx(2.0 * max(first))]
    assert next_rates(0.1, [*first, 2.0 * max(first)], rising) == [pytest.approx(4.0 * max(first))]
    assert next_rates(0.1, first, inside) == []
    enough = [*first, *(max(first) * 2.0**power for power in range(1, MOST_WIDENINGS + 1))]
    assert next_rates(0.1, enough, rising) == []
