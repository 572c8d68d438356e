from __future__ import annotations

import pytest

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.lr.schedule import schedule_from
from superconv_tune.planner.baselines import ADAPTIVE_SHARE, comparison_of, shortfall
from superconv_tune.planner.brief import Brief
from superconv_tune.record.events import Requested, Resized, Resumed
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.verdict.comparison import RATES, Shortfall, compare
from tests.simulated import Workers, World, brief, opened, searched

ACCURACY = Yardstick("accuracy", "max", 2_000)


def hour(how: Brief, budget_s: float, workers: int, world: World | None = None) -> tuple[Study, Shortfall]:
    """Run a search with 0.03 s per step, and return the study with the shortfall of its comparison."""
    start = opened(budget_s, workers, step_s=0.03)
    conductor, clock = searched(Workers(world or World(step_s=0.03)), start, how)
    return conductor.study, shortfall(comparison_of(conductor.study, how, clock.now), conductor.study, how)


def test_with_enough_time_every_policy_is_compared_at_the_length_of_the_recipe() -> None:
    study, lacking = hour(brief(None), 4800.0, 2, World(step_s=0.03, handicap=0.2))
    found = compare(study, ACCURACY)
    assert [baseline.schedule for baseline in found] == ["step", "linear", "constant"]
    recipe = study.recipe
    assert recipe is not None
    assert {baseline.epochs for baseline in found} == {recipe.params.cycle_epochs}
    assert all(baseline.gain_low > 0.0 for baseline in found)
    assert all(trial.outcome.test is None for trial in study.trials("baseline"))
    assert {request.recipe for request in study.asked("baseline").values()} == {recipe.number}
    assert (lacking.absent, lacking.failed, lacking.ends) == ((), (), {})
    assert lacking.compared_epochs == recipe.params.cycle_epochs


def test_with_little_time_fewer_policies_are_compared_on_the_rung_below_and_the_shortfall_says_why() -> None:
    study, lacking = hour(brief(None), 400.0, 2)
    (found,) = compare(study, ACCURACY)
    recipe = study.recipe
    assert recipe is not None
    assert found.epochs < recipe.params.cycle_epochs
    assert (lacking.asked, lacking.absent) == (("step", "linear", "constant"), ("linear", "constant"))
    assert lacking.compared_epochs == found.epochs
    assert lacking.cost is not None
    assert lacking.cost.recipe_epochs == recipe.params.cycle_epochs
    assert lacking.cost.allowance_s == pytest.approx(0.1 * 2 * 400.0)  # a tenth of the worker-seconds
    assert lacking.cost.needed_s > lacking.cost.left_s


def test_the_tenth_is_one_of_the_worker_seconds_that_there_were() -> None:
    """And not of a pause of a day, nor of workers that came late."""
    study, _ = hour(brief(None), 400.0, 2)
    began, day = study.opened.started_at, study.opened.started_at + 86_400.0
    before_s = study.seen_at - began
    study.apply(Resumed(day, day + 200.0, 2))
    study.apply(Resized(day + 100.0, 8))
    comparison = comparison_of(study, brief(None), day + 100.0)
    assert comparison is not None
    assert comparison.allowance_s == pytest.approx(0.1 * (2 * before_s + 2 * 100.0 + 8 * 100.0))


def test_failed_and_absent_policies_are_distinguished() -> None:
    def fate(request: TrialRequest) -> Status:
        return "diverged" if request.schedule.name == "linear" else "finished"

    study, lacking = hour(brief(None), 4800.0, 2, World(step_s=0.03, fate=fate))
    assert [baseline.schedule for baseline in compare(study, ACCURACY)] == ["step", "constant"]
    assert (lacking.absent, lacking.failed) == ((), ("linear",))
    asked = [request for request in study.asked("baseline").values() if request.schedule.name == "linear"]
    assert lacking.ends == {"diverged": len(asked)}
    assert len(asked) >= RATES


def test_without_baselines_or_without_a_recipe_nothing_is_compared() -> None:
    study, lacking = hour(brief(None, baselines=()), 600.0, 2)
    assert not study.asked("baseline")
    assert (lacking.asked, lacking.absent, lacking.failed) == ((), (), ())
    study, lacking = hour(brief(None), 39.0, 2)
    assert study.recipe is None
    assert lacking == Shortfall(("step", "linear", "constant"), absent=("step", "linear", "constant"))


def centre(how: Brief) -> tuple[float, Recipe]:
    """The middle of the first grid of the one policy that is compared, and the recipe, of the same length."""
    study, _ = hour(how, 1800.0, 2)
    recipe, asked = study.recipe, list(study.asked("baseline").values())
    assert recipe is not None
    assert {request.params.cycle_epochs for request in asked} == {recipe.params.cycle_epochs}
    return sorted(request.cycle.max_lr for request in asked[:RATES])[RATES // 2], recipe


def test_another_cyclical_policy_begins_at_the_peak_of_the_recipe_and_one_without_a_cycle_below_it() -> None:
    """Momentum is low at the peak of a cycle, and high all along without one; Adam's rate takes a fixed share."""
    rate, recipe = centre(brief(None, baselines=(schedule_from("triangular"),)))
    assert rate == pytest.approx(recipe.max_lr)
    rate, recipe = centre(brief(None, baselines=(schedule_from("step"),)))
    params = recipe.params
    assert rate == pytest.approx(recipe.max_lr * (1.0 - params.max_momentum) / (1.0 - params.base_momentum))
    assert rate < recipe.max_lr
    rate, recipe = centre(brief(None, baselines=(schedule_from("step"),), optimizer="adamw"))
    assert rate == pytest.approx(ADAPTIVE_SHARE * recipe.max_lr)


def test_a_run_shorter_than_its_hand_over_is_not_cut_by_its_deadline() -> None:
    """Runs of a tenth of a second, where handing one to a worker sometimes takes half a second."""
    start = opened(120.0, 2, step_s=1e-5)
    conductor, _ = searched(Workers(World(step_s=1e-5)), start, brief(None))
    asked = [e for e in conductor.events if isinstance(e, Requested) and e.request.kind == "baseline"]
    assert len(asked) >= 3
    for event in asked:
        took_s = conductor.study.outcomes[event.request.trial_id].train_s
        assert event.request.deadline - event.at >= took_s + 1.0
