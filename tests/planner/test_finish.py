"""The confirmation: one frozen recipe of the longest cycles, or its replacement."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.rate_grid import FALLBACK_LR, first_grid
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.decide import decide
from superconv_tune.planner.divide import RUN_OFF_SEEDS
from superconv_tune.planner.evidence import confirmed
from superconv_tune.record.events import Frozen, Observed, Planned, Requested
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Confirm, Probe, Proposal, Purpose, RangeTest, RunOff, Sampled
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Ramps, Status, Trial, TrialOutcome, TrialRequest
from superconv_tune.verdict.ladder import complete_cycles, origin_of
from tests.planner.hours import hour
from tests.simulated import World, brief, opened

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


def test_a_recipe_that_fails_with_most_seeds_is_replaced_by_a_calmer_one() -> None:
    """Above the edge every second seed fails, and the best trial of the search is there."""

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


def test_a_failing_recipe_is_replaced_by_the_next_steady_configuration_of_the_run_off() -> None:
    """The winner of a long run-off fails only in its confirmation, at any peak."""

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


class FinishedRunOff:
    """A search whose two best configurations have completed the run-off, so that a recipe is frozen next."""

    PLAN = Plan((RungPlan(1.0, 3), RungPlan(9.0, 2)), 3, (1.0, 8.0))
    HOW = brief(None, trials=2, baselines=())

    def __init__(self) -> None:
        self.study = Study(opened(600.0, 2))
        self.now = self.study.opened.started_at + 100.0
        for _ in range(2):
            ramps = self._asked(RangeTest(), Ramps(1e-5, 10.0), Hyperparameters(), rung=-1)
            self.study.apply(Observed(self.now, TrialOutcome(ramps.trial_id, 1, "no_lr", 0.1)))
        self.study.apply(Planned(self.now, self.PLAN))
        for rate in first_grid(FALLBACK_LR["sgd"]):
            self.trained(Probe(rate), rate, Hyperparameters(cycle_epochs=1.0), 0, 0.6 - abs(rate - FALLBACK_LR["sgd"]))

    def contender(self, number: int, max_lr: float, weight_decay: float, values: tuple[float, ...]) -> Trial:
        """Add a configuration of the longest cycles, with a trial for each value."""
        params = Hyperparameters(cycle_epochs=9.0, weight_decay=weight_decay)
        first = self.trained(Sampled(Proposal("rung1", number), max_lr), max_lr, params, 1, values[0])
        for value in values[1:]:
            self.trained(RunOff(first.request.trial_id), max_lr, params, 1, value)
        return first

    def trained(self, purpose: Purpose, max_lr: float, params: Hyperparameters, rung: int, value: float) -> Trial:
        return self.ends(self._asked(purpose, Cycle(max_lr), params, rung), value)

    def ends(self, request: TrialRequest, value: float, status: Status = "finished") -> Trial:
        """Add the outcome, after the seconds that such a cycle takes."""
        outcome, seconds = World().run(request, self.now)
        validation = value if status == "finished" else None
        ended = replace(outcome, status=status, objective=value, validation=validation)
        self.study.apply(Observed(self.now + seconds, ended))
        return self.study.trial(request.trial_id)

    def decide(self) -> Decision:
        """The next decision, recorded as the driver would."""
        decision = decide(self.study, self.HOW, self.now)
        if isinstance(decision, Recipe):
            self.study.apply(Frozen(self.now, decision))
        if isinstance(decision, TrialRequest):
            self.study.apply(Requested(self.now, decision))
        return decision

    def _asked(self, purpose: Purpose, work: Cycle | Ramps, params: Hyperparameters, rung: int) -> TrialRequest:
        number = len(self.study.requests)
        request = TrialRequest(
            f"{number:04d}",
            1,
            purpose,
            work,
            params=params,
            schedule=Schedule(),
            seed=number,
            deadline=self.now + 60.0,
            rung=rung,
        )
        self.study.apply(Requested(self.now, request))
        return request


def test_the_steady_runner_up_is_confirmed_next_even_with_the_peak_of_the_failed_recipe() -> None:
    """Recipes used to be identified by their peak, so that a runner-up with the same peak counted as tried."""
    hour = FinishedRunOff()
    best = hour.contender(0, max_lr=0.2, weight_decay=1e-3, values=(0.95, 0.95, 0.95))
    runner_up = hour.contender(1, max_lr=0.2, weight_decay=1e-4, values=(0.945, 0.945, 0.945))
    assert len(hour.study.asked_for(RunOff)) == 2 * (RUN_OFF_SEEDS - 1)
    assert hour.decide() == Recipe.of(best, number=1)
    fresh = hour.decide()
    assert isinstance(fresh, TrialRequest)
    assert fresh.purpose == Confirm(1)
    hour.ends(fresh, 0.1, "diverged")

    second = hour.decide()
    assert second == Recipe.of(runner_up, number=2)
    assert hour.study.recipe == second
    assert second.max_lr == hour.study.recipes[0].max_lr
    fresh = hour.decide()
    assert isinstance(fresh, TrialRequest)
    assert (fresh.purpose, fresh.params, fresh.cycle.max_lr) == (Confirm(2), runner_up.request.params, 0.2)
    hour.ends(fresh, 0.945)
    assert [trial.value for trial in hour.study.fresh_models()] == [0.945]


def test_without_a_steady_runner_up_the_same_configuration_is_tried_with_half_the_peak() -> None:
    hour = FinishedRunOff()
    best = hour.contender(0, max_lr=0.2, weight_decay=1e-3, values=(0.95, 0.95, 0.95))
    first = hour.decide()
    assert first == Recipe.of(best, number=1)
    fresh = hour.decide()
    assert isinstance(fresh, TrialRequest)
    hour.ends(fresh, 0.1, "diverged")
    assert hour.decide() == first.calmer()
