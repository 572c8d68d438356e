"""The confirmation: one frozen recipe of the longest cycles, or a calmer one."""

from __future__ import annotations

from collections import Counter

import pytest

from superconv_tune.planner.divide import RUN_OFF_SEEDS
from superconv_tune.planner.evidence import confirmed
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.verdict.ladder import complete_cycles, origin_of
from tests.planner.hours import hour
from tests.simulated import World, brief

CLIFF = 0.09


@pytest.mark.parametrize("strategy", ["ladder", "free"])
def test_the_top_rung_is_the_confirmations_length(strategy: str) -> None:
    conductor, _ = hour(World(), how=brief(None, strategy=strategy))
    plan = conductor.study.plan
    assert plan is not None
    searched = [trial.request.params.cycle_epochs for trial in conductor.study.trials("search")]
    (fresh,) = {trial.request.params.cycle_epochs for trial in conductor.study.trials("confirm")}
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
    (recipe,) = conductor.study.recipes
    assert {(trial.request.params, trial.request.cycle.max_lr) for trial in trials} == {(recipe.params, recipe.max_lr)}
    assert {trial.request.recipe for trial in trials} == {recipe.number} == {1}
    assert conductor.study.trial(recipe.origin).max_lr == recipe.max_lr
    seeds = [request.seed for request in conductor.study.requests.values()]
    assert len(set(seeds)) == len(seeds)


def test_a_recipe_that_only_one_seed_bears_gives_way_to_a_calmer_one() -> None:
    """Above a cliff every second seed fails; the best of the search stands there."""

    def fate(request: TrialRequest) -> Status:
        is_fresh = request.kind in ("confirm", "scaling")
        return "diverged" if is_fresh and request.cycle.max_lr > CLIFF and request.seed % 2 else "finished"

    world = World(fate=fate, exponent=0.0, best_lr=0.15)
    conductor, clock = hour(world, budget_s=900.0, how=brief(None))
    peaks = [request.cycle.max_lr for request in conductor.study.asked("confirm").values()]
    assert peaks[0] > CLIFF > peaks[-1]
    assert [recipe.number for recipe in conductor.study.recipes] == [1, 2, 3][: len(conductor.study.recipes)]
    assert {trial.outcome.status for trial in confirmed(conductor.study)} == {"finished"}
    assert len(confirmed(conductor.study)) >= 3
    assert clock.now <= conductor.study.deadline


def test_a_recipe_that_fails_gives_way_to_the_next_one_that_held_together_in_the_run_off() -> None:
    """The best of a long run-off fails in its confirmation alone, whatever its peak."""

    def fate(request: TrialRequest) -> Status:
        return "diverged" if request.kind == "confirm" and request.recipe == 1 else "finished"

    conductor, _ = hour(World(fate=fate), budget_s=2100.0, how=brief(None))
    trained = Counter(origin_of(trial) for trial in complete_cycles(conductor.study))
    first, second = conductor.study.recipes
    assert second.number == 2
    assert second.origin != first.origin
    assert trained[second.origin] >= RUN_OFF_SEEDS
    fresh = confirmed(conductor.study)
    assert len(fresh) >= 3
    assert {trial.request.recipe for trial in fresh} == {2}
    assert {trial.request.cycle.max_lr for trial in fresh} == {second.max_lr}
    assert len({request.params.cycle_epochs for request in conductor.study.asked("confirm").values()}) == 1
