"""What the top rung does with time that is over, and when it leaves it."""

from __future__ import annotations

from superconv_tune.planner.evidence import confirmed
from tests.planner.hours import hour
from tests.simulated import World, brief


def test_time_that_no_longer_cycle_can_use_goes_to_more_configurations_and_a_run_off() -> None:
    """Cycles of 30 epochs, the longest allowed, are short against this budget."""
    conductor, _ = hour(World(step_s=0.01), budget_s=2100.0, how=brief(None))
    study, top = conductor.study, 2
    assert study.plan is not None
    assert len(study.plan.rungs) == top + 1
    searched = [r for r in study.asked("search", top).values() if r.proposal is not None]
    again = [r for r in study.asked("search", top).values() if r.proposal is None]
    assert len(searched) > 3 * study.plan.rungs[top].width
    assert 2 <= len(again) <= 30
    assert {r.params.cycle_epochs for r in again} == {study.plan.rungs[top].epochs}
    assert conductor.busy_s >= 0.75 * 2 * (study.deadline - study.opened.started_at - 30.0)
    assert len(confirmed(study)) >= 3


def test_no_more_configurations_are_tried_once_the_target_looks_reached() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=brief(0.85))
    plan = conductor.study.plan
    assert plan is not None
    assert len(conductor.study.asked("search", len(plan.rungs) - 1)) == plan.rungs[-1].width


def test_the_number_of_trials_that_a_user_allows_is_kept() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=brief(None, trials=25))
    searched = [r for r in conductor.study.asked("search").values() if r.proposal is not None]
    assert len(searched) <= 25
