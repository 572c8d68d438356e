"""Complete simulated searches: verdicts, retries, replay, and the use of the time."""

from __future__ import annotations

import pytest

from superconv_tune.planner.ask import Draw
from superconv_tune.planner.decide import decide
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.record.conductor import Signal
from superconv_tune.record.events import Closed, Requested
from superconv_tune.record.purpose import Sampled
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialRequest
from tests.planner.hours import hour
from tests.simulated import World, brief


def test_a_reachable_target_is_demonstrated() -> None:
    conductor, _ = hour(World(), how=brief(0.85))
    assert verdict_of(conductor.study, conductor.brief).word == "demonstrated"


def test_an_unreachable_target_is_not_called_feasible() -> None:
    conductor, _ = hour(World(), how=brief(0.995))
    assert verdict_of(conductor.study, conductor.brief).word in ("undecided", "infeasible")


def test_a_decided_search_stops_early() -> None:
    conductor, clock = hour(World(), budget_s=3600.0, how=brief(0.7))
    assert verdict_of(conductor.study, conductor.brief).word == "demonstrated"
    assert clock.now < conductor.study.deadline - 60.0


def test_at_least_half_of_the_worker_seconds_go_to_the_longest_cycles() -> None:
    conductor, _ = hour(World(step_s=0.03), budget_s=600.0, how=brief(None))
    plan = conductor.study.plan
    assert plan is not None
    top = [
        trial.outcome.wall_s
        for trial in conductor.study.trials("search", "confirm")
        if trial.request.params.cycle_epochs == plan.rungs[-1].epochs
    ]
    assert sum(top) >= 0.5 * conductor.busy_s


def test_workers_are_busy() -> None:
    conductor, clock = hour(World(step_s=0.03), budget_s=600.0, how=brief(None))
    assert conductor.busy_s >= 0.8 * 2 * (clock.now - conductor.study.opened.started_at - 30.0)


def test_a_replayed_prefix_decides_the_same() -> None:
    conductor, _ = hour(World(), how=brief(None))
    requested = [index for index, event in enumerate(conductor.events) if isinstance(event, Requested)]
    for index in requested[::5]:
        event = conductor.events[index]
        assert isinstance(event, Requested)
        decision = decide(Study.replay(conductor.events[:index]), conductor.brief, event.at)
        assert isinstance(decision, TrialRequest | Draw)
        asked = decision.draft if isinstance(decision, Draw) else decision
        assert asked.trial_id == event.request.trial_id
        assert asked.seed == event.request.seed


def test_a_closed_study_asks_for_nothing() -> None:
    conductor, clock = hour(World(), how=brief(None))
    conductor.record(Closed(clock.now, "interrupted"))
    assert decide(conductor.study, conductor.brief, clock.now) is Signal.DONE


def test_a_lost_trial_is_asked_for_again_and_no_more_than_three_times() -> None:
    def fate(request: TrialRequest) -> Status:
        return "preempted" if request.trial_id.startswith("0004") else "finished"

    conductor, _ = hour(World(fate=fate), how=brief(None))
    attempts = [
        e.request.attempt for e in conductor.events if isinstance(e, Requested) and e.request.trial_id[:4] == "0004"
    ]
    assert attempts == [1, 2, 3]


def test_the_ends_of_drivers_do_not_use_up_the_attempts_of_a_trial() -> None:
    def fate(request: TrialRequest) -> Status:
        is_struck = request.trial_id.startswith("0004") and request.attempt <= 5
        return "interrupted" if is_struck else "finished"

    conductor, _ = hour(World(fate=fate), how=brief(None))
    (request,) = [r for r in conductor.study.requests.values() if r.trial_id.startswith("0004")]
    assert request.attempt == 6
    assert conductor.study.outcomes[request.trial_id].status == "finished"


def test_a_lost_draw_is_asked_for_again_with_the_same_parameters_as_a_new_proposal() -> None:
    def fate(request: TrialRequest) -> Status:
        is_lost = isinstance(request.purpose, Sampled) and request.attempt == 1
        return "preempted" if is_lost else "finished"

    conductor, _ = hour(World(fate=fate), how=brief(None))
    tries: dict[str, list[TrialRequest]] = {}
    for event in conductor.events:
        if isinstance(event, Requested) and isinstance(event.request.purpose, Sampled):
            tries.setdefault(event.request.trial_id, []).append(event.request)
    again = [(first, second) for first, second in (asked for asked in tries.values() if len(asked) == 2)]
    assert len(again) >= 3
    for first, second in again:
        assert (second.params, second.seed, second.rung) == (first.params, first.seed, first.rung)
        assert second.proposal != first.proposal


def test_a_search_in_which_nothing_finishes_ends_undecided() -> None:
    conductor, _ = hour(World(fate=lambda _: "code_error"), how=brief(0.8))
    assert verdict_of(conductor.study, conductor.brief).word == "undecided"


@pytest.mark.timeout(100)
@pytest.mark.no_cover  # it takes the time
def test_a_simulated_hour_on_64_workers_takes_less_than_a_minute_or_two() -> None:
    conductor, _ = hour(World(step_s=0.02), budget_s=3600.0, workers=64, how=brief(0.99))
    assert len(conductor.study.requests) > 100
    assert verdict_of(conductor.study, conductor.brief).word is not None
