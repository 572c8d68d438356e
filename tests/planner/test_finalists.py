"""How the top rung uses leftover time, and when it does not."""

from __future__ import annotations

from superconv_tune.planner.evidence import confirmed
from superconv_tune.record.purpose import FromProposer, RunOff
from tests.planner.hours import hour
from tests.simulated import World, brief


def test_time_that_longer_cycles_cannot_use_goes_to_more_configurations_and_a_run_off() -> None:
    """Cycles of 30 epochs, the longest allowed, are short compared with this budget."""
    conductor, _ = hour(World(step_s=0.01), budget_s=2100.0, how=brief(None))
    study, top = conductor.study, 2
    assert study.plan is not None
    assert len(study.plan.rungs) == top + 1
    searched = [r for r in study.asked("search", top).values() if isinstance(r.purpose, FromProposer)]
    again = study.asked_for(RunOff).values()
    assert len(searched) > 3 * study.plan.rungs[top].width
    assert 2 <= len(again) <= 30
    assert len(searched) + len(again) == len(study.asked("search", top))
    assert {r.params.cycle_epochs for r in again} == {study.plan.rungs[top].epochs}
    for request in again:
        assert isinstance(request.purpose, RunOff)
        first = study.trial(request.purpose.parent)
        assert request.cycle.max_lr == first.max_lr
        assert request.params.weight_decay == first.request.params.weight_decay
        assert request.seed != first.request.seed
    assert conductor.busy_s >= 0.75 * 2 * (study.deadline - study.opened.started_at - 30.0)
    assert len(confirmed(study)) >= 3


def test_no_more_configurations_are_tried_once_the_target_looks_reached() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=brief(0.85))
    plan = conductor.study.plan
    assert plan is not None
    assert len(conductor.study.asked("search", len(plan.rungs) - 1)) == plan.rungs[-1].width


def test_the_number_of_trials_that_the_user_allows_is_not_exceeded() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=brief(None, trials=25))
    searched = [r for r in conductor.study.asked("search").values() if isinstance(r.purpose, FromProposer)]
    assert len(searched) <= 25
