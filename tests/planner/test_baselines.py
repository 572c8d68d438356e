from __future__ import annotations

from superconv_tune.planner.baselines import comparison_of, remarks
from superconv_tune.planner.brief import Brief
from superconv_tune.record.events import Requested
from superconv_tune.record.study import Study
from superconv_tune.verdict.comparison import compare
from tests.simulated import Workers, World, brief, opened, searched


def hour(how: Brief, budget_s: float, workers: int, handicap: float = 0.0) -> tuple[Study, tuple[str, ...]]:
    """A search on a machine of 0.03 s a step, and what is said of its comparison."""
    start = opened(budget_s, workers, step_s=0.03)
    conductor, clock = searched(Workers(World(step_s=0.03, handicap=handicap)), start, how)
    return conductor.study, remarks(comparison_of(conductor.study, how, clock.now), how)


def test_with_time_every_policy_is_compared_at_the_length_of_the_recipe() -> None:
    study, said = hour(brief(None), 4800.0, 2, handicap=0.2)
    found = compare(study, "max", 2_000)
    assert [baseline.schedule for baseline in found] == ["step", "linear", "constant"]
    recipe = next(iter(study.asked("confirm").values()))
    assert {baseline.epochs for baseline in found} == {recipe.params.cycle_epochs}
    assert all(baseline.gain_low > 0.0 for baseline in found)
    assert all(outcome.test is None for _, outcome in study.trials("baseline"))
    assert said == ()


def test_a_small_hour_compares_fewer_on_the_rung_below_and_says_so() -> None:
    study, said = hour(brief(None), 600.0, 2)
    (found,) = compare(study, "max", 2_000)
    recipe = next(iter(study.asked("confirm").values()))
    assert found.epochs < recipe.params.cycle_epochs
    assert said[0].startswith("linear, constant: not tested.")
    assert "a tenth" in said[0]
    assert "Compared at" in said[1]


def test_none_is_none_and_without_a_recipe_there_is_nothing_to_compare() -> None:
    study, said = hour(brief(None, baselines=()), 600.0, 2)
    assert not study.asked("baseline")
    assert said == ("No other policy was asked for.",)
    _, said = hour(brief(None), 45.0, 2)
    assert "no recipe was frozen" in said[0]


def test_a_run_shorter_than_the_way_to_its_worker_is_not_cut_by_its_own_deadline() -> None:
    """Runs of a tenth of a second, on a machine where handing one over takes half a second now and then."""
    start = opened(120.0, 2, step_s=1e-5)
    conductor, _ = searched(Workers(World(step_s=1e-5)), start, brief(None))
    asked = [e for e in conductor.events if isinstance(e, Requested) and e.request.kind == "baseline"]
    assert len(asked) >= 3
    for event in asked:
        took_s = conductor.study.outcomes[event.request.trial_id].train_s
        assert event.request.deadline - event.at >= took_s + 1.0
