"""The state of a study after its events: requests, outcomes and the current recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.events import (
    Closed,
    Dropped,
    Family,
    Measured,
    Observed,
    Opened,
    Planned,
    Requested,
    Resized,
    Resumed,
)
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Confirm, Probe, Scaling
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Trial, TrialOutcome, TrialRequest
from tests.record.story import Story

PLAN = Plan((RungPlan(1.0, 8), RungPlan(3.0, 4, free=True)), 4, (1.5, 4.0), is_too_small=True)
REQUEST = TrialRequest(
    "a", 1, Probe(0.1), Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=3, deadline=10.0, rung=0
)
OUTCOME = TrialOutcome("a", 1, "finished", 0.9)


def study() -> Study:
    return Study.replay([Opened("s", 0.0, 9.0, 2, {}), Requested(1.0, REQUEST)])


def test_a_study_follows_its_events() -> None:
    state = study()
    assert [request.trial_id for request in state.running()] == ["a"]
    state.apply(Observed(2.0, OUTCOME))
    assert state.trials("search") == [Trial(REQUEST, OUTCOME)]
    assert state.trial("a") == Trial(REQUEST, OUTCOME)
    assert state.turnaround_s == {"a": 1.0}
    assert state.trials("confirm") == []
    state.apply(Planned(2.0, PLAN))
    assert state.plan == PLAN
    state.apply(Closed(3.0, "interrupted"))
    assert state.closed is not None
    state.apply(Resumed(4.0, 20.0, 8))
    assert state.workers == 8
    state.apply(Resized(4.5, 4))
    assert Study.replay([Opened("s", 0.0, 9.0, 2, {}), Resumed(4.0, 20.0, 8)]).closed is None
    assert (state.deadline, state.workers) == (20.0, 4)


HOUR_S, DAY_S = 3600.0, 86_400.0


def test_a_pause_before_it_is_resumed_is_no_time_of_the_study_nor_of_its_workers() -> None:
    """20 minutes with four workers, and the next day 40 minutes with two, of which ten with eight."""
    families = (Family("net", Measured()), Family("trees", Measured(), is_fitted=True))
    state = Study.replay([Opened("s", 0.0, HOUR_S, 4, {}, families=families), Dropped(1200.0, "net")])
    assert (state.budget_s, state.worker_s(HOUR_S)) == (HOUR_S, 4 * HOUR_S)
    state.apply(Resumed(DAY_S + 15.0, DAY_S + 2400.0, 2, started_at=DAY_S))
    for each in (state, *state.arms.values()):
        assert (each.budget_s, each.paused_s) == (HOUR_S, DAY_S - 1200.0)
        assert each.worker_s(each.deadline) == 4 * 1200.0 + 2 * 2400.0
    state.apply(Resized(DAY_S + 600.0, 8))
    state.apply(Resized(DAY_S + 1200.0, 2))
    for each in (state, *state.arms.values()):
        assert each.budget_s == HOUR_S
        assert each.worker_s(each.deadline) == 4 * 1200.0 + 2 * 1800.0 + 8 * 600.0


def test_a_journal_that_does_not_say_when_the_command_began_counts_from_its_event() -> None:
    state = Study.replay([Opened("s", 0.0, 9.0, 2, {}), Closed(3.0, "interrupted"), Resumed(7.0, 20.0, 2)])
    assert (state.budget_s, state.worker_s(8.0)) == (16.0, 2 * 4.0)
    late = Study.replay(
        [Opened("s", 0.0, 9.0, 2, {}), Closed(3.0, "interrupted"), Resumed(4.0, 9.0, 2, started_at=2.0)]
    )
    assert late.paused_s == 0.0  # the command waited while the earlier driver went on


def test_a_late_outcome_of_an_abandoned_attempt_is_ignored() -> None:
    state = study()
    state.apply(Requested(2.0, replace(REQUEST, attempt=2)))
    state.apply(Observed(3.0, OUTCOME))
    assert state.running()
    state.apply(Observed(4.0, replace(OUTCOME, attempt=2)))
    assert not state.running()


def test_a_lost_trial_is_lost_until_it_is_asked_for_again() -> None:
    state = study()
    lost = replace(OUTCOME, status="preempted")
    state.apply(Observed(2.0, lost))
    assert state.lost() == [Trial(REQUEST, lost)]
    state.apply(Requested(3.0, replace(REQUEST, attempt=2)))
    assert state.lost() == []
    state.apply(Observed(4.0, replace(OUTCOME, attempt=2, status="interrupted")))
    assert [trial.request.attempt for trial in state.lost()] == [2]
    assert state.losses[REQUEST.trial_id] == 1  # that a driver ended is not counted


@pytest.mark.parametrize("events", [[], [Closed(0.0, "decided")]])
def test_the_first_event_of_a_study_must_be_opened(events: list[object]) -> None:
    with pytest.raises(ValueError, match="Opened"):
        Study.replay(events)  # type: ignore[arg-type]


def test_a_second_opened_event_is_refused() -> None:
    with pytest.raises(ValueError, match="opened once"):
        study().apply(Opened("s", 0.0, 9.0, 2, {}))


def test_requests_are_found_by_phase_and_by_rung() -> None:
    story = Story()
    low, high = story.searched(0.1, 0.8), story.searched(0.2, 0.9, rung=1)
    again, fresh = story.again(high, 0.9), story.fresh(0.9)
    of = {name: list(found) for name, found in {
        "search": story.study.asked("search"), "rung 1": story.study.asked("search", 1),
        "fresh": story.study.asked("confirm"), "none": story.study.asked("baseline"),
    }.items()}  # fmt: skip
    names = [trial.request.trial_id for trial in (low, high, again, fresh)]
    assert of == {
        "search": names[:3], "rung 1": names[1:3], "fresh": [names[3]], "none": [],
    }  # fmt: skip
    asked = story.ask(Probe(0.4))
    assert story.study.came_back([high.request, asked, low.request]) == [high, low]
    with pytest.raises(KeyError):
        story.study.trial(asked.trial_id)


def test_no_request_trains_a_recipe_before_one_is_frozen() -> None:
    story = Story()
    story.ask(Probe(0.2))
    assert story.study.recipe is None
    assert story.study.recipes == []
    assert story.study.of_recipe("confirm") == []
    assert story.study.of_recipe("search") == []
    assert story.study.fresh_models() == []


def test_after_a_calmer_recipe_trials_of_the_first_do_not_count() -> None:
    story = Story()
    story.fresh(0.9)
    story.scaled(0.7)
    story.fresh(0.3)
    first = story.study.recipe
    assert first is not None
    story.freeze(first.calmer())
    story.fresh(0.8)
    scaled = story.scaled(0.6)
    assert [recipe.number for recipe in story.study.recipes] == [1, 2]
    assert story.study.recipe == first.calmer()
    assert [trial.value for trial in story.study.fresh_models()] == [0.8]
    assert story.study.of_recipe("scaling") == [scaled.request]


def test_two_recipes_with_the_same_peak_are_different() -> None:
    """They differ by number, because two configurations may have the same peak."""
    story = Story()
    first = story.freeze(Recipe(1, "0000", Hyperparameters(), 0.2, Schedule()))
    story.fresh(0.3)
    story.freeze(replace(first, number=2, params=Hyperparameters(weight_decay=1e-3)))
    assert story.study.fresh_models() == []
    fresh = story.fresh(0.9)
    assert story.study.of_recipe("confirm") == [fresh.request]
    assert fresh.request.params.weight_decay == 1e-3


def test_an_incomplete_fresh_seed_is_no_fresh_model() -> None:
    story = Story()
    story.fresh(0.1, status="diverged")
    story.fresh(0.9)
    story.ask(Confirm(1))
    story.ask(Scaling(1))
    assert [trial.value for trial in story.study.fresh_models()] == [0.9]
    assert len(story.study.of_recipe("confirm")) == 3
