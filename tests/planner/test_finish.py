"""The confirmation: one frozen recipe of the longest cycles, or a calmer one."""

from __future__ import annotations

from collections import Counter

import pytest

from superconv_tune.planner.divide import RUN_OFF_SEEDS
from superconv_tune.planner.evidence import confirmed
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.verdict.ladder import complete_cycles
from tests.planner.hours import hour
from tests.simulated import World, brief

CLIFF = 0.09


@pytest.mark.parametrize("strategy", ["ladder", "free"])
def test_the_top_rung_is_the_confirmations_length(strategy: str) -> None:
    conductor, _ = hour(World(), how=brief(None, strategy=strategy))
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
    conductor, _ = hour(World(), how=brief(None))
    trials = confirmed(conductor.study)
    assert len(trials) >= 3
    assert len({(request.params, request.pick_lr) for request, _ in trials}) == 1
    seeds = [request.seed for request in conductor.study.requests.values()]
    assert len(set(seeds)) == len(seeds)


def test_a_recipe_that_only_one_seed_bears_gives_way_to_a_calmer_one() -> None:
    """Above a cliff every second seed fails; the best of the search stands there."""

    def fate(request: TrialRequest) -> Status:
        peak = (request.pick_lr or 0.0) * request.params.lr_multiplier
        is_fresh = request.kind in ("confirm", "scaling")
        return "diverged" if is_fresh and peak > CLIFF and request.seed % 2 else "finished"

    world = World(fate=fate, exponent=0.0, best_lr=0.15)
    conductor, clock = hour(world, budget_s=900.0, how=brief(None))
    peaks = [request.pick_lr or 0.0 for request in conductor.study.asked("confirm").values()]
    assert peaks[0] > CLIFF > peaks[-1]
    assert {outcome.status for _, outcome in confirmed(conductor.study)} == {"finished"}
    assert len(confirmed(conductor.study)) >= 3
    assert clock.now <= conductor.study.deadline


def test_a_recipe_that_fails_gives_way_to_the_next_one_that_held_together_in_the_run_off() -> None:
    """The best of a long run-off fails in its confirmation alone, whatever its peak."""
    first: list[float | None] = []

    def fate(request: TrialRequest) -> Status:
        if request.kind == "confirm" and not first:
            first.append(request.pick_lr)
        return "diverged" if request.kind == "confirm" and request.pick_lr == first[0] else "finished"

    conductor, _ = hour(World(fate=fate), budget_s=2100.0, how=brief(None))
    trained = Counter(outcome.max_lr for _, outcome in complete_cycles(conductor.study))
    fresh = confirmed(conductor.study)
    assert len(fresh) >= 3
    assert {request.pick_lr for request, _ in fresh} != set(first)
    assert all(trained[request.pick_lr] >= RUN_OFF_SEEDS for request, _ in fresh)
    assert len({request.params.cycle_epochs for request in conductor.study.asked("confirm").values()}) == 1
