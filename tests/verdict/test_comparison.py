from __future__ import annotations

import itertools
import math
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.record.events import Event, Frozen, Measured, Observed, Opened, Requested
from superconv_tune.record.purpose import Baseline as OtherPolicy
from superconv_tune.record.purpose import Confirm, Probe, Purpose
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.verdict.comparison import ComparedPolicy, compare, expected_best, length_to_reach, super_convergence

CURVE = [(1.0, 0.5), (4.0, 0.7), (16.0, 0.9)]
ITEMS = 2_000
ACCURACY = Yardstick("accuracy", "max", ITEMS)
RECIPE = Recipe(1, "6", Hyperparameters(cycle_epochs=16.0), 0.1, Schedule())


@pytest.mark.parametrize(
    ("wanted", "epochs"), [(0.4, 0.0), (0.5, 0.0), (0.6, 2.0), (0.7, 4.0), (0.8, 8.0), (0.9, 16.0), (0.91, math.inf)]
)
def test_the_length_is_interpolated_linearly_in_the_logarithm(wanted: float, epochs: float) -> None:
    assert length_to_reach(CURVE, wanted) == pytest.approx(epochs)


def test_a_longer_cycle_counts_as_at_least_as_good() -> None:
    assert length_to_reach([(1.0, 0.5), (4.0, 0.9), (16.0, 0.8)], 0.85) < 4.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.integers(1, 5))
def test_the_expected_best_is_the_mean_over_all_draws(worths: list[float], tries: int) -> None:
    draws = itertools.combinations(worths, min(tries, len(worths)))
    assert expected_best(worths, tries) == pytest.approx(fmean(max(draw) for draw in draws))


def trial(number: int, purpose: Purpose, epochs: float, value: float, policy: str, lr: float) -> list[Event]:
    params = Hyperparameters(cycle_epochs=epochs)
    schedule = schedule_from(policy)
    request = TrialRequest(
        f"{number}", 1, purpose, Cycle(lr), params=params, schedule=schedule, seed=number, deadline=0.0
    )
    outcome = TrialOutcome(f"{number}", 1, "finished", value, max_lr=lr, validation=value, steps=round(100 * epochs))
    return [Requested(0.0, request), Observed(0.0, outcome)]


def cut_short(events: list[Event]) -> list[Event]:
    """The same trial, shortened by its deadline."""
    requested, observed = events
    assert isinstance(observed, Observed)
    return [requested, replace(observed, outcome=replace(observed.outcome, shortened=True))]


def study(baseline_values: list[float], sign: float = 1.0) -> Study:
    """A ladder of 1, 4 and 16 epochs, three fresh seeds of the longest, and a step schedule at three rates."""
    runs: list[tuple[Purpose, float, float, str, float]] = []
    for epochs, value in CURVE[:2]:
        runs += [(Probe(0.1), epochs, sign * value, "one_cycle", 0.1)] * 3
    runs += [(Confirm(1), 16.0, sign * (0.9 + by), "one_cycle", 0.1) for by in (-0.002, 0.0, 0.002)]
    rates = (0.02, 0.01, 0.04)
    runs += [
        (OtherPolicy(1), 16.0, sign * value, "step", lr) for value, lr in zip(baseline_values, rates, strict=False)
    ]
    events = itertools.chain.from_iterable(trial(n, *run) for n, run in enumerate(runs))
    return Study.replay(
        [Opened("it", 0.0, 1.0, 2, {}, measured=Measured(100, ITEMS, ITEMS)), Frozen(0.0, RECIPE), *events]
    )


def test_the_best_rate_is_compared_with_the_fresh_seeds_and_the_curve_gives_the_steps() -> None:
    (found,) = compare(study([0.7, 0.6, 0.5]), ACCURACY)
    assert (found.schedule, found.value, found.max_lr, found.tried) == ("step", 0.7, 0.02, 3)
    assert not found.at_border
    assert found.rival == pytest.approx(0.9)
    assert found.gain == pytest.approx(0.2)
    assert found.gain_low < 0.2 < found.gain_high
    assert found.steps_to_match == 400
    assert found.steps == 1600
    assert found.steps_low is not None
    assert found.steps_high is not None
    assert found.steps_low < 400 < found.steps_high < 800
    assert super_convergence([found]) is True


def test_for_an_error_lower_is_better() -> None:
    gain, error = Yardstick("gain", "max"), Yardstick("error", "min")
    up, down = compare(study([0.7, 0.6, 0.5]), gain), compare(study([0.7, 0.6, 0.5], sign=-1.0), error)
    assert [b.gain for b in up] == pytest.approx([b.gain for b in down])
    assert [b.steps_to_match for b in up] == [b.steps_to_match for b in down]
    assert [b.value for b in up] == [-b.value for b in down]


def test_equal_steps_are_no_super_convergence_and_a_better_policy_is_not_matched() -> None:
    (equal,) = compare(study([0.9, 0.6, 0.5]), ACCURACY)
    assert super_convergence([equal]) is False
    (better,) = compare(study([0.99, 0.6, 0.5]), ACCURACY)
    assert better.steps_to_match is None
    assert better.gain_high < 0.0
    assert super_convergence([better]) is False


def test_a_best_rate_at_an_end_of_the_grid_is_marked() -> None:
    (found,) = compare(study([0.6, 0.5, 0.7]), ACCURACY)
    assert found.at_border


def test_a_policy_with_too_few_rates_is_not_compared() -> None:
    assert compare(study([0.7, 0.6]), ACCURACY) == ()


def test_trials_that_their_deadline_cut_count_on_neither_side() -> None:
    known = study([0.7, 0.6])
    for event in cut_short(trial(90, OtherPolicy(1), 16.0, 0.5, "step", 0.04)):
        known.apply(event)
    assert compare(known, ACCURACY) == ()
    whole, with_a_cut_one = study([0.7, 0.6, 0.5]), study([0.7, 0.6, 0.5])
    for event in cut_short(trial(90, Probe(0.1), 4.0, 0.99, "one_cycle", 0.1)):
        with_a_cut_one.apply(event)
    assert compare(with_a_cut_one, ACCURACY) == compare(whole, ACCURACY)


def test_without_fresh_models_the_search_at_the_same_length_is_the_rival() -> None:
    searched = [trial(n, Probe(0.1), 4.0, value, "one_cycle", 0.1) for n, value in enumerate((0.6, 0.7))]

    def compared(epochs: float) -> tuple[ComparedPolicy, ...]:
        others = [trial(n, OtherPolicy(1), epochs, 0.5, "step", 0.01 * 2**n) for n in range(2, 5)]
        start = Opened("it", 0.0, 1.0, 2, {}, measured=Measured(100, ITEMS, ITEMS))
        frozen = Frozen(0.0, replace(RECIPE, origin="0"))
        return compare(Study.replay([start, frozen, *itertools.chain.from_iterable([*searched, *others])]), ACCURACY)

    (found,) = compared(4.0)
    assert (found.value, found.rival) == pytest.approx((0.5, 0.7))
    assert compared(64.0) == ()  # of that length the searched policy knows nothing


def test_only_runs_with_the_current_recipe_are_compared() -> None:
    """Those of a recipe that was replaced had other parameters."""
    events = study([0.7, 0.6, 0.5])
    events.apply(Frozen(0.0, replace(RECIPE, number=2)))
    assert compare(events, ACCURACY) == ()


def test_without_step_or_constant_super_convergence_is_unknown() -> None:
    (found,) = compare(study([0.7, 0.6, 0.5]), ACCURACY)
    assert super_convergence([replace(found, schedule="linear", is_standard=False)]) is None
    unknown: ComparedPolicy = replace(found, steps_low=None, steps_high=None)
    assert super_convergence([unknown]) is None
