from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.curve import Curve
from superconv_tune.record.trial import TrialOutcome
from superconv_tune.tracking.series import (
    MAX_POINTS,
    SERIES,
    curve_points,
    follow,
    live_rows,
    metric_name,
    result_points,
    results,
    shown,
)


def curve_of(loss: list[float] | np.ndarray[tuple[int], np.dtype[np.float64]], first: int = 0) -> Curve:
    step = np.arange(first, first + len(loss), dtype=np.float64)
    return Curve(step, 0.1 + step, np.full(len(step), 0.9), np.asarray(loss, dtype=np.float64), step / 100)


curves = st.integers(1, 20_000).flatmap(
    lambda n: st.integers(0, 2**32 - 1).map(lambda seed: curve_of(np.random.default_rng(seed).standard_normal(n)))
)


def test_there_are_at_most_ten_metric_names() -> None:
    assert sum(len(names) for names in SERIES.values()) + len(results("accuracy")) <= 10


def test_live_rows_are_whole_at_first_and_then_sixteen_per_doubling() -> None:
    rows = live_rows(np.arange(1_000_000, dtype=np.float64))
    assert rows[:32].tolist() == list(range(32))
    assert len(rows) < 300
    for power in range(5, 19):
        assert np.count_nonzero((rows >= 2**power) & (rows < 2 ** (power + 1))) == 16


@given(curves)
def test_a_curve_shows_at_most_the_limit_its_ends_and_its_extremes(curve: Curve) -> None:
    kept = shown(curve)
    assert len(kept) == len(curve) if len(curve) <= MAX_POINTS else len(kept) <= MAX_POINTS
    assert kept.step[0] == curve.step[0]
    assert kept.step[-1] == curve.step[-1]
    assert kept.loss.min() == curve.loss.min()
    assert kept.loss.max() == curve.loss.max()
    assert np.all(np.diff(kept.step) > 0)


@given(curves)
def test_what_was_shown_live_is_shown_at_the_end(curve: Curve) -> None:
    assert set(curve.step[live_rows(curve.step)]) <= set(shown(curve).step)


def test_values_that_are_not_finite_become_no_points() -> None:
    points = curve_points("cycle", curve_of([1.0, float("nan"), float("inf"), 2.0]), 1000.0)
    assert [(p.step, p.value) for p in points if p.key == "cycle/loss"] == [(0, 1.0), (3, 2.0)]
    assert [p.step for p in points if p.key == "cycle/lr"] == [0, 1, 2, 3]
    assert [p.timestamp_ms for p in points if p.key == "cycle/momentum"] == [1_000_000, 1_000_010, 1_000_020, 1_000_030]


def test_a_range_test_has_no_momentum() -> None:
    points = curve_points("range_test", curve_of([1.0]), 0.0)
    assert {p.key for p in points} == {"range_test/loss", "range_test/lr", "range_test/log10_lr"}


def test_the_logarithm_of_the_rate_is_an_axis_of_its_own() -> None:
    curve = Curve(np.arange(3.0), np.array([0.0, 0.01, 10.0]), np.ones(3), np.ones(3), np.ones(3))
    points = {p.step: p.value for p in curve_points("range_test", curve, 0.0) if p.key == "range_test/log10_lr"}
    assert points == pytest.approx({1: -2.0, 2: 1.0})


def test_results_that_are_unknown_or_not_finite_are_left_out() -> None:
    outcome = TrialOutcome("t", 1, "nan", 0.1, validation=0.5, validation_loss=float("nan"), steps=7, wall_s=3.0)
    assert [(p.key, p.value, p.step) for p in result_points(outcome, 1.0, "accuracy")] == [
        ("validation/accuracy", 0.5, 7)
    ]


@pytest.mark.parametrize(
    ("metric", "name"),
    [("accuracy", "test/accuracy"), ("F1 (macro)", "test/F1 _macro_"), ("a/b", "test/a_b"), ("loss", "test/metric")],
)
def test_a_metric_has_its_own_name_unless_mlflow_or_the_loss_forbids_it(metric: str, name: str) -> None:
    assert metric_name("test", metric) == name


@pytest.mark.parametrize("length", [3, 10, 25])
def test_the_steps_of_a_second_ramp_go_on_where_the_first_ended(length: int) -> None:
    first, second = curve_of([0.0] * 10), curve_of([0.0] * length)
    blocks = [first]
    for start in range(0, length, 4):
        block = second.take(slice(start, start + 4))
        blocks.append(follow(block, blocks[-1].step[-1]))
    assert Curve.join(blocks).step.tolist() == list(range(10 + length))


def test_a_block_that_continues_keeps_its_steps() -> None:
    block = curve_of([0.0, 0.0], first=500)
    assert follow(block, 499.0) is block
