"""The range test at the beginning."""

from __future__ import annotations

import math

import pytest

from superconv_tune.lr.lr_range import RangeTestResult, Refusal
from superconv_tune.lr.rate_grid import FALLBACK_LR
from superconv_tune.record.events import Observed, Requested
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from tests.planner.hours import hour
from tests.simulated import START_S, WatchedConductor, World, brief, opened


def test_it_runs_once_while_other_workers_already_train() -> None:
    conductor, _ = hour(World(), how=brief(None))
    first, second, *_ = (event for event in conductor.events if isinstance(event, Requested))
    assert len(conductor.study.asked("range_test")) == 1
    assert (first.request.kind, second.request.kind) == ("range_test", "search")
    assert first.at == second.at


def test_it_is_left_out_where_it_would_cost_more_than_a_fiftieth_of_the_budget() -> None:
    conductor, _ = hour(World(step_s=0.1), how=brief(None))
    assert not conductor.study.asked("range_test")
    assert conductor.study.recipe is not None


@pytest.mark.parametrize("misled", [1.0, 30.0, 1 / 30])
def test_its_pick_is_moved_to_the_series_of_the_trials_that_did_not_wait_for_it(misled: float) -> None:
    conductor, _ = hour(World(misled=misled), how=brief(None))
    rates = {r.work.max_lr for r in conductor.study.asked("search", 0).values() if isinstance(r.work, Cycle)}
    octaves = [math.log2(rate / FALLBACK_LR["sgd"]) for rate in rates]
    assert all(abs(octave - round(octave)) < 1e-6 for octave in octaves)


@pytest.mark.parametrize("misled", [30.0, 1 / 30])
def test_a_misleading_one_is_corrected_by_the_trials(misled: float) -> None:
    conductor, _ = hour(World(misled=misled), how=brief(None))
    recipe = conductor.study.recipe
    assert recipe is not None
    best = 0.1 * recipe.params.cycle_epochs**0.25
    assert abs(math.log2(recipe.max_lr / best)) <= 1.0


@pytest.mark.parametrize(("optimizer", "centre"), [("sgd", 0.005), ("adamw", 1e-4), ("factory", 1e-3)])
def test_pretrained_weights_are_tried_with_lower_rates(optimizer: str, centre: float) -> None:
    scratch, tuned = (brief(None, optimizer=optimizer, fine_tuned=names) for names in (frozenset(), frozenset({""})))
    assert tuned.fallback_lr == pytest.approx(centre)
    assert tuned.ramp_interval == pytest.approx([rate / 10 for rate in scratch.ramp_interval])


@pytest.mark.parametrize("refused", list(Refusal))
def test_without_a_descent_the_first_grid_lies_where_nothing_is_destroyed(refused: Refusal) -> None:
    how = brief(None, fine_tuned=frozenset({""}))
    start = opened(3600.0, 2)
    conductor = WatchedConductor(start, how, lambda: start.started_at + START_S)
    asked = conductor.next()
    assert isinstance(asked, TrialRequest)
    assert isinstance(asked.purpose, RangeTest)
    nothing = RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, 285, refusal=refused)
    outcome = TrialOutcome(asked.trial_id, 1, "no_lr", 0.1, str(refused), range_test=nothing)
    conductor.record(Observed(start.started_at + START_S, outcome))
    after = conductor.next()
    assert isinstance(after, TrialRequest)
    assert after.cycle.max_lr == pytest.approx(0.005)
