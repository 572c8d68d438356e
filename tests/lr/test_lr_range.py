"""Ramps with known answers: planted minima, dead networks, noise, and quadratics with a closed-form edge."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.curve import Column, Curve
from superconv_tune.lr.lr_range import (
    PRIOR_FACTORS,
    RAMPS,
    Quality,
    RangeTestResult,
    Refusal,
    analyse,
    compared,
    pool,
    smooth,
    smoothed,
    split_ramps,
    stop_reason,
)

CHANCE = math.log(10)


def curve(lr: Column, loss: Column) -> Curve:
    steps = np.arange(len(lr), dtype=np.float64)
    return Curve(steps, lr, 0 * steps, np.asarray(loss, dtype=np.float64), steps)


def planted(
    minimum: float = 0.1,
    *,
    steps: int = 300,
    noise: float = 0.0,
    seed: int = 0,
    end: str = "infinity",
    scale: float = 1.0,
) -> Curve:
    """A loss that falls smoothly to its minimum, then rises: to infinity, or to the loss of a dead network."""
    lr = RAMPS["exponential"](1e-5, 10.0, steps)
    octaves = np.log2(lr / minimum)
    loss = 0.5 + (CHANCE - 0.5) / (1 + np.exp(0.8 * (octaves + 6)))
    rise = np.exp2(2.0 * octaves) * 0.01 if end == "infinity" else (CHANCE - 0.5) / (1 + np.exp(-6 * (octaves - 2)))
    noisy = loss + rise + noise * np.random.default_rng(seed).standard_normal(steps)
    return curve(lr, scale * np.where(noisy > 50, np.inf, np.maximum(noisy, 0.0)))


@pytest.mark.parametrize("end", ["infinity", "chance"])
@pytest.mark.parametrize(("noise", "octaves"), [(0.0, 1.0), (0.05, 1.0), (0.15, 1.5)])
@pytest.mark.parametrize("minimum", [3e-3, 0.1])
def test_a_planted_minimum_is_found(minimum: float, noise: float, octaves: float, end: str) -> None:
    lowest = planted(minimum, end=end)
    truth = float(lowest.lr[np.nanargmin(np.where(np.isfinite(lowest.loss), lowest.loss, np.nan))])
    for seed in range(5):
        result = analyse([planted(minimum, noise=noise, seed=seed, end=end)])
        assert result.refusal is None
        assert abs(math.log2(result.lr_at_minimum / truth)) <= octaves
        assert result.lr_at_minimum <= result.edge
        assert result.max_lr == result.lr_at_minimum / 2
        assert result.min_lr == result.lr_at_minimum / 10
        assert result.quality in ("good", "fair") or noise > 0.1


@given(scale=st.floats(1e-2, 1e2), seed=st.integers(0, 50))
def test_the_result_does_not_depend_on_the_unit_of_the_loss(scale: float, seed: int) -> None:
    one = analyse([planted(noise=0.05, seed=seed)])
    other = analyse([planted(noise=0.05, seed=seed, scale=scale)])
    assert other.lr_at_minimum == pytest.approx(one.lr_at_minimum)
    assert other.edge == pytest.approx(one.edge)


@given(seed=st.integers(0, 50), cut=st.integers(1, 60))
def test_losses_after_the_divergence_do_not_matter(seed: int, cut: int) -> None:
    whole = planted(noise=0.03, seed=seed)
    first_infinite = int(np.argmin(np.isfinite(whole.loss)))
    shorter = whole.take(slice(0, min(len(whole), first_infinite + cut)))
    assert analyse([shorter]).lr_at_minimum == pytest.approx(analyse([whole]).lr_at_minimum, rel=0.05)


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_pure_noise_is_refused_in_99_of_100_ramps(noise: float) -> None:
    lr = RAMPS["exponential"](1e-5, 10.0, 200)
    rng = np.random.default_rng(0)
    refusals = [analyse([curve(lr, CHANCE + noise * rng.standard_normal(200))]).refusal for _ in range(300)]
    assert refusals.count(None) <= 3


def test_a_loss_that_only_rises_is_refused_as_no_descent() -> None:
    lr = RAMPS["exponential"](1e-5, 10.0, 200)
    assert analyse([curve(lr, np.linspace(0.1, 3.0, 200))]).refusal == Refusal.NO_DESCENT


def test_a_minimum_at_the_end_of_the_ramp_has_poor_quality() -> None:
    lr = RAMPS["exponential"](1e-7, 1e-3, 200)
    assert analyse([curve(lr, np.linspace(2.3, 1.0, 200))]).quality == "poor"


@pytest.mark.parametrize("losses", [[], [2.0] * 10, [math.nan] * 50, [2.0, 1.9, math.inf] + [1.0] * 30])
def test_too_few_losses_are_refused_without_an_exception(losses: list[float]) -> None:
    lr = np.geomspace(1e-5, 1.0, len(losses)) if losses else np.empty(0)
    assert analyse([curve(lr, np.array(losses))]).refusal in (Refusal.TOO_SHORT, Refusal.NOT_FINITE)


def test_equal_replicates_have_no_spread_and_a_refusal_is_outvoted() -> None:
    good, bad = analyse([planted()]), analyse([curve(np.geomspace(1e-5, 1, 100), np.full(100, 2.0))])
    assert pool([good, good]).spread_log2 == 0.0
    assert pool([good, good]).lr_at_minimum == pytest.approx(good.lr_at_minimum)
    assert pool([good, bad, good]).refusal is None
    assert pool([good, bad]).refusal is not None
    assert pool([]).refusal is not None


def test_replicates_that_disagree_have_poor_quality() -> None:
    results = [analyse([planted(minimum)]) for minimum in (1e-3, 1e-2, 1e-1)]
    assert pool(results).quality == "poor"
    assert pool(results).spread_log2 > 1.0


@pytest.mark.parametrize("end", ["infinity", "chance"])
def test_a_ramp_is_stopped_after_its_edge_and_not_before(end: str) -> None:
    whole = planted(noise=0.05, end=end)
    count = next(n for n in range(1, len(whole)) if stop_reason(whole.loss[:n], len(whole)))
    assert whole.lr[count - 1] > analyse([whole]).lr_at_minimum
    assert count < len(whole)


@given(seed=st.integers(0, 200))
def test_noise_stops_no_ramp(seed: int) -> None:
    losses = CHANCE + 0.3 * np.random.default_rng(seed).standard_normal(200)
    assert stop_reason(losses, 200) is None


@given(level=st.floats(0.0, 100.0), half_life=st.floats(0.5, 50.0), count=st.integers(1, 100))
def test_smoothing_keeps_constants_and_straight_lines_away_from_the_ends(
    level: float, half_life: float, count: int
) -> None:
    np.testing.assert_allclose(smooth(np.full(count, level), half_life), level, rtol=1e-9)


@pytest.mark.parametrize(("momentum", "late"), [(0.0, 8.0), (0.9, 2.0)])
def test_the_edge_of_a_quadratic_is_not_below_its_closed_form(momentum: float, late: float) -> None:
    """Full-batch heavy ball on curvature h is stable below 2 (1 + b) / h.

    A ramp sees the edge late, when what had shrunk has grown back: up to seven times, where no momentum keeps it up.
    """
    steps, curvature = 4000, 4.0
    rates = RAMPS["exponential"](1e-4, 100.0, steps)
    position, velocity, losses = 1.0, 0.0, []
    for rate in rates:
        losses.append(0.5 * curvature * position**2 + 1e-3)
        if losses[-1] > 1e6:
            break
        velocity = momentum * velocity - rate * curvature * position
        position += velocity
    result = analyse([curve(rates[: len(losses)], np.array(losses))])
    truth = 2.0 * (1.0 + momentum) / curvature
    assert 0.5 * truth < result.edge < late * truth


def result(lr_at_minimum: float = 0.1, quality: Quality = "good", steps: int = 180) -> RangeTestResult:
    return RangeTestResult(lr_at_minimum, 4 * lr_at_minimum, lr_at_minimum / 2, lr_at_minimum / 10, quality, 0.0, steps)


REFUSED = RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, 90, Refusal.FLAT)


@pytest.mark.parametrize(
    ("octaves", "own", "expected"),
    [
        (0.0, "good", "good"),
        (1.09, "good", "good"),
        (-1.09, "good", "good"),
        (1.11, "good", "fair"),
        (-1.99, "good", "fair"),
        (2.01, "good", "poor"),
        (3.0, "fair", "poor"),
        (0.0, "fair", "fair"),
        (0.0, "poor", "poor"),
    ],
)
def test_a_minimum_that_moves_with_the_speed_of_the_ramp_has_lower_quality(
    octaves: float, own: Quality, expected: Quality
) -> None:
    slow, fast = result(quality=own), result(0.1 * 2.0**octaves, steps=90)
    found = compared(slow, fast)
    assert found.quality == expected
    assert found.speed_log2 == pytest.approx(abs(octaves))
    assert found.steps == 270
    assert (found.lr_at_minimum, found.edge, found.max_lr) == (slow.lr_at_minimum, slow.edge, slow.max_lr)


def test_a_refused_faster_ramp_makes_the_quality_fair_at_best_and_a_refusal_stays_one() -> None:
    assert compared(result(), REFUSED).quality == "fair"
    assert compared(result(quality="poor"), REFUSED).quality == "poor"
    assert compared(result(), REFUSED).steps == 270
    assert compared(REFUSED, result()) == REFUSED


def test_replicates_keep_the_median_speed_and_the_sum_of_steps() -> None:
    checked = [compared(result(), result(0.1 * 2.0**octaves, steps=90)) for octaves in (0.1, 0.3, 0.9)]
    assert pool(checked).speed_log2 == pytest.approx(0.3)
    assert pool(checked).steps == 3 * 270


def test_the_prior_is_wider_for_lower_quality() -> None:
    assert set(PRIOR_FACTORS) == {"good", "fair", "poor", "none"}
    widths = [result(quality=quality).prior for quality in ("good", "fair", "poor")]
    for (low, high), (lower, higher) in pairwise(widths):
        assert lower < low < 1.0 < high < higher
    assert REFUSED.prior == widths[-1]


def test_a_curve_of_several_ramps_is_split_where_the_rate_falls() -> None:
    parts = [
        curve(np.geomspace(low, 1.0, count), np.arange(float(count))) for low, count in ((1e-5, 7), (1e-2, 5), (0.1, 1))
    ]
    parts[1:] = [curve(part.lr * 0.5, part.loss + 10) for part in parts[1:]]
    assert split_ramps(Curve.join(parts)) == parts
    assert split_ramps(parts[0]) == [parts[0]]
    assert split_ramps(Curve.empty()) == []


def test_constant_rates_are_one_ramp() -> None:
    constant = curve(np.full(9, 0.1), np.arange(9.0))
    assert split_ramps(constant) == [constant]


def test_smoothing_halves_a_jump_at_the_jump_and_keeps_a_constant() -> None:
    lr = RAMPS["exponential"](1e-2, 10.0, 1000)
    np.testing.assert_allclose(smoothed(curve(lr, np.full(1000, 1.7))), 1.7)
    jump = smoothed(curve(lr, np.repeat([1.0, 0.0], 500)))
    assert (jump[499] + jump[500]) / 2 == pytest.approx(0.5, abs=1e-9)
    assert jump[519] == pytest.approx(jump[499] / 2, rel=0.05)  # 20 steps on: a half-life of 2 % of the ramp


@pytest.mark.parametrize("share", [0.005, 0.02, 0.08])
def test_the_half_life_is_the_given_share_of_the_ramp(share: float) -> None:
    lr = RAMPS["exponential"](1e-2, 10.0, 1000)
    noise = np.random.default_rng(0).standard_normal(1000)
    np.testing.assert_allclose(smoothed(curve(lr, noise), share), smooth(noise, share * 1000))


@pytest.mark.parametrize("share", [0.005, 0.02, 0.05])
def test_the_answer_hardly_depends_on_the_smoothing(share: float) -> None:
    usual, other = analyse([planted(noise=0.03)]), analyse([planted(noise=0.03)], share)
    assert other.refusal is None
    assert abs(math.log2(other.lr_at_minimum / usual.lr_at_minimum)) <= 1.0
    assert other.lr_at_minimum <= other.edge


@pytest.mark.parametrize("minimum", [1.0, 3.0])  # below, a linear ramp has fewer steps than its smoothing
def test_a_linear_ramp_finds_a_planted_minimum_too(minimum: float) -> None:
    lr = RAMPS["linear"](0.01, 10.0, 400)
    octaves = np.log2(lr / minimum)
    loss = 0.5 + 0.2 * octaves**2 + 0.02 * np.random.default_rng(0).standard_normal(400)
    found = analyse([curve(lr, loss)])
    assert found.refusal is None
    assert abs(math.log2(found.lr_at_minimum / minimum)) <= 0.5


def test_ramps_have_both_ends_and_the_steps_between_are_equal() -> None:
    for kind, spaced in (("exponential", np.log), ("linear", np.asarray)):
        rates = RAMPS[kind](1e-3, 2.0, 50)  # type: ignore[index]
        assert (rates[0], rates[-1], len(rates)) == (pytest.approx(1e-3), pytest.approx(2.0), 50)
        np.testing.assert_allclose(np.diff(spaced(rates)), np.diff(spaced(rates))[0])
