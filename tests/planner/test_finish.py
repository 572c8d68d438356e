"""The confirmation: one frozen recipe, in the longest cycles that fit, or its replacement."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from superconv_tune.core.bits import pack
from superconv_tune.core.curve import Curve
from superconv_tune.core.space import Interval
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.evidence import MOST_REPLACED, confirmed, verdict_of
from superconv_tune.planner.network import ATTEMPTS
from superconv_tune.record.events import Frozen, Requested
from superconv_tune.record.trial import Status, TrialOutcome, TrialRequest
from superconv_tune.verdict.steadiness import is_unsteady
from tests.planner.hours import hour
from tests.simulated import SPACE, WatchedConductor, Workers, World, brief, opened
from tests.simulated import searched as run_to_end

ACCURACY = Yardstick("accuracy", "max", 2000)
CLIFF = 0.09
LONG = {**SPACE, "cycle_epochs": Interval(1.0, 300.0, log=True)}


def searched(world: World, budget_s: float = 600.0, target: float | None = None, workers: int = 2) -> WatchedConductor:
    return hour(world, budget_s, workers, brief(target, baselines=(), space=LONG))[0]


def frozen_at(conductor: WatchedConductor) -> list[float]:
    """Seconds since the beginning at which each recipe was frozen."""
    begin = conductor.study.opened.started_at
    return [event.at - begin for event in conductor.events if isinstance(event, Frozen)]


def test_the_confirmation_has_the_longest_cycles_and_half_of_the_time() -> None:
    conductor = searched(World(step_s=0.03))
    longest = max(trial.request.params.cycle_epochs for trial in conductor.study.trials("search"))
    (fresh,) = {trial.request.params.cycle_epochs for trial in conductor.study.trials("confirm")}
    assert fresh >= 3.0 * longest
    assert conductor.spent_s["confirm"] >= 0.5 * conductor.busy_s


def test_confirmation_is_one_frozen_recipe_on_fresh_seeds() -> None:
    conductor = searched(World())
    trials = confirmed(conductor.study)
    assert len(trials) >= 2
    (recipe,) = conductor.study.recipes
    assert {(trial.request.params, trial.request.cycle.max_lr) for trial in trials} == {(recipe.params, recipe.max_lr)}
    assert {trial.request.recipe for trial in trials} == {recipe.number} == {1}
    origin = conductor.study.trial(recipe.origin).max_lr
    assert abs(math.log2(recipe.max_lr / origin)) in (0.0, pytest.approx(0.5))
    seeds = [request.seed for request in conductor.study.requests.values()]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize(("target", "seeds"), [(None, 2), (0.995, 2), (0.95, 4)])
def test_seeds_are_bought_where_they_can_decide(target: float | None, seeds: int) -> None:
    """A target that is far away is not demonstrated by more seeds; longer cycles come nearer to it."""
    conductor = searched(World(ceiling=0.94), target=target)
    first = [r for r in conductor.study.asked("confirm").values() if r.recipe == 1]
    assert len(first) == seeds


def test_a_target_that_looks_reached_is_confirmed_before_the_end() -> None:
    conductor = searched(World(step_s=0.03), 3600.0, target=0.8)
    assert verdict_of(conductor.study, conductor.brief).word == "demonstrated"
    assert frozen_at(conductor)[0] < 600.0


def test_fresh_models_that_ended_without_evidence_are_replaced() -> None:
    """The first one is out of memory; the others are enough to demonstrate the target."""
    ended: list[str] = []

    def fate(request: TrialRequest) -> Status:
        if request.kind == "confirm":
            ended.append(request.trial_id)
        return "oom" if ended == [request.trial_id] else "finished"

    conductor = searched(World(step_s=0.03, fate=fate), 3600.0, target=0.8, workers=1)
    assert verdict_of(conductor.study, conductor.brief).word == "demonstrated"
    planned = conductor.study.plan
    assert planned is not None
    assert len(conductor.study.of_recipe("confirm")) == planned.confirm_seeds + 1


def test_a_recipe_of_which_every_fresh_model_ends_without_evidence_is_given_up() -> None:
    def fate(request: TrialRequest) -> Status:
        return "code_error" if request.kind == "confirm" else "finished"

    conductor = searched(World(step_s=0.03, fate=fate), 3600.0, target=0.8, workers=1)
    planned = conductor.study.plan
    assert planned is not None
    assert len(conductor.study.asked("confirm")) == planned.confirm_seeds + MOST_REPLACED


def test_a_search_trial_that_is_lost_after_the_recipe_was_frozen_is_not_asked_for_again() -> None:
    """The target looks reached while slow trials still run; all of those are lost."""

    def slow(request: TrialRequest) -> float:
        return 1.0 if request.seed % 3 else 30.0

    def fate(request: TrialRequest) -> Status:
        return "finished" if request.kind == "confirm" or request.seed % 3 else "preempted"

    conductor = searched(World(step_s=0.03, slow=slow, fate=fate), 3600.0, target=0.8, workers=8)
    (frozen,) = [event.at for event in conductor.events if isinstance(event, Frozen)]
    asked = [event for event in conductor.events if isinstance(event, Requested) and event.at > frozen]
    assert {event.request.kind for event in asked} <= {"confirm", "scaling", "baseline"}
    lost = [trial for trial in conductor.study.lost() if trial.request.kind == "search"]
    assert any(conductor.study.losses[trial.request.trial_id] < ATTEMPTS for trial in lost)


def test_a_recipe_that_was_early_and_fell_short_is_followed_by_a_longer_one() -> None:
    """The validation part looks ten points better than the test part, so that the target seems reached too soon."""
    conductor = searched(World(step_s=0.03, flattery=0.1), 1800.0, target=0.9)
    lengths = [recipe.params.cycle_epochs for recipe in conductor.study.recipes]
    assert len(lengths) >= 2
    assert lengths == sorted(lengths)
    assert lengths[1] >= 1.5 * lengths[0]


@dataclass
class OverTraining(World):
    """Cycles of more than ``best_epochs`` lose ``loss`` for each factor of e beyond that length."""

    best_epochs: float = 2.0
    loss: float = 0.3

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = super().run(request, now, slowness)
        epochs = request.params.cycle_epochs
        if outcome.validation is not None and epochs > self.best_epochs:
            worse = max(0.1, outcome.validation - self.loss * math.log(epochs / self.best_epochs))
            outcome = replace(outcome, objective=worse, validation=worse)
        return outcome, took


def test_where_longer_cycles_over_train_the_recipe_is_not_longer_than_the_best_ones() -> None:
    conductor = searched(OverTraining(), 1200.0)
    recipe = conductor.study.recipe
    assert recipe is not None
    origin = conductor.study.requests[recipe.origin].params.cycle_epochs
    longest = max(request.params.cycle_epochs for request in conductor.study.asked("search").values())
    assert recipe.params.cycle_epochs == origin < 0.5 * longest


def test_where_only_the_confirmation_is_too_long_the_search_s_cycles_follow() -> None:
    world = OverTraining(step_s=0.03, best_epochs=30.0, loss=0.2)
    conductor = searched(world, 1800.0, target=0.99, workers=1)
    first, second, *_ = conductor.study.recipes
    searched_epochs = conductor.study.requests[second.origin].params.cycle_epochs
    assert first.params.cycle_epochs > 30.0 >= second.params.cycle_epochs == searched_epochs
    assert len(confirmed(conductor.study)) >= 2


@dataclass
class ByHeart(World):
    """Cycles of more than five epochs learn their examples by heart, and are all as good if they gain ``nothing``."""

    nothing: bool = True

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = super().run(request, now, slowness)
        if outcome.validation is None:
            return outcome, took
        is_long = request.params.cycle_epochs > 5.0
        if is_long and self.nothing:
            value = min(outcome.validation, 0.85)
            outcome = replace(outcome, objective=value, validation=value)
        loss = np.full(20, 1e-3 if is_long else 1.0)
        steps = np.arange(20.0)
        curve = Curve(steps, steps, steps, loss, steps)
        return replace(outcome, validation_loss=1.0, cycle_curve=curve), took


@pytest.mark.parametrize(("nothing", "longest"), [(True, 2.0), (False, 6.0)])
def test_where_training_runs_away_and_longer_cycles_gain_nothing_the_confirmation_is_not_much_longer(
    nothing: bool, longest: float
) -> None:
    conductor = searched(ByHeart(step_s=0.03, nothing=nothing), 1800.0)
    (recipe,) = conductor.study.recipes
    before = conductor.study.requests[recipe.origin].params.cycle_epochs
    assert before > 5.0
    assert recipe.params.cycle_epochs == pytest.approx(longest * before, rel=0.2)


def test_where_training_runs_away_more_weight_decay_is_tried() -> None:
    for nothing in (True, False):
        conductor = searched(ByHeart(step_s=0.03, nothing=nothing), 1800.0)
        decays = {
            round(math.log10(request.params.weight_decay), 6)
            for request in conductor.study.asked("search").values()
            if request.params.cycle_epochs > 5.0 and request.proposal is None
        }
        usual = round(math.log10(conductor.brief.defaults.weight_decay), 6)
        assert (usual + 1.0 in decays) == nothing


def test_no_other_trial_holds_a_worker_that_the_next_recipe_needs() -> None:
    """Both fresh models end at the same time, and fall short: the longer recipe that follows gets both workers."""
    conductor = searched(ByHeart(step_s=0.03), 1200.0, target=0.99)
    first, second = conductor.study.recipes
    assert second.params.cycle_epochs > first.params.cycle_epochs
    starts = {
        number: [
            event.at
            for event in conductor.events
            if isinstance(event, Requested) and event.request.kind == "confirm" and event.request.recipe == number
        ]
        for number in (1, 2)
    }
    assert [len(found) for found in starts.values()] == [2, 2]
    assert len(set(starts[2])) == 1


def test_a_recipe_is_not_followed_by_one_that_is_cut() -> None:
    """The only wave of fresh models is too long, and no time is left for the search's cycles."""
    world = OverTraining(step_s=0.03, best_epochs=20.0, loss=0.3)
    conductor = searched(world, 600.0, target=0.99)
    (recipe,) = conductor.study.recipes
    assert recipe.params.cycle_epochs > 20.0
    assert len(confirmed(conductor.study)) == 2


def test_a_peak_at_or_above_one_with_which_a_trial_went_wrong_is_not_chosen() -> None:
    def fate(request: TrialRequest) -> Status:
        return "diverged" if request.cycle.max_lr > 0.3 and request.seed % 2 else "finished"

    for best_lr in (0.2, 0.5):
        conductor = searched(World(fate=fate, best_lr=best_lr, exponent=0.0))
        recipe = conductor.study.recipe
        assert recipe is not None
        wrong = [t for t in conductor.study.wrong if t.request.params.batch_size == recipe.params.batch_size]
        assert all(recipe.max_lr < trial.request.cycle.max_lr for trial in wrong)


def test_a_recipe_of_which_seeds_fail_is_replaced_by_a_calmer_one() -> None:
    """Above the edge every second fresh seed fails, and the best trial of the search is there."""

    def fate(request: TrialRequest) -> Status:
        is_fresh = request.kind in ("confirm", "scaling")
        return "diverged" if is_fresh and request.cycle.max_lr > CLIFF and request.seed % 2 else "finished"

    how = brief(None, space={**SPACE, "cycle_epochs": Interval(1.0, 10.0, log=True)})
    conductor, clock = hour(World(fate=fate, exponent=0.0, best_lr=0.15), 900.0, 2, how)
    peaks = [request.cycle.max_lr for request in conductor.study.asked("confirm").values()]
    assert peaks[0] > CLIFF > peaks[-1]
    assert [recipe.number for recipe in conductor.study.recipes] == [1, 2, 3][: len(conductor.study.recipes)]
    assert {trial.outcome.status for trial in confirmed(conductor.study)} == {"finished"}
    assert clock.now <= conductor.study.deadline


@dataclass
class Apart(World):
    """The fresh models of the first recipe lie far apart, all above nine tenths."""

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = super().run(request, now, slowness)
        if request.kind != "confirm" or request.recipe != 1 or outcome.test is None:
            return outcome, took
        self.met = [*getattr(self, "met", []), request.trial_id]
        value = (0.955, 0.97, 0.985, 0.99)[len(self.met) % 4]
        correct = np.arange(2_000) < 2_000 * value
        return replace(outcome, objective=value, validation=value, test=value, test_correct=pack(correct)), took


def test_a_recipe_that_demonstrates_the_target_stays_though_its_seeds_lie_apart() -> None:
    conductor = searched(Apart(step_s=0.03), 1800.0, target=0.9)
    assert is_unsteady(conductor.study, ACCURACY)
    assert [recipe.number for recipe in conductor.study.recipes] == [1]
    assert verdict_of(conductor.study, conductor.brief).word == "demonstrated"


@dataclass
class WorseLater(World):
    """The fresh models of later recipes validate worse than the first's."""

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = super().run(request, now, slowness)
        if outcome.validation is not None and request.kind == "confirm" and request.recipe != 1:
            outcome = replace(outcome, objective=0.3, validation=0.3)
        return outcome, took


def test_an_earlier_recipe_stands_in_the_end_if_those_that_followed_it_are_worse() -> None:
    conductor = searched(WorseLater(step_s=0.03, flattery=0.1), 1800.0, target=0.9)
    conductor.close()
    numbers = [recipe.number for recipe in conductor.study.recipes]
    assert numbers[0] == numbers[-1] == 1
    assert max(numbers) > 1
    assert len(confirmed(conductor.study)) >= 2


def test_a_large_test_part_costs_no_fresh_models() -> None:
    """Its evaluation takes as long as a quarter of the cycle, which is a part of one epoch."""
    start = opened(600.0, 2, 1.0)
    start = replace(start, measured=replace(start.measured, test_items=40_000, train_items=1_000_000))

    @dataclass
    class Large(World):
        def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
            until = replace(request, deadline=request.deadline - 9.5 * (request.kind == "confirm"))
            outcome, took = super().run(until, now, slowness)
            return outcome, took + 9.5 * (request.kind == "confirm")

    conductor, clock = run_to_end(Workers(Large(step_s=1.0)), start, brief(None, baselines=(), space=LONG))
    assert len(confirmed(conductor.study)) >= 2
    assert clock.now <= start.deadline


@dataclass
class Diverging(World):
    """The fresh models of the first recipe diverge: one soon, the other one late."""

    def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = super().run(request, now, slowness)
        if request.kind != "confirm" or request.recipe != 1:
            return outcome, took
        self.met = [*getattr(self, "met", []), request.trial_id]
        share = 0.2 if len(self.met) == 1 else 0.9
        return replace(outcome, status="diverged", validation=None, test=None, test_correct=None), share * took


def test_a_recipe_that_follows_is_as_long_as_free_workers_have_time_for() -> None:
    """One worker still trains a model of the first recipe, whose peak was too high; two of the next one have to fit."""
    conductor = searched(Diverging(step_s=0.03), 1200.0)
    assert conductor.study.recipe is not None
    assert conductor.study.recipe.number == 2
    assert len(confirmed(conductor.study)) >= 2


def test_the_sampler_may_choose_the_lengths() -> None:
    conductor, _ = hour(World(), how=brief(None, strategy="free"))
    lengths = {trial.request.params.cycle_epochs for trial in conductor.study.trials("search")}
    assert len(lengths) > 4
    assert conductor.study.fresh_models()


def test_idle_workers_get_short_cycles_until_the_last_long_one_has_ended() -> None:
    conductor = searched(World(step_s=0.03))
    frozen = next(event.at for event in conductor.events if isinstance(event, Frozen))
    asked = [event for event in conductor.events if isinstance(event, Requested) and event.at < frozen]
    longest = max(event.request.rung for event in asked)
    first_longest = next(event.at for event in asked if event.request.rung == longest)
    assert any(event.at > first_longest and event.request.rung < longest for event in asked)


@pytest.mark.parametrize("budget_s", [41.0, 42.0, 43.0, 44.0, 46.0])
def test_with_hardly_any_time_what_fits_is_confirmed(budget_s: float) -> None:
    conductor, clock = hour(World(), budget_s, 2, brief(0.7))
    recipe = conductor.study.recipe
    assert clock.now <= conductor.study.deadline
    if recipe is not None:
        assert len(conductor.study.asked("confirm")) >= 2


def test_a_metric_without_items_is_searched_too() -> None:
    """Its noise is guessed from how far the values lie apart."""
    conductor, _ = hour(World(), 600.0, 2, brief(0.9, item_level=False, space=LONG))
    assert conductor.study.plan is not None
    assert conductor.study.plan.confirm_seeds == 4
    assert conductor.study.recipe is not None
    assert abs(math.log2(conductor.study.recipe.max_lr / 0.2)) <= 1.5
