"""The division of the time budget over lengths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.space import Choice, Interval
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import (
    FEWEST_STEPS,
    MOST_SEEDS,
    RANKING_STEPS,
    USED,
    divide,
    fast_sizes,
    starting_size,
)
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.study import Study
from tests.simulated import SPACE, brief, opened

LEFT_S, WORKERS = 300.0, 2


def question(longest: float, target: float | None = None) -> Brief:
    return brief(target, baselines=(), space={**SPACE, "cycle_epochs": Interval(1.0, longest, log=True)})


def cost_of(left_s: float = LEFT_S, step_s: float = 0.01, alike: bool = False) -> CostModel:
    return CostModel.of(Study(opened(left_s, WORKERS, step_s, alike=alike)))


def plan(longest: float, left_s: float = LEFT_S, workers: int = WORKERS, target: float | None = None) -> Plan:
    return divide(question(longest, target), cost_of(left_s), workers, left_s)


def used_s(found: Plan, workers: int) -> float:
    """Worker-seconds of the search and the confirmation."""
    search = sum(rung.width * each_s for rung, each_s in zip(found.rungs, found.trial_s, strict=True))
    return search + workers * -(-found.confirm_seeds // workers) * found.trial_s[-1]


@pytest.mark.parametrize("target", [None, 0.9])
@pytest.mark.parametrize(("left_s", "workers"), [(60.0, 2), (300.0, 2), (3600.0, 1), (3600.0, 8), (3600.0, 64)])
def test_lengths_grow_by_a_factor_and_fill_the_time(left_s: float, workers: int, target: float | None) -> None:
    found, shares = plan(1e6, left_s, workers, target), brief().division
    *lengths, last, top = (rung.epochs for rung in found.rungs)
    assert top / last == pytest.approx(shares.stretch, rel=0.01)
    for shorter, longer in zip(lengths, [*lengths[1:], last], strict=False):
        assert longer / shorter == pytest.approx(shares.factor, rel=0.01)
    assert 0.9 * USED * workers * left_s <= used_s(found, workers) <= 1.02 * USED * workers * left_s
    assert not found.is_too_small


def test_the_shortest_cycle_ranks_rates() -> None:
    found, cost = plan(1e6), cost_of()
    first = replace(brief().defaults, cycle_epochs=found.rungs[0].epochs, batch_size=starting_size(brief(), cost))
    assert RANKING_STEPS <= cost.steps(first) < 3 * 160  # as many epochs as an evaluation and the rest take time


def test_every_worker_is_busy_twice_in_every_rung() -> None:
    assert all(rung.width >= 2 * 64 for rung in plan(1e6, 3600.0, 64).rungs[:-1])


def test_fresh_models_are_enough_to_demonstrate_only_if_there_is_a_target() -> None:
    assert [plan(1e6, workers=n).confirm_seeds for n in (1, 2, 8, 100)] == [2, 2, 8, MOST_SEEDS]
    assert [plan(1e6, workers=n, target=0.9).confirm_seeds for n in (1, 2, 8)] == [3, 4, 8]


def test_time_that_the_longest_allowed_cycle_cannot_use_goes_to_trials_of_that_length() -> None:
    assert plan(1e6).rungs[-1].width == 0
    widths = [plan(30.0, left_s).rungs[-1].width for left_s in (300.0, 600.0, 1200.0)]
    assert 0 < widths[0] < widths[1] < widths[2]
    assert plan(30.0, 600.0, 1000).rungs[-1].width == 1000
    for left_s in (300.0, 600.0, 1200.0):
        assert used_s(plan(30.0, left_s), WORKERS) <= WORKERS * left_s


def test_rungs_that_have_begun_stay_and_the_next_is_longer() -> None:
    begun = (RungPlan(1.0, 8), RungPlan(4.0, 6))
    found = divide(question(1e6), cost_of(), WORKERS, 200.0, begun)
    assert found.rungs[:2] == begun
    assert found.rungs[2].epochs > 4.0 * 3.0**0.5
    assert len(found.trial_s) == len(found.rungs)


def test_without_time_for_another_rung_the_rest_is_the_confirmation() -> None:
    begun = (RungPlan(1.0, 8), RungPlan(4.0, 6))
    found = divide(question(1e6), cost_of(), WORKERS, 12.0, begun)
    assert [rung.width for rung in found.rungs] == [8, 6, 0]
    assert not found.is_too_small


def test_the_users_number_of_trials_is_kept() -> None:
    for trials in (1, 5, 12):
        found = divide(replace(question(1e6), trials=trials), cost_of(), WORKERS, LEFT_S)
        assert sum(rung.width for rung in found.rungs) <= max(trials, len(found.rungs))


def test_if_the_sampler_chooses_the_lengths_there_are_two_rungs() -> None:
    found = divide(brief(None, strategy="free", baselines=()), cost_of(), WORKERS, LEFT_S)
    assert [rung.free for rung in found.rungs] == [False, True]


def test_a_budget_too_small_for_the_shortest_cycles_is_marked_and_has_one_rung() -> None:
    found = plan(30.0, left_s=1.0)
    assert found.is_too_small
    (only,) = found.rungs
    assert only.epochs == pytest.approx(FEWEST_STEPS / cost_of().steps_per_epoch(128), rel=0.01)
    assert not plan(30.0).is_too_small


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_no_worker_is_idle_in_a_search_of_a_few_trials(workers: int) -> None:
    found = plan(30.0, left_s=1.0, workers=workers)
    assert found.rungs[0].width >= workers


def test_one_wave_of_trials_and_the_confirmation_fit_where_two_waves_do_not() -> None:
    cost = cost_of(step_s=0.2)
    trial_s = cost.seconds(replace(brief().defaults, cycle_epochs=RANKING_STEPS / cost.steps_per_epoch(128)), slack=1.0)
    found = divide(question(1e6), cost, 8, 2.5 * trial_s)
    assert not found.is_too_small
    assert found.rungs[0].width == 8


def test_where_an_epoch_takes_longer_than_the_budget_cycles_are_parts_of_one() -> None:
    """The shortest length that the user allows yields only where there is no room for cycles of it."""
    many = replace(cost_of(step_s=0.02), train_items=1_000_000)
    found = divide(question(300.0), many, WORKERS, 100.0)
    assert not found.is_too_small
    assert len(found.rungs) >= 3
    first, top = found.rungs[0].epochs, found.rungs[-1].epochs
    assert RANKING_STEPS <= first * many.steps_per_epoch(128) < 3 * RANKING_STEPS
    assert 10.0 * first < top < 1.0
    assert divide(question(300.0), many, WORKERS, 3600.0).rungs[0].epochs >= 1.0


def test_of_batches_with_hardly_any_steps_in_an_epoch_only_the_smallest_is_tried() -> None:
    """Epochs are bounded, so that a larger one would only mean fewer steps."""
    for items, sizes in ((100, [64]), (300, [64]), (600, [64, 128]), (2000, [128, 256])):
        few = replace(cost_of(alike=True), train_items=items)
        assert fast_sizes(question(30.0), few, 0.5) == sizes


def test_the_search_begins_with_the_smallest_batch_that_is_as_fast() -> None:
    alike = cost_of(alike=True)  # every step takes the same time, so that the largest batch is fastest by far
    assert starting_size(question(30.0), cost_of()) == 64
    assert starting_size(question(30.0), alike) == 256
    assert fast_sizes(question(30.0), alike, 0.5) == [128, 256]
    assert starting_size(brief(None, space={}), alike) == 128
    fixed = brief(None, space={**SPACE, "batch_size": Choice((32.0,))})
    assert starting_size(fixed, cost_of()) == 32
