from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from superconv_tune.trial.divergence import DivergenceWatch, Stop

CHANCE = math.log(10)  # loss of ten classes at random


def judge(losses: NDArray[np.float64], steps: int | None = None, chance_loss: float = math.inf) -> Stop | None:
    watch = DivergenceWatch(steps or len(losses), chance_loss)
    for block in np.array_split(losses, max(1, len(losses) // 10)):
        stop = watch.judge(block)
        if stop is not None:
            return stop
    return None


def descent(steps: int, start: float, end: float) -> NDArray[np.float64]:
    return end + (start - end) * np.exp(-6.0 * np.arange(steps) / steps)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    steps=st.sampled_from([20, 60, 150, 400, 2000]),
    end=st.floats(0.0, CHANCE),
    noise=st.floats(0.0, 0.6),
    tails=st.sampled_from([2.5, 5.0, 50.0]),
)
def test_noise_alone_never_stops_a_cycle(seed: int, steps: int, end: float, noise: float, tails: float) -> None:
    """Small batches, hard tasks that hardly descend, smoothed labels with a high floor, heavy tails."""
    rng = np.random.default_rng(seed)
    losses = descent(steps, CHANCE, end) + noise * rng.standard_t(tails, steps)
    assert judge(np.maximum(losses, 0.0)) is None


@given(st.integers(100, 1000), st.floats(0.3, 1.2))
def test_the_hump_of_a_high_peak_is_no_divergence(steps: int, hump: float) -> None:
    """Early descent at a low rate, a loss lifted many times over at the peak, then the anneal."""
    progress = np.linspace(0.0, 1.0, steps)
    low = 0.02 + (CHANCE - 0.02) * np.exp(-40.0 * progress)
    losses = low + hump * np.exp(-(((progress - 0.4) / 0.12) ** 2))
    assert judge(losses) is None


def test_a_well_fitted_model_may_multiply_its_tiny_loss() -> None:
    losses = np.concatenate([descent(300, CHANCE, 1e-3), np.full(300, 0.02)])
    assert judge(losses) is None


@given(st.integers(150, 2000), st.floats(0.15, 0.8), st.integers(0, 1000))
def test_a_dead_network_that_is_back_at_chance_is_stopped_soon(steps: int, death: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses = descent(steps, CHANCE, 0.5)
    dead = round(death * steps)
    losses[dead:] = CHANCE + 0.02
    stop = judge(losses + 0.05 * rng.standard_normal(steps))
    assert stop is not None
    assert stop[0] == "diverged"
    watch = DivergenceWatch(steps)
    assert watch.judge(losses[: dead + max(40, steps // 5)]) is not None


@given(st.floats(1.2, 1.45), st.integers(0, 1000))
def test_a_dead_network_that_began_far_above_chance_is_stopped_where_chance_is_known(begin: float, seed: int) -> None:
    """A fresh network may be confidently wrong; dead, it says the same of everything."""
    losses = np.concatenate([descent(300, begin * CHANCE, 0.65), np.full(600, CHANCE)])
    losses += 0.03 * np.random.default_rng(seed).standard_normal(900)
    assert judge(losses) is None
    stop = judge(losses, chance_loss=CHANCE)
    assert stop is not None
    assert "gave its improvement back" in stop[1]


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    begin=st.floats(1.0, 3.0),
    end=st.floats(0.0, CHANCE),
    noise=st.floats(0.0, 0.6),
    chance_loss=st.floats(0.0, 4.0),
)
def test_noise_alone_never_stops_a_cycle_whatever_chance_would_lose(
    seed: int, begin: float, end: float, noise: float, chance_loss: float
) -> None:
    rng = np.random.default_rng(seed)
    losses = descent(400, begin * CHANCE, end) + noise * rng.standard_normal(400)
    assert judge(np.maximum(losses, 0.0), chance_loss=chance_loss) is None


def test_a_loss_that_climbs_without_bound_is_stopped() -> None:
    losses = np.concatenate([descent(200, 1.0, 0.3), 0.3 * 1.05 ** np.arange(200)])
    stop = judge(losses)
    assert stop is not None
    assert stop[0] == "diverged"


def test_four_times_the_best_for_fifty_steps_is_stopped_before_all_is_given_back() -> None:
    losses = np.concatenate([descent(500, 10.0, 0.5), np.full(500, 8.5)])
    stop = judge(losses)
    assert stop is not None
    assert "four times its best" in stop[1]


def test_nothing_is_judged_in_the_first_tenth() -> None:
    losses = np.concatenate([descent(40, CHANCE, 1.0), np.full(60, 5.0)])
    assert judge(losses, steps=1000) is None


def test_negative_losses_are_no_explosion() -> None:
    assert judge(np.linspace(1.0, -50.0, 400)) is None


@pytest.mark.parametrize(
    ("losses", "status"),
    [
        ([math.nan], "nan"),
        ([2.3, 2.2, 2.1, math.nan], "nan"),
        ([2.3, 2.2, math.inf], "diverged"),
        ([2.3, 2.2, 2.2, 2.1, 2.0, 2.0, 40.0, 1e9, math.nan], "diverged"),
    ],
)
def test_non_finite_losses_stop_at_once_and_say_which_kind(losses: list[float], status: str) -> None:
    stop = judge(np.array(losses), steps=300)
    assert stop is not None
    assert stop[0] == status


def test_blocks_change_nothing() -> None:
    losses = np.concatenate([descent(200, CHANCE, 0.5), np.full(100, CHANCE)])
    one = DivergenceWatch(300)
    assert one.judge(losses) == judge(losses)
