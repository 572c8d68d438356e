"""The verdict: the evidence that each word needs, and that better models never make it worse."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superconv_tune.verdict.judge import judge as judged
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.more_data import Growth
from superconv_tune.verdict.outlook import Calibration
from superconv_tune.verdict.settling import lengths
from superconv_tune.verdict.verdict import FLAT as FLATTEST
from superconv_tune.verdict.verdict import HOPELESS, LIKELY, Case, Evidence, Repeat, Target, Verdict, last_step

LIBRARY = Calibration(0.05, 2.0, tuple(np.linspace(-0.45, 0.45, 41)))
GROWTH = Growth(0.0, 1.0, tuple(np.linspace(-0.4, 0.4, 41)))
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
    return Evidence(
        values, correct, looks, (), validation_items=500, epochs=9.0, repeats=repeats, is_bracketed=True, epoch_s=20.0
    )


def judge(target: Target, evidence: Evidence) -> Verdict:
    return judged(target, evidence, LIBRARY, GROWTH)


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


def test_one_network_makes_nothing_likely_because_it_does_not_show_how_far_seeds_lie_apart() -> None:
    counted = "The interval counts test items, and not seeds"
    one, two = (evidence(0.90, models=models, items=20_000, repeats=RISING) for models in (1, 2))
    for value in (0.5, 0.905):  # which the confirmation promises, or the forecast alone
        verdict = judge(ask(value), one)
        assert verdict.word == "undecided"
        assert (verdict.probability or 0.0) > LIKELY
        assert verdict.warnings[0] == "Only 1 fresh model was confirmed; 3 are needed to demonstrate."
        assert verdict.warnings[1].startswith(counted)
        assert judge(ask(value), two).word == "likely"
    assert "Only 2 fresh models were confirmed" in " ".join(judge(ask(0.5), two).warnings)
    assert counted not in " ".join(judge(ask(0.5), two).warnings)
    fitted = judge(ask(0.5), replace(one, is_fitted=True, repeats=(), epochs=0.0))
    assert fitted.word == "likely"
    assert counted not in " ".join(fitted.warnings)


@pytest.mark.parametrize(
    ("failed", "reliability", "word"), [(4, 0.5, "likely"), (5, 0.5, "undecided"), (2, 0.75, "undecided")]
)
def test_where_more_trainings_fail_than_the_question_allows_nothing_is_likely(
    failed: int, reliability: float, word: str
) -> None:
    target = Target("accuracy", "max", 0.9, reliability)
    assert judge(target, replace(evidence(0.98, models=4), failed=failed)).word == word


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


@pytest.mark.parametrize("value", [0.908, 0.91])
def test_an_undecided_verdict_names_the_lengths_at_which_the_target_is_out_of_reach(value: float) -> None:
    data = evidence(0.90, items=20_000, repeats=FLAT)
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
    said = re.findall(
        r"with no more than ([\d.]+) it is out of reach \(below 5 %\)", judge(ask(value), data).reasons[0]
    )
    assert 0.9 * epochs < float(*said) <= epochs


GUARDED = {
    "unbracketed": (replace(evidence(0.90, repeats=FLAT), is_bracketed=False), "both sides of the best were not tried"),
    "steep": (evidence(0.90, repeats=RISING), "from 3 to 9 epochs, still helped"),
    "noisy": (replace(evidence(0.90, repeats=FLAT), validation_items=20), "still helped, or may have"),
    "in groups": (replace(evidence(0.90, repeats=FLAT), validation_worth=20.0), "still helped, or may have"),
    "below a floor": (replace(evidence(0.90, repeats=FLAT), floor=0.91), "simple method is as good as these models"),
}


@pytest.mark.parametrize(("data", "fault"), GUARDED.values(), ids=GUARDED)
def test_nothing_is_out_of_reach_where_the_search_may_be_at_fault(data: Evidence, fault: str) -> None:
    less = (Repeat(3.0, 0.5, 0.85, 1), Repeat(3.0, 0.25, 0.80, 1))
    data = replace(data, repeats=(*data.repeats, *less))
    sound = replace(evidence(0.90, repeats=FLAT), repeats=(*FLAT, *less), floor=0.89)
    for value in (0.93, 0.97, 0.995, 0.9999):
        verdict = judge(ask(value), data)
        words = " ".join(verdict.reasons)
        assert verdict.word in ("undecided", "likely")
        assert "no more than" not in words
        assert "times as much" not in words
        if verdict.word == "undecided":
            assert fault in words
    assert judge(ask(0.995), sound).word == "infeasible"
    assert "times as much" in " ".join(judge(ask(0.995), sound).reasons)
    in_groups = replace(sound, groups=np.arange(1000, dtype=np.int64) // 5)
    assert "further groups would gain is not estimated" in " ".join(judge(ask(0.995), in_groups).reasons)


@given(
    value=st.floats(0.91, 0.9999),
    before=st.floats(0.2, 0.95),
    floor=st.one_of(st.none(), st.floats(0.1, 0.99)),
    is_bracketed=st.booleans(),
    items=st.integers(50, 20_000),
)
def test_whatever_is_called_out_of_reach_has_been_searched_soundly(
    value: float, before: float, floor: float | None, is_bracketed: bool, items: int
) -> None:
    data = replace(evidence(0.90, items=items, repeats=repeated(before, 0.90)), floor=floor, is_bracketed=is_bracketed)
    case = Case.of(ask(value), data, LIBRARY)
    assert case is not None
    if case.word == "infeasible" or case.hopeless_epochs is not None:
        assert is_bracketed
        assert floor is None or floor < case.estimate.value
        step = last_step(data)
        assert step is not None
        assert 1.0 - 3.0**-step.value <= FLATTEST


def test_what_would_settle_an_open_question_is_an_interval_of_epochs_and_minutes() -> None:
    """The odds of an error fell by a factor of 1.7 in a tripling, and have to fall by 2.1 and a half: 4 times or so."""
    steady = repeated(6.3 / 7.3, 10.7 / 11.7)  # slope 0.48, on so many items that it is known
    data = replace(evidence(0.914, items=20_000, repeats=steady), validation_items=200_000, horizon=20.0)
    case = Case.of(ask(0.957), data, LIBRARY)
    assert case is not None
    low, high = lengths(case)
    assert high is not None
    exact = 9.0 * math.exp((math.log(0.957 / 0.043) - math.log(0.914 / 0.086)) / 0.482)
    assert low <= min(exact, 27.0)
    assert high >= exact
    assert high / exact < 1.2
    told = judge(ask(0.957), data).settling
    assert told is not None
    assert (told.low_epochs, told.high_epochs) == pytest.approx((low, high), rel=0.05)
    assert (told.low_minutes, told.high_minutes) == pytest.approx((low / 3.0, high / 3.0), rel=0.05)  # 20 s an epoch
    assert judge(ask(0.5), data).settling is None
    assert judge(ask(None), data).settling is None


def test_where_no_length_is_long_enough_the_interval_is_open() -> None:
    data = replace(evidence(0.90, repeats=repeated(0.88, 0.90)), is_bracketed=False)
    case = Case.of(ask(0.99), data, LIBRARY)
    assert case is not None
    assert lengths(case)[1] is None
    told = judge(ask(0.99), data).settling
    assert told is not None
    assert told.high_minutes is None


LONGER_SEARCHED = (Rung(9.0, 0.90, 0.87, 0.92, 4), Rung(27.0, 0.90, 0.87, 0.92, 4))
NO_LONGER = {
    "worse": evidence(0.90, repeats=FALLING),
    "worse, and worse still": replace(evidence(0.90, repeats=FALLING), rungs=LONGER_SEARCHED, is_bracketed=False),
    "worse, in groups": replace(
        evidence(0.90, repeats=repeated(0.94, 0.90)), validation_worth=20.0, is_bracketed=False
    ),
    "below a floor": GUARDED["below a floor"][0],
    "fitted": replace(evidence(0.90), is_fitted=True, is_bracketed=False, epochs=0.0),
}


@pytest.mark.parametrize("data", NO_LONGER.values(), ids=NO_LONGER)
def test_nobody_is_sent_into_longer_cycles_that_would_not_help(data: Evidence) -> None:
    verdict = judge(ask(0.95), data)
    assert verdict.word == "undecided"
    assert verdict.settling is None
    assert not verdict.longer_may_help
    assert judge(ask(0.95), evidence(0.90, repeats=RISING)).longer_may_help


def test_longer_cycles_were_worse_only_where_that_is_known() -> None:
    """Not of a metric that is no share of items; and of an error rate a fall is no loss."""
    no_share = replace(evidence(0.90, repeats=FALLING), correct=None, validation_items=None, is_bracketed=False)
    assert judge(Target("rmse", "min", 0.5), no_share).longer_may_help
    errors = replace(evidence(0.10, repeats=repeated(0.20, 0.10)), is_bracketed=False)
    fewer = judge(Target("error", "min", 0.05), errors)
    assert fewer.longer_may_help
    assert not any("made it worse" in reason for reason in fewer.reasons)


def test_models_worse_than_a_simple_method_are_not_sent_into_longer_cycles() -> None:
    verdict = judge(ask(0.95), GUARDED["below a floor"][0])
    assert any("Another family of models" in reason for reason in verdict.reasons)
    assert verdict.settling is None


def test_a_target_that_fresh_models_may_have_reached_is_not_called_out_of_reach() -> None:
    for value, models in ((0.905, 3), (0.95, 1)):  # too close, too few models
        case = Case.of(ask(value), evidence(0.90, repeats=FLAT, models=models), LIBRARY)
        assert case is not None
        assert case.hopeless_epochs is None
    assert "out of reach:" in judge(ask(0.905), evidence(0.90, repeats=FLAT)).reasons[0]


def test_too_few_trainings_have_no_chance_of_luck_and_others_are_held_against_what_is_allowed() -> None:
    good, often = evidence(0.98, models=4), Target("accuracy", "max", 0.5, reliability=0.95)
    for target, data in (
        (ask(0.99), evidence(0.98, models=1)),
        (ask(0.5), evidence(0.98, models=2)),
        (ask(0.5), replace(good, failed=1)),
        (often, good),
    ):
        assert "(too few trainings ended well to tell)" in judge(target, data).reasons[0]
    close = judge(ask(0.975), evidence(0.98, models=4, items=4000)).reasons[0]
    shown = re.findall(r"\(probability of luck ([\d.]+), allowed ([\d.]+)\)", close)
    assert [float(allowed) for _, allowed in shown] == [0.025]
    assert float(shown[0][0]) > 0.025
    late = replace(evidence(0.98, models=4), looks=3, others=("a", "b"))
    value = next(v for v in np.linspace(0.95, 0.98, 301) if (judge(ask(v), late).word == "likely"))
    luck, allowed = re.findall(
        r"\(probability of luck ([\d.]+), allowed ([\d.]+)\)", judge(ask(value), late).reasons[0]
    )[0]
    assert float(allowed) == 0.00104
    assert 0.00104 < float(luck) < 0.002


def test_models_that_reach_a_target_too_seldom_are_not_said_to_miss_it() -> None:
    """All are above 0.9, but lie so far apart that a fresh training is not above it with probability 0.99."""
    values = (0.905, 0.935, 0.965)
    correct = np.stack([np.arange(1000) < 1000 * value for value in values])
    often = Target("accuracy", "max", 0.9, reliability=0.99)
    data = replace(evidence(0.935, repeats=repeated(0.934, 0.935)), values=values, correct=correct)
    verdict = judge(often, data)
    assert verdict.word == "infeasible"
    said = "The fresh models do not reach accuracy >= 0.9 with probability at least 99 %, and with cycles of up to 72 "
    assert verdict.reasons[0].startswith(said)


def test_numbers_of_every_day_are_written_out() -> None:
    prices = Evidence((31245.6, 30950.2, 31490.1), None, 1, (), None, 10.0)
    told = judge(Target("rmse", "min", 30000.0), prices).reasons
    assert "reached rmse 31,229 on the test part, 95 % interval [30,557, 31,900]." in told[1]
    assert "reached rmse 31,246 on" in judge(Target("rmse", "min", 1.0), replace(prices, values=(31245.6,))).reasons[0]
    long = replace(evidence(0.90, items=20_000, repeats=FLAT), epochs=300.0)
    told = judge(ask(0.91), replace(long, repeats=tuple(replace(r, epochs=r.epochs * 100 / 3) for r in FLAT))).reasons
    assert "with cycles of up to 2,400 epochs it is within reach" in told[0]
    assert re.search(r"with no more than [\d,]+ it is out of reach", told[0])
    assert not any("e+0" in reason for reason in told)


def test_two_models_may_deny_a_far_target_and_demonstrate_nothing() -> None:
    two = evidence(0.90, models=2, items=20_000, repeats=FLAT)
    assert judge(ask(0.99), two).word == "infeasible"
    assert judge(ask(0.50), two).word == "likely"


def test_cycles_of_the_search_tell_what_a_longer_one_gained() -> None:
    searched, fresh = (
        tuple(replace(each, is_searched=is_searched) if each.epochs < 9.0 else each for each in RISING)
        for is_searched in (True, False)
    )
    told = [judge(ask(0.99), evidence(0.90, repeats=each)) for each in (searched, fresh)]
    assert told[0].reachable == told[1].reachable
    assert any("the search's cycles of 3 epochs reached" in reason for reason in told[0].reasons)


def test_where_shorter_cycles_were_better_nothing_is_called_out_of_reach() -> None:
    """0.95 in three epochs and 0.90 in nine: 0.94 is within reach."""
    two = evidence(0.90, models=2, items=1000, repeats=FALLING)
    found = judge(ask(0.94), two)
    assert found.word == "undecided"
    assert "cycles of 9 epochs were worse than those of 3" in " ".join(found.reasons)


def test_without_a_shorter_length_nothing_is_infeasible_and_there_is_a_warning() -> None:
    verdict = judge(ask(0.99), evidence(0.50))
    assert verdict.word == "undecided"
    assert verdict.reachable is None
    assert any("no shorter ones to compare with" in warning for warning in verdict.warnings)


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


def test_the_effect_of_more_data_is_an_interval() -> None:
    """The odds of an error halve with every doubling of the data: from 1/9 to 1/36 takes four times as much."""
    halving = repeated(0.9, 0.92, Repeat(3.0, 0.5, 9 / 11, 1), Repeat(3.0, 0.25, 9 / 13, 1))
    data = replace(evidence(0.90, items=20_000, repeats=halving), validation_items=20_000)
    (sentence,) = [r for r in judge(ask(36 / 37), data).reasons if "on twice the data" in r]
    twice, most = re.findall(r"accuracy of ([\d.]+) to ([\d.]+) is|as much ([\d.]+) to ([\d.]+) \(90 %", sentence)
    assert float(twice[0]) < 18 / 19 < float(twice[1])  # odds of 1/18
    assert float(most[2]) < 72 / 73 < float(most[3])
    near = " ".join(judge(ask(0.93), data).reasons)  # 1.5 times: odds of 1/13
    least, greatest = re.findall(r"0.93 would take ([\d.]+) to ([\d.]+) times as much", near)[0]
    assert 1.0 < float(least) < 1.48 < float(greatest) < 8.0
    far = judge(ask(0.9999), data).reasons
    assert any("0.9999 would take more than 8 times as much" in reason for reason in far)
    assert any(re.search(r"would take [\d.]+ or more times as much", r) for r in judge(ask(0.985), data).reasons)
    useless = repeated(0.90, 0.92, Repeat(3.0, 0.5, 0.90, 1))
    assert any("was about as good" in reason for reason in judge(ask(0.975), evidence(0.90, repeats=useless)).reasons)
    assert not any("twice the data" in reason for reason in judged(ask(0.9), data, LIBRARY).reasons)


def test_nothing_is_said_of_more_data_where_the_metric_is_none_of_the_library() -> None:
    numbers = Evidence((1.0, 1.1, 0.9), None, 1, (), None, 9.0, repeats=repeated(3.1, 3.0, Repeat(3.0, 0.5, 3.2, 1)))
    assert not any("data the recipe" in reason for reason in judge(Target("rmse", "min", 0.5), numbers).reasons)


def test_without_a_target_there_is_an_estimate_but_no_word() -> None:
    verdict = judge(ask(None), evidence(0.9))
    assert verdict.word is None
    assert verdict.probability is None
    assert verdict.estimate is not None


def test_where_longer_cycles_were_searched_and_were_no_better_longer_ones_promise_less() -> None:
    rising = evidence(0.9, repeats=RISING)
    searched = replace(rising, rungs=(Rung(9.0, 0.90, 0.87, 0.92, 4), Rung(27.0, 0.90, 0.87, 0.92, 4)))
    steps = [last_step(searched), last_step(rising)]
    assert [step.value > 0.0 for step in steps if step is not None] == [False, True]
    reached, flat = judge(ask(0.95), rising).reachable, judge(ask(0.95), searched).reachable
    assert reached is not None
    assert flat is not None
    assert flat.value < reached.value


def test_a_recipe_cut_for_want_of_time_makes_nothing_infeasible() -> None:
    """The search came to cycles three times as long, and saw them better: the fresh models were short of time."""
    longer = (Rung(9.0, 0.90, 0.87, 0.92, 4), Rung(27.0, 0.99, 0.98, 1.0, 4))
    given_up = replace(evidence(0.9, repeats=FLAT), rungs=longer, searched=9.0)
    assert judge(ask(0.99), given_up).word == "infeasible"
    for repeats in (FLAT, ()):
        verdict = judge(ask(0.99), replace(given_up, repeats=repeats, searched=27.0))
        assert verdict.word == "undecided"
        assert "no more than" not in verdict.reasons[0]
        assert "time for cycles of 9 epochs only, and not for those of 27" in " ".join(verdict.reasons)


def test_without_a_confirmation_the_verdict_is_undecided() -> None:
    verdict = judge(ask(0.9), Evidence((), None, 1, (Rung(9.0, 0.900, 0.87, 0.92, 4),), 500, 0.0))
    assert verdict.word == "undecided"
    assert verdict.estimate is None
    assert any("0.9" in reason for reason in verdict.reasons)


def test_what_a_single_model_reached_is_told() -> None:
    """Of a metric that is no mean over items, one model has no interval."""
    one = Evidence((0.4567,), None, 1, (), None, 9.0, failed=1)
    verdict = judge(Target("rmse", "min", 0.5), one)
    assert (verdict.word, verdict.estimate) == ("undecided", None)
    assert verdict.reasons[0].startswith(
        "1 fresh model reached rmse 0.4567 on the test part; 1 fresh training diverged."
    )
    assert "two models" in verdict.reasons[0]
    (said,) = judge(Target("rmse", "min", 0.5), replace(one, values=(), failed=2)).reasons
    assert said == "No fresh model of one recipe was confirmed on the test part: 2 fresh trainings diverged."


def test_equal_fits_of_unknown_noise_demonstrate_nothing() -> None:
    fits = Evidence((0.9, 0.9, 0.9, 0.9), None, 1, (), None, 0.0, is_fitted=True, items_se=math.inf)
    verdict = judge(Target("auroc", "max", 0.5), fits)
    assert (verdict.word, verdict.estimate) == ("undecided", None)
    assert "4 fresh models reached auroc 0.9" in verdict.reasons[0]
    assert judge(Target("auroc", "max", 0.5), replace(fits, items_se=0.01)).word == "demonstrated"


@pytest.mark.parametrize("target", [Target("auroc", "max", 0.799), Target("rmse", "min", 0.801)])
def test_many_equal_models_do_not_make_up_for_few_test_items(target: Target) -> None:
    fits = Evidence((0.8,) * 16, None, 1, (), None, 0.0, is_fitted=True, items_se=0.02)
    assert judge(target, fits).word == "undecided"


def test_a_training_that_diverged_is_a_miss_and_is_told() -> None:
    good = evidence(0.98, models=4)
    assert judge(ask(0.95), good).word == "demonstrated"
    verdict = judge(ask(0.95), replace(good, failed=1))
    assert verdict.word == "likely"
    (told,) = [warning for warning in verdict.warnings if "diverged" in warning]
    assert told.startswith("1 of 5 fresh trainings diverged: each is a miss for a demonstration")
    assert "estimate and probability are of those that ended well" in told
    many = evidence(0.98, models=16)
    assert judge(ask(0.95), replace(many, failed=2)).word == "demonstrated"


def test_what_few_models_take_for_granted_is_told() -> None:
    few, many = (judge(ask(0.95), evidence(0.98, models=models)) for models in (3, 6))
    assert few.word == many.word == "demonstrated"
    assert any("taken for granted" in warning and "up to 71 %" in warning for warning in few.warnings)
    assert not any("taken for granted" in warning for warning in many.warnings)


def test_a_higher_reliability_needs_models_further_above_the_target() -> None:
    spread = replace(evidence(0.96, models=8, items=4000), values=tuple(np.linspace(0.95, 0.97, 8)))
    often = Target("accuracy", "max", 0.95, reliability=0.75)
    assert judge(ask(0.95), spread).word == "demonstrated"
    assert judge(often, spread).word != "demonstrated"
    assert judge(replace(often, value=0.92), spread).word == "demonstrated"
    found = judge(often, spread).probability
    alike = judge(ask(0.95), spread).probability
    assert found is not None
    assert alike is not None
    assert found < alike


def test_looks_of_other_searches_raise_the_bar_and_are_named() -> None:
    data = evidence(0.96, items=800)
    value = next(v for v in np.linspace(0.93, 0.96, 301) if 0.98 < (judge(ask(v), data).probability or 0) < 0.99)
    later = replace(data, looks=3, others=("a", "b"))
    assert judge(ask(value), later).word == "likely"
    first = judge(ask(value), later).warnings[0]
    assert first.startswith("This was look 3 at the same test part, after 2 other searches (a, b): ")
    assert "with probability 0.001," in first  # 0.05 / 12 / 4
    assert not any("look" in warning for warning in judge(ask(value), data).warnings)


def test_a_metric_for_which_lower_is_better() -> None:
    target = Target("rmse", "min", 2.0)
    good = Evidence((1.0, 1.1, 0.9, 1.05), None, 1, (), None, 10.0)
    bad = Evidence((3.0, 3.1, 2.9, 3.05), None, 1, (), None, 10.0)
    assert judge(target, good).word == "demonstrated"
    assert judge(target, replace(good, failed=2)).word != "demonstrated"
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


def in_groups(accuracy: float, number: int) -> Evidence:
    """1,000 items in groups of which each is right as often as all."""
    data = evidence(accuracy)
    return replace(data, groups=np.arange(1000, dtype=np.int64) % number)


def test_items_that_come_in_groups_demonstrate_less() -> None:
    alone, grouped, many = evidence(0.98), in_groups(0.98, 12), in_groups(0.98, 200)
    assert judge(ask(0.9), alone).word == "demonstrated"
    few = judge(ask(0.9), grouped)
    assert few.word in ("undecided", "likely")
    assert "on the test part of 12 groups" in " ".join(few.reasons)
    assert few.estimate is not None
    assert few.estimate.low < 0.8
    assert few.estimate.value == pytest.approx(0.98)
    assert judge(ask(0.9), many).word == "demonstrated"
    assert judge(ask(0.7), grouped).word == "demonstrated"


def errors_of(data: Evidence) -> Evidence:
    """The same models and items, of which the errors are counted."""
    assert data.correct is not None
    wrong = ~data.correct
    return replace(data, values=tuple(float(row.mean()) for row in wrong), correct=wrong)


@pytest.mark.parametrize("data", [evidence(0.96, models=10, items=200), in_groups(0.96, 20), in_groups(0.96, 5)])
def test_a_share_of_errors_is_judged_as_the_share_of_what_is_right(data: Evidence) -> None:
    for value in (0.8, 0.9, 0.94, 0.97, 1.0):
        right = Case.of(ask(value), data, LIBRARY)
        wrong = Case.of(Target("error", "min", 1.0 - value), errors_of(data), LIBRARY)
        assert right is not None
        assert wrong is not None
        assert wrong.luck == pytest.approx(right.luck)
        assert wrong.confidence == pytest.approx(right.confidence, abs=1e-9)


def test_ten_seeds_that_share_a_lucky_test_part_demonstrate_no_lower_share_of_errors() -> None:
    """7 errors on 100 items are no surprise where 10 % of all items are errors, however many models make them."""
    errors = np.zeros((10, 100), dtype=np.bool_)
    errors[:, :7] = True
    lucky = Evidence((0.07,) * 10, errors, 1, (), validation_items=500, epochs=9.0)
    assert judge(Target("error", "min", 0.1), lucky).word != "demonstrated"
    assert judge(Target("error", "min", 0.2), lucky).word == "demonstrated"


def test_few_groups_are_warned_of() -> None:
    assert any("The test part has 5 groups only" in warning for warning in judge(ask(0.9), in_groups(0.9, 5)).warnings)
    assert not any("groups only" in warning for warning in judge(ask(0.9), in_groups(0.9, 8)).warnings)


def test_a_metric_without_items_says_that_its_interval_leaves_groups_out() -> None:
    numbers = Evidence((1.0, 1.1, 0.9), None, 1, (), None, 10.0, groups=np.arange(30, dtype=np.int64) // 10)
    warnings = judge(Target("rmse", "min", 2.0), numbers).warnings
    assert any("no more than 3 groups" in warning for warning in warnings)
    alone = replace(numbers, groups=None, test_items=40)
    assert any("no more than 40 items" in w for w in judge(Target("rmse", "min", 2.0), alone).warnings)
    counted = judge(Target("rmse", "min", 2.0), replace(alone, items_se=0.1)).warnings
    assert not any("counts seeds" in warning for warning in counted)
    few = judge(Target("rmse", "min", 2.0), replace(numbers, items_se=0.1)).warnings
    assert any("3 groups only" in warning and "too narrow" in warning for warning in few)


@given(
    accuracy=st.floats(0.5, 0.995), better=st.floats(0.0, 0.3), value=st.floats(0.3, 0.999), number=st.integers(2, 60)
)
@settings(max_examples=25, deadline=None)
def test_better_models_on_groups_never_make_the_verdict_worse(
    accuracy: float, better: float, value: float, number: int
) -> None:
    low = judge(ask(value), in_groups(accuracy, number)).word
    high = judge(ask(value), in_groups(min(1.0, accuracy + better), number)).word
    assert low is not None
    assert high is not None
    assert ORDER[high] >= ORDER[low]


@pytest.mark.parametrize("accuracy", [0.5, 0.9])
def test_of_fitted_models_nothing_is_said_of_longer_cycles(accuracy: float) -> None:
    """And so a target that they miss is not infeasible."""
    found = replace(evidence(accuracy, models=4), is_fitted=True, is_bracketed=False, epochs=0.0)
    verdict = judge(ask(0.95), found)
    assert verdict.word == "undecided"
    assert (verdict.reachable, verdict.settling) == (None, None)
    told = " ".join((*verdict.reasons, *verdict.warnings))
    assert "4 fresh models fitted reached accuracy" in told
    assert "epochs" not in told
    assert "What longer cycles would reach" not in told


def test_fitted_models_demonstrate_like_others() -> None:
    verdict = judge(ask(0.85), replace(evidence(0.9, models=4), is_fitted=True, epochs=0.0))
    assert verdict.word == "demonstrated"
    assert not any("taken for granted" in warning for warning in verdict.warnings)


def test_another_family_that_is_as_good_stands_against_a_no() -> None:
    flat = replace(evidence(0.9, repeats=FLAT), floor=0.93, floor_of="another family (trees)")
    verdict = judge(ask(0.99), flat)
    assert verdict.word == "undecided"
    assert any("another family (trees) is as good as these models" in reason for reason in verdict.reasons)
