"""The verdict: what it takes to say each word, and that more evidence never turns it around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.ladder import Rung
from superconv_tune.core.verdict import Evidence, Target, judge

ORDER = {"infeasible": 0, "undecided": 1, "likely": 2, "demonstrated": 3}


def evidence(
    accuracy: float, *, models: int = 3, items: int = 1000, rungs: tuple[Rung, ...] = (), looks: int = 1
) -> Evidence:
    """Models that are right on the same share of the items, each wrong on others."""
    wrong = round((1 - accuracy) * items)
    correct = np.ones((models, items), dtype=np.bool_)
    for row in range(models):
        correct[row, (np.arange(wrong) + row) % items] = False
    values = tuple(float(row.mean()) for row in correct)
    return Evidence(values, correct, looks, rungs, validation_items=500, epochs=10.0)


def ask(value: float | None) -> Target:
    return Target("accuracy", "max", value)


FLAT = (Rung(3.0, 0.900, 0.87, 0.92, 8), Rung(9.0, 0.902, 0.87, 0.92, 4))
RISING = (Rung(3.0, 0.800, 0.77, 0.83, 8), Rung(9.0, 0.900, 0.87, 0.92, 4))


def test_clear_superiority_is_demonstrated() -> None:
    verdict = judge(ask(0.95), evidence(0.98))
    assert verdict.word == "demonstrated"
    assert verdict.estimate is not None
    assert verdict.estimate.low > 0.95
    assert verdict.estimate.value == pytest.approx(0.98)


def test_two_models_demonstrate_nothing() -> None:
    verdict = judge(ask(0.5), evidence(0.98, models=2))
    assert verdict.word == "likely"
    assert verdict.warnings


def test_a_later_look_asks_for_more() -> None:
    """98.6 % confidence passes the first look (97.5 %) and not the second (99.2 %)."""
    data = evidence(0.96, items=800)
    value = next(v for v in np.linspace(0.93, 0.96, 301) if 0.98 < (judge(ask(v), data).probability or 0) < 0.99)
    assert judge(ask(value), data).word == "demonstrated"
    assert judge(ask(value), evidence(0.96, items=800, looks=2)).word == "likely"


def test_hair_above_the_target_is_not_demonstrated() -> None:
    assert judge(ask(0.979), evidence(0.98, items=200)).word in ("likely", "undecided")


def test_far_beyond_a_flat_ladder_is_infeasible() -> None:
    assert judge(ask(0.999), evidence(0.90, rungs=FLAT)).word == "infeasible"


def test_far_beyond_a_rising_ladder_stays_undecided() -> None:
    assert judge(ask(0.999), evidence(0.90, rungs=RISING)).word == "undecided"


def test_two_rungs_of_one_length_say_nothing_of_longer_ones() -> None:
    same = (Rung(9.0, 0.900, 0.87, 0.92, 8), Rung(9.0, 0.902, 0.87, 0.92, 4))
    assert judge(ask(0.999), evidence(0.90, rungs=same)).word == "undecided"


def test_noise_that_could_hide_a_steep_ladder_leaves_hope() -> None:
    """With 40 validation items a gain of nine points may hide behind a flat rung; 0.99 is not out of reach then."""
    few = Evidence((0.9,) * 3, evidence(0.90).correct, 1, FLAT, validation_items=40, epochs=9.0)
    assert judge(ask(0.99), few).word == "undecided"


def test_a_little_beyond_a_flat_ladder_stays_undecided() -> None:
    assert judge(ask(0.93), evidence(0.90, rungs=FLAT)).word == "undecided"


def test_no_target_has_an_estimate_and_no_word() -> None:
    verdict = judge(ask(None), evidence(0.9))
    assert verdict.word is None
    assert verdict.probability is None
    assert verdict.estimate is not None


def test_nothing_confirmed_is_undecided() -> None:
    verdict = judge(ask(0.9), Evidence((), None, 1, RISING, 500, 0.0))
    assert verdict.word == "undecided"
    assert verdict.estimate is None
    assert any("0.9" in reason for reason in verdict.reasons)


def test_a_metric_to_be_low_is_judged_from_the_other_side() -> None:
    target = Target("rmse", "min", 2.0)
    good = Evidence((1.0, 1.1, 0.9, 1.05), None, 1, (), None, 10.0)
    bad = Evidence((3.0, 3.1, 2.9, 3.05), None, 1, (), None, 10.0)
    assert judge(target, good).word == "demonstrated"
    assert judge(target, bad).word == "undecided"  # never infeasible: not calibrated for metrics without items


@given(
    accuracy=st.floats(0.5, 0.995),
    better=st.floats(0.0, 0.3),
    value=st.floats(0.3, 0.999),
    items=st.integers(100, 2000),
    ladder=st.sampled_from([(), FLAT, RISING]),
)
def test_better_models_never_make_the_verdict_worse(
    accuracy: float, better: float, value: float, items: int, ladder: tuple[Rung, ...]
) -> None:
    low = judge(ask(value), evidence(accuracy, items=items, rungs=ladder)).word
    high = judge(ask(value), evidence(min(1.0, accuracy + better), items=items, rungs=ladder)).word
    assert low is not None
    assert high is not None
    assert ORDER[high] >= ORDER[low]
