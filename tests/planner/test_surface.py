"""What cycles say about a configuration: neighbours, seeds, rungs and cliffs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.planner.surface import Point, Seen, Surface
from tests.simulated import SPACE

NOISE = 0.02
RATES = tuple(0.0125 * 2.0**octave for octave in range(7))


def point(max_lr: float, epochs: float = 3.0, **changes: float) -> Point:
    return Point(Hyperparameters(cycle_epochs=epochs, **changes), max_lr)  # type: ignore[arg-type]  # test values


def hump(max_lr: float, best: float = 0.1) -> float:
    return 0.8 - 0.03 * math.log2(max_lr / best) ** 2


def seen(at: Point, worth: float, rung: int = 0) -> Seen:
    return Seen(at, rung, worth, NOISE)


def test_a_lucky_value_beside_worse_ones_is_not_the_best() -> None:
    """At 0.8, three octaves above the best rate, one value came out as high as the best one."""
    values = {rate: hump(rate) for rate in RATES} | {0.8: hump(0.1) + 0.005}
    surface = Surface.of([seen(point(rate), value) for rate, value in values.items()], SPACE)
    means = surface.mean([point(rate) for rate in RATES], 0)
    assert RATES[int(np.argmax(means))] == pytest.approx(0.1)


def test_repeated_seeds_count_more_than_one() -> None:
    once = Surface.of([seen(point(0.1), 0.7), seen(point(0.2), 0.72)], SPACE)
    often = Surface.of([*once.seen, *[seen(point(0.1), 0.75)] * 4], SPACE)
    places = [point(0.1), point(0.2)]
    assert np.argmax(once.mean(places, 0)) == 1
    assert np.argmax(often.mean(places, 0)) == 0


def test_the_level_of_a_rung_says_nothing_about_rates_but_its_shape_does() -> None:
    """Longer cycles reach more with every rate; two of them, and the hump of the shorter ones, give the best one."""
    short = [seen(point(rate), hump(rate, best=0.2)) for rate in RATES]
    long = [seen(point(rate, 9.0), 0.15 + hump(rate, best=0.2), rung=1) for rate in (0.05, 0.1)]
    surface = Surface.of([*short, *long], SPACE)
    means = surface.mean([point(rate, 9.0) for rate in RATES], 1)
    assert RATES[int(np.argmax(means))] == pytest.approx(0.2)
    assert means.max() > 0.9


def test_a_cliff_neither_hides_nor_raises_the_rate_before_it() -> None:
    values = {0.05: 0.70, 0.1: 0.72, 0.2: 0.73, 0.4: 0.1, 0.8: 0.1}
    surface = Surface.of([seen(point(rate), value) for rate, value in values.items()], SPACE)
    means = dict(zip(values, surface.mean([point(rate) for rate in values], 0), strict=True))
    assert max(means, key=lambda rate: means[rate]) in (0.1, 0.2)
    assert means[0.2] < 0.75


def test_it_works_with_one_cycle_and_with_values_that_are_all_alike() -> None:
    for values in ([0.5], [0.5, 0.5, 0.5]):
        surface = Surface.of([seen(point(rate), value) for rate, value in zip(RATES, values, strict=False)], SPACE)
        assert surface.mean([point(0.1)], 0)[0] == pytest.approx(0.5)


def test_the_same_cycles_give_the_same_surface_without_computing_it_again() -> None:
    cycles = [seen(point(rate), hump(rate)) for rate in RATES]
    assert Surface.of(cycles, SPACE) is Surface.of(list(cycles), dict(SPACE))


def test_configurations_are_alike_whatever_their_length() -> None:
    assert point(0.1, 3.0).is_like(point(0.1, 9.0))
    assert not point(0.1).is_like(point(0.2))
    assert not point(0.1).is_like(point(0.1, weight_decay=1e-3))


def test_other_parameters_lie_apart_by_shares_of_their_ranges() -> None:
    space: SearchSpace = {
        "weight_decay": Choice((1e-4, 1e-3)),
        "pct_start": Interval(0.3, 0.3),
        "base_momentum": Interval(0.8, 0.9),
    }
    cycles = [seen(point(0.1, weight_decay=1e-4), 0.7), seen(point(0.1, weight_decay=1e-3, pct_start=0.4), 0.72)]
    surface = Surface.of(cycles, space)
    near, far = surface.mean([point(0.1, weight_decay=9e-4), point(0.1, weight_decay=2e-4)], 0)
    assert near > far
