"""A whole hour in memory: deadlines, promotion, retries, replay, and what the hour is spent on."""

from __future__ import annotations

import numpy as np
import pytest

from superconv_tune.core.events import Closed, Planned, Requested
from superconv_tune.core.study import Study
from superconv_tune.core.trial import Status, TrialOutcome, TrialRequest
from superconv_tune.planner.ask import Ask, Signal
from superconv_tune.planner.decide import JITTER, decide
from superconv_tune.planner.evidence import confirmed, verdict_of
from superconv_tune.planner.policy import Policy
from tests.simulated import PlanningConductor, SimulatedCluster, World, opened, policy

CLIFF = 0.09


def hour(
    world: World, budget_s: float = 600.0, workers: int = 2, how: Policy | None = None
) -> tuple[PlanningConductor, SimulatedCluster]:
    """A search from half a minute after the command to its end."""
    start = opened(budget_s, workers, world.step_s)
    cluster = SimulatedCluster(world, workers, start.started_at + 30.0)
    conductor = PlanningConductor(Study(start), how or policy(), cluster.clock)
    cluster.run(conductor)
    return conductor, cluster


def test_a_reachable_target_is_demonstrated() -> None:
    conductor, _ = hour(World(), how=policy(0.85))
    assert verdict_of(conductor.study, conductor.policy).word == "demonstrated"


def test_an_unreachable_target_is_not_called_feasible() -> None:
    conductor, _ = hour(World(), how=policy(0.995))
    assert verdict_of(conductor.study, conductor.policy).word in ("undecided", "infeasible")


def test_a_decided_search_stops_early() -> None:
    conductor, cluster = hour(World(), budget_s=3600.0, how=policy(0.7))
    assert verdict_of(conductor.study, conductor.policy).word == "demonstrated"
    assert cluster.now < conductor.study.deadline - 60.0


@pytest.mark.parametrize("strategy", ["ladder", "free"])
def test_the_top_rung_is_the_confirmations_length(strategy: str) -> None:
    conductor, _ = hour(World(), how=policy(None, strategy=strategy))
    plan = conductor.study.plan
    assert plan is not None
    searched = [request.params.cycle_epochs for request, _ in conductor.study.trials("search")]
    (fresh,) = {request.params.cycle_epochs for request, _ in conductor.study.trials("confirm")}
    assert len(set(searched)) >= 2
    if strategy == "ladder":
        assert fresh == max(searched) == plan.rungs[-1].epochs
    else:
        assert fresh in searched
        assert len(set(searched)) > 4


def test_confirmation_is_one_frozen_recipe_on_fresh_seeds() -> None:
    conductor, _ = hour(World(), how=policy(None))
    trials = confirmed(conductor.study)
    assert len(trials) >= 3
    assert len({(request.params, request.pick_lr) for request, _ in trials}) == 1
    seeds = [request.seed for request in conductor.study.requests.values()]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("best_lr", [0.002, 0.1, 5.0])
def test_probes_widen_until_the_best_learning_rate_is_inside(best_lr: float) -> None:
    """The range test of this world is 64 times too low; the probes have to climb out."""
    world = World(best_lr=best_lr)
    plain = world.run

    def misled(request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = plain(request, now, slowness)
        return outcome, took

    world.run = misled  # type: ignore[method-assign]
    conductor, _ = hour(world, how=policy(None))
    recipe = confirmed(conductor.study)[0][0]
    assert recipe.pick_lr is not None
    wanted = best_lr * recipe.params.cycle_epochs**world.exponent
    assert abs(np.log2(recipe.pick_lr / wanted)) < 1.5


def test_a_trials_own_ramp_costs_a_tenth_of_it_but_for_the_lowest_rung() -> None:
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=policy(None))
    shares = [
        request.ramp_steps / outcome.steps
        for request, outcome in conductor.study.trials("search")
        if request.ramp is not None and request.rung > 0
    ]
    assert shares
    assert np.mean(shares) <= 0.1


def test_at_least_half_of_the_worker_seconds_go_to_the_longest_cycles() -> None:
    conductor, cluster = hour(World(step_s=0.03), budget_s=600.0, how=policy(None))
    plan = conductor.study.plan
    assert plan is not None
    top = [
        o.wall_s
        for r, o in conductor.study.trials("search", "confirm")
        if r.params.cycle_epochs == plan.rungs[-1].epochs
    ]
    assert sum(top) >= 0.5 * cluster.busy_s


def test_workers_are_busy() -> None:
    conductor, cluster = hour(World(step_s=0.03), budget_s=600.0, how=policy(None))
    assert cluster.busy_s >= 0.8 * 2 * (cluster.now - conductor.study.opened.started_at - 30.0)


def test_a_replayed_prefix_decides_the_same() -> None:
    conductor, _ = hour(World(), how=policy(None))
    requested = [index for index, event in enumerate(conductor.events) if isinstance(event, Requested)]
    for index in requested[::5]:
        event = conductor.events[index]
        assert isinstance(event, Requested)
        decision = decide(Study.replay(conductor.events[:index]), conductor.policy, event.at)
        assert isinstance(decision, Ask)
        assert decision.request.trial_id == event.request.trial_id
        assert decision.request.seed == event.request.seed


def test_a_closed_study_asks_for_nothing() -> None:
    conductor, cluster = hour(World(), how=policy(None))
    conductor.record(Closed(cluster.now, "interrupted"))
    assert decide(conductor.study, conductor.policy, cluster.now) is Signal.DONE


def test_a_lost_trial_is_asked_for_again_and_no_more_than_three_times() -> None:
    def fate(request: TrialRequest) -> Status:
        return "preempted" if request.trial_id.startswith("0004") else "finished"

    conductor, _ = hour(World(fate=fate), how=policy(None))
    attempts = [
        e.request.attempt for e in conductor.events if isinstance(e, Requested) and e.request.trial_id[:4] == "0004"
    ]
    assert attempts == [1, 2, 3]


def test_nothing_that_finishes_is_undecided_and_ends() -> None:
    conductor, _ = hour(World(fate=lambda _: "code_error"), how=policy(0.8))
    assert verdict_of(conductor.study, conductor.policy).word == "undecided"


@pytest.mark.timeout(20)
def test_an_hour_on_64_workers_takes_seconds() -> None:
    conductor, _ = hour(World(step_s=0.02), budget_s=3600.0, workers=64, how=policy(0.99))
    assert len(conductor.study.requests) > 100
    assert verdict_of(conductor.study, conductor.policy).word is not None


def test_a_recipe_that_only_one_seed_bears_gives_way_to_a_calmer_one() -> None:
    """Above a cliff every second seed fails; the best of the search stands there."""

    def fate(request: TrialRequest) -> Status:
        peak = (request.pick_lr or 0.0) * request.params.lr_multiplier
        is_fresh = request.kind in ("confirm", "scaling")
        return "diverged" if is_fresh and peak > CLIFF and request.seed % 2 else "finished"

    world = World(fate=fate, exponent=0.0, best_lr=0.15)
    conductor, cluster = hour(world, budget_s=900.0, how=policy(None))
    peaks = [request.pick_lr or 0.0 for request in conductor.study.asked("confirm").values()]
    assert peaks[0] > CLIFF > peaks[-1]
    assert {outcome.status for _, outcome in confirmed(conductor.study)} == {"finished"}
    assert len(confirmed(conductor.study)) >= 3
    assert cluster.now <= conductor.study.deadline


def test_a_promoted_configuration_keeps_its_multiplier_whatever_its_batch_size() -> None:
    """The pick of its rung knows the batch size already; the jitter alone may move the rate."""
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=policy(None))
    searched = [request for request, _ in conductor.study.trials("search") if request.proposal is not None]
    moves = []
    for trial_id in conductor.promoted:
        child = conductor.study.requests[trial_id].params
        parents = [r.params for r in searched if r.rung == conductor.study.requests[trial_id].rung - 1]
        parent = next((p for p in parents if p.weight_decay == child.weight_decay), None)
        if parent is not None and child.batch_size != 128 and 0.36 < child.lr_multiplier < 1.95:  # not cut by its range
            moves.append(child.lr_multiplier / parent.lr_multiplier)
    assert len(moves) >= 3
    assert all(any(move == pytest.approx(jitter) for jitter in JITTER) for move in moves)


def test_time_that_no_longer_cycle_can_use_goes_to_more_configurations_and_a_run_off() -> None:
    """Cycles of 30 epochs, the longest allowed, are short against this budget."""
    conductor, cluster = hour(World(step_s=0.01), budget_s=2400.0, how=policy(None))
    study, top = conductor.study, 2
    assert study.plan is not None
    assert len(study.plan.rungs) == top + 1
    searched = [r for r in study.asked("search", top).values() if r.proposal is not None]
    again = [r for r in study.asked("search", top).values() if r.proposal is None]
    assert len(searched) > 3 * study.plan.rungs[top].width
    assert 2 <= len(again) <= 30
    assert cluster.busy_s >= 0.75 * 2 * (study.deadline - study.opened.started_at - 30.0)
    assert len(confirmed(study)) >= 3


def test_no_more_configurations_are_tried_once_the_target_looks_reached() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=policy(0.85))
    plan = conductor.study.plan
    assert plan is not None
    assert len(conductor.study.asked("search", len(plan.rungs) - 1)) == plan.rungs[-1].width


def test_the_number_of_trials_that_a_user_allows_is_kept() -> None:
    conductor, _ = hour(World(step_s=0.01), budget_s=2400.0, how=policy(None, trials=25))
    searched = [r for r in conductor.study.asked("search").values() if r.proposal is not None]
    assert len(searched) <= 25


def test_a_machine_slower_than_measured_shortens_every_rung_and_skips_none() -> None:
    conductor, _ = hour(World(step_s=0.03, slow=lambda _: 2.5), budget_s=1800.0, how=policy(None))
    plans = [event.plan for event in conductor.events if isinstance(event, Planned)]
    assert len(plans[0].rungs) >= 3
    for index in range(len(plans[0].rungs)):
        assert len(conductor.study.asked("search", index)) >= 2
    lengths = [rung.epochs for rung in plans[-1].rungs]
    assert lengths == sorted(lengths)
    assert lengths[-1] < plans[0].rungs[-1].epochs
