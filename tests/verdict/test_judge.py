"""The verdict: the evidence that each word needs, and that better models never make it worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.verdict.judge import judge as judged
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.outlook import Calibration
from superconv_tune.verdict.verdict import HOPELESS, Case, Evidence, Repeat, Target, Verdict, last_slope

LIBRARY = Calibration(0.05, 2.0, tuple(np.linspace(-0.45, 0.45, 41)))
ORDER = {"infeasible": 0, "undecided": 1, "likely": 2, "demonstrated": 3}


def evidence(
    accuracy: float, *, models: int = 3, items: int = 1000, repeats: tuple[Repeat, ...] = (), looks: int = 1
) -> Evidence:
    """Models that are right on the same share of the items, each wrong on different ones."""
    wrong = round((1 - accuracy) * items)
    correct = np.ones((models, items), dtype=np.bool_)
    for row in range(models):
        correct[row, (np.arange(wrong) + row) % items] = False
    values = tuple(float(row.mean()) for row in correct)
    return Evidence(values, correct, looks, (), validation_items=500, epochs=9.0, repeats=repeats)


def judge(target: Target, evidence: Evidence) -> Verdict:
    return judged(target, evidence, LIBRARY)


def repeated(before: float, now: float, *parts: Repeat) -> tuple[Repeat, ...]:
    """A recipe of nine epochs that was also trained for three."""
    return (Repeat(3.0, 1.0, before, 2), Repeat(9.0, 1.0, now, 3), *parts)


def ask(value: float | None) -> Target:
    return Target("accuracy", "max", value)


FLAT = repeated(0.898, 0.900)
RISING = repeated(0.70, 0.90)
FALLING = repeated(0.95, 0.90)


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


def test_a_later_look_needs_more_confidence() -> None:
    """A confidence of 98.6 % is enough for the first look (97.5 %) but not for the second (99.2 %)."""
    data = evidence(0.96, items=800)
    value = next(v for v in np.linspace(0.93, 0.96, 301) if 0.98 < (judge(ask(v), data).probability or 0) < 0.99)
    assert judge(ask(value), data).word == "demonstrated"
    assert judge(ask(value), evidence(0.96, items=800, looks=2)).word == "likely"


def test_slightly_above_the_target_is_not_demonstrated() -> None:
    assert judge(ask(0.979), evidence(0.98, items=200)).word in ("likely", "undecided")


def test_a_distant_target_after_a_flat_step_is_infeasible() -> None:
    verdict = judge(ask(0.99), evidence(0.90, repeats=FLAT))
    assert verdict.word == "infeasible"
    assert verdict.probability is not None
    assert verdict.probability <= 0.05


def test_a_distant_target_after_a_steep_step_is_undecided() -> None:
    assert judge(ask(0.9999), evidence(0.90, repeats=RISING)).word == "undecided"


def test_a_steep_step_makes_a_target_that_was_not_reached_likely() -> None:
    assert judge(ask(0.905), evidence(0.90, repeats=FLAT)).word == "undecided"
    verdict = judge(ask(0.905), evidence(0.90, items=20_000, repeats=RISING))
    assert verdict.word == "likely"
    assert "27 epochs" not in verdict.reasons[0]
    assert "72 epochs" in verdict.reasons[0]


@pytest.mark.parametrize(("value", "repeats"), [(0.925, RISING), (0.93, RISING), (0.905, FLAT), (0.91, FLAT)])
def test_an_undecided_verdict_names_the_lengths_at_which_the_target_is_out_of_reach(
    value: float, repeats: tuple[Repeat, ...]
) -> None:
    data = evidence(0.90, items=20_000, repeats=repeats)
    case = Case.of(ask(value), data, LIBRARY)
    assert case is not None
    assert case.word == "undecided"
    epochs = case.hopeless_epochs
    assert epochs is not None
    assert 9.0 < epochs < 72.0
    for horizon, is_hopeless in ((0.99 * epochs, True), (1.01 * epochs, False)):
        near = Case.of(ask(value), replace(data, horizon=horizon), LIBRARY)
        assert near is not None
        assert (near.probability <= HOPELESS) is is_hopeless
    assert f"with no more than {epochs:.2g} it is out of reach (below 5%)" in judge(ask(value), data).reasons[0]


def test_an_unreachable_target_is_undecided_if_longer_cycles_still_helped() -> None:
    answer = judge(ask(0.97), evidence(0.90, items=20_000, repeats=RISING)).reasons[0]
    assert "with probability 2.33%, though the last step in length helped much" in answer


def test_a_target_that_fresh_models_may_have_reached_is_not_called_out_of_reach() -> None:
    for value, models in ((0.905, 3), (0.95, 2)):  # too close, too few models
        case = Case.of(ask(value), evidence(0.90, repeats=RISING, models=models), LIBRARY)
        assert case is not None
        assert case.hopeless_epochs is None
    assert "out of reach:" in judge(ask(0.905), evidence(0.90, repeats=FLAT)).reasons[0]


def test_without_a_shorter_length_nothing_is_infeasible_and_there_is_a_warning() -> None:
    verdict = judge(ask(0.99), evidence(0.50))
    assert verdict.word == "undecided"
    assert verdict.reachable is None
    assert any("shorter length" in warning for warning in verdict.warnings)


def test_a_horizon_at_the_length_of_the_recipe_adds_no_probability() -> None:
    near = replace(evidence(0.90, repeats=RISING), horizon=9.0)
    found = judge(ask(None), near)
    assert found.reachable is not None
    assert found.estimate is not None
    assert found.reachable.epochs == 9.0
    assert found.reachable.value == pytest.approx(found.estimate.value, abs=1e-3)


def test_the_probability_grows_with_the_horizon_up_to_the_reach_of_the_library() -> None:
    reached = []
    for horizon in (9.0, 18.0, 72.0, 7200.0):
        found = judge(ask(None), replace(evidence(0.90, repeats=RISING), horizon=horizon)).reachable
        assert found is not None
        reached.append((found.epochs, found.value))
    assert [epochs for epochs, _ in reached] == [9.0, 18.0, 72.0, 72.0]
    assert sorted(value for _, value in reached) == [value for _, value in reached]


def test_longer_cycles_that_made_it_worse_are_reported() -> None:
    reasons = judge(ask(0.99), evidence(0.90, repeats=FALLING)).reasons
    assert any("made it worse" in reason for reason in reasons)
    assert not any("made it worse" in reason for reason in judge(ask(0.99), evidence(0.90, repeats=FLAT)).reasons)


def test_the_effect_of_more_data_is_reported() -> None:
    """The odds of an error halve with every doubling of the data: from 1/9 to 1/36 takes four times as much."""
    halving = repeated(0.9, 0.92, Repeat(3.0, 0.5, 9 / 11, 1), Repeat(3.0, 0.25, 9 / 13, 1))
    (sentence,) = [
        r for r in judge(ask(36 / 37), evidence(0.90, repeats=halving)).reasons if "data" in r and "twice" in r
    ]
    assert "about 0.9474" in sentence  # 18 / 19
    assert "about 4 times as much" in sentence
    useless = repeated(0.90, 0.92, Repeat(3.0, 0.5, 0.90, 1))
    assert any("help little" in reason for reason in judge(ask(0.975), evidence(0.90, repeats=useless)).reasons)


def test_without_a_target_there_is_an_estimate_but_no_word() -> None:
    verdict = judge(ask(None), evidence(0.9))
    assert verdict.word is None
    assert verdict.probability is None
    assert verdict.estimate is not None


def test_where_longer_cycles_were_searched_and_were_no_better_longer_ones_promise_less() -> None:
    rising = evidence(0.9, repeats=RISING)
    searched = replace(rising, rungs=(Rung(9.0, 0.90, 0.87, 0.92, 4), Rung(27.0, 0.90, 0.87, 0.92, 4)))
    assert last_slope(searched) == 0.0
    slope, reached, flat = last_slope(rising), judge(ask(0.95), rising).reachable, judge(ask(0.95), searched).reachable
    assert slope is not None
    assert slope > 0.0
    assert reached is not None
    assert flat is not None
    assert flat.value < reached.value


def test_without_a_confirmation_the_verdict_is_undecided() -> None:
    verdict = judge(ask(0.9), Evidence((), None, 1, (Rung(9.0, 0.900, 0.87, 0.92, 4),), 500, 0.0))
    assert verdict.word == "undecided"
    assert verdict.estimate is None
    assert any("0.9" in reason for reason in verdict.reasons)


def test_a_metric_for_which_lower_is_better() -> None:
    target = Target("rmse", "min", 2.0)
    good = Evidence((1.0, 1.1, 0.9, 1.05), None, 1, (), None, 10.0)
    bad = Evidence((3.0, 3.1, 2.9, 3.05), None, 1, (), None, 10.0)
    assert judge(target, good).word == "demonstrated"
    assert judge(target, bad).word == "undecided"  # never infeasible: not calibrated for metrics without items
    assert any("rmse" in warning for warning in judge(target, bad).warnings)


@given(
    accuracy=st.floats(0.5, 0.995),
    better=st.floats(0.0, 0.3),
    value=st.floats(0.3, 0.999),
    items=st.integers(100, 2000),
    repeats=st.sampled_from([(), FLAT, RISING, FALLING]),
)
def test_better_models_never_make_the_verdict_worse(
    accuracy: float, better: float, value: float, items: int, repeats: tuple[Repeat, ...]
) -> None:
    low = judge(ask(value), evidence(accuracy, items=items, repeats=repeats)).word
    high = judge(ask(value), evidence(min(1.0, accuracy + better), items=items, repeats=repeats)).word
    assert low is not None
    assert high is not None
    assert ORDER[high] >= ORDER[low]
