"""The rungs: brackets at every length, batch sizes, equal seconds, and nothing idle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.planner.learned import point_of
from superconv_tune.planner.rungs import WIDER
from superconv_tune.planner.situation import Situation
from superconv_tune.record.events import Planned
from superconv_tune.record.purpose import Promoted, RunOff, Sampled
from tests.planner.hours import hour
from tests.simulated import SPACE, WatchedConductor, World, brief

LONG: SearchSpace = {**SPACE, "cycle_epochs": Interval(1.0, 300.0, log=True)}


def searched(world: World, budget_s: float = 600.0, workers: int = 2, space: SearchSpace = LONG) -> WatchedConductor:
    return hour(world, budget_s, workers, brief(None, baselines=(), space=space))[0]


def situation_of(conductor: WatchedConductor) -> Situation:
    """The state at the end."""
    return Situation(conductor.study, conductor.brief, conductor.study.deadline)


@pytest.mark.parametrize("best_lr", [0.004, 0.1, 1.6])
@pytest.mark.parametrize("budget_s", [120.0, 600.0])
def test_at_every_length_the_best_rate_was_beaten_from_above_and_from_below(best_lr: float, budget_s: float) -> None:
    conductor = searched(World(best_lr=best_lr), budget_s)
    situation = situation_of(conductor)
    planned = conductor.study.plan
    assert planned is not None
    begun = [rung for rung in range(situation.learned.rungs) if situation.asked("search", rung)]
    assert len(begun) >= 2
    for rung in begun:
        leader, tried = situation.learned.leader(rung), situation.tried(rung)
        assert leader is not None
        if len(tried) >= WIDER * planned.rungs[rung].width:
            continue  # the rung has its fill
        for factor in (2.0, 0.5):
            neighbour = leader.at_rate(factor * leader.max_lr)
            assert any(neighbour.is_like(point) for point in tried)


def test_where_every_rate_of_the_first_grid_goes_wrong_much_lower_ones_follow() -> None:
    """The range test picks 2500 times the best rate, and from 16 times on nothing is learned."""
    recipe = searched(World(best_lr=2e-5, exponent=0.0, misled=2500.0)).study.recipe
    assert recipe is not None
    assert recipe.max_lr < 16.0 * 2e-5


def test_the_best_rate_moves_up_with_the_length_and_the_search_follows() -> None:
    conductor = searched(World(exponent=0.5))
    situation = situation_of(conductor)
    leaders = [situation.learned.leader(rung) for rung in range(situation.learned.rungs)]
    rates = [leader.max_lr for leader in leaders if leader is not None]
    assert rates[-1] >= 4.0 * rates[0]


@pytest.mark.parametrize("sizes", [(64.0, 128.0, 256.0), (32.0, 64.0), (128.0,)])
def test_every_batch_size_of_similar_throughput_is_tried_by_the_second_rung(sizes: tuple[float, ...]) -> None:
    conductor = searched(World(), space={**LONG, "batch_size": Choice(sizes)})
    tried = [conductor.study.asked("search", rung).values() for rung in (0, 1)]
    assert {request.params.batch_size for requests in tried for request in requests} == set(sizes)


@pytest.mark.parametrize("best", [0, 1])
def test_training_with_and_without_augmentation_is_compared_from_the_second_rung_on(best: int) -> None:
    conductor = searched(World(best_augment=best), space={**LONG, "augment": Choice((1, 0))})
    first, *others = [
        {request.params.augment for request in conductor.study.asked("search", rung).values()}
        for rung in range(situation_of(conductor).learned.rungs)
    ]
    assert first == {1}
    assert {0, 1} in others
    recipe = conductor.study.recipe
    assert recipe is not None
    assert recipe.params.augment == best


@pytest.mark.parametrize("best_size", [64, 256])
def test_the_best_batch_size_is_found(best_size: int) -> None:
    recipe = searched(World(best_size=best_size)).study.recipe
    assert recipe is not None
    assert recipe.params.batch_size == best_size


def test_cycles_of_one_rung_take_the_same_seconds_with_every_batch_size() -> None:
    conductor = searched(World(alike=True, best_size=128))
    by_rung: dict[int, dict[int, float]] = {}
    for trial in conductor.study.trials("search"):
        by_rung.setdefault(trial.request.rung, {})[trial.request.params.batch_size] = trial.outcome.train_s
    several = [list(seconds.values()) for seconds in by_rung.values() if len(seconds) > 1]
    assert several
    assert all(max(seconds) <= 1.1 * min(seconds) for seconds in several)


def same(parent: Hyperparameters, child: Hyperparameters) -> bool:
    """Whether only the length differs."""
    return replace(parent, cycle_epochs=1.0, lr_multiplier=1.0) == replace(child, cycle_epochs=1.0, lr_multiplier=1.0)


def test_a_longer_cycle_begins_with_the_best_of_the_shorter_ones_at_its_rate_and_twice_that() -> None:
    conductor = searched(World())
    study = conductor.study
    for rung in (1, 2):
        first, *others = list(study.asked("search", rung).values())[:4]
        assert isinstance(first.purpose, Promoted)
        parent = study.requests[first.purpose.parent]
        assert parent.rung == rung - 1
        assert same(parent.params, first.params)
        assert first.cycle.max_lr == pytest.approx(parent.cycle.max_lr)
        assert any(other.cycle.max_lr == pytest.approx(2.0 * first.cycle.max_lr) for other in others)


def test_with_many_workers_a_rung_is_broad() -> None:
    """Batch sizes, farther rates, draws of the other parameters, and fresh seeds of the best."""
    conductor = searched(World(), workers=16)
    lowest = conductor.study.asked("search", 0).values()
    assert len({point_of(request).setting for request in lowest}) >= 5
    assert len({request.cycle.max_lr for request in lowest}) >= 8
    everything = conductor.study.asked("search").values()
    assert {Sampled, RunOff} <= {type(request.purpose) for request in everything}


@pytest.mark.parametrize("workers", [1, 2, 8, 24])
def test_workers_are_busy_to_the_end(workers: int) -> None:
    conductor = searched(World(step_s=0.03), workers=workers)
    study = conductor.study
    left_s = study.deadline - conductor.brief.report_s - study.opened.started_at - 30.0
    assert conductor.busy_s >= 0.95 * workers * left_s


@pytest.mark.parametrize("slow", [0.6, 2.0])
def test_lengths_follow_the_speed_that_was_measured(slow: float) -> None:
    conductor = searched(World(slow=lambda _: slow, step_s=0.03))
    plans = [event.plan for event in conductor.events if isinstance(event, Planned)]
    assert (plans[-1].rungs[-1].epochs > plans[0].rungs[-1].epochs) == (slow < 1.0)
    assert not any(trial.outcome.shortened for trial in conductor.study.trials("confirm"))
    assert len(conductor.study.fresh_models()) >= 2


def test_no_more_trials_than_the_user_allows() -> None:
    conductor, _ = hour(World(), how=brief(None, trials=7))
    assert len(conductor.study.asked("search")) == 7
    assert conductor.study.fresh_models()


def test_a_parameter_that_the_user_fixed_never_varies() -> None:
    space = {name: dimension for name, dimension in LONG.items() if name not in ("weight_decay", "batch_size")}
    conductor = searched(World(), workers=8, space=space)
    for request in conductor.study.asked("search").values():
        assert request.params.weight_decay == conductor.brief.defaults.weight_decay
        assert request.params.batch_size == conductor.brief.defaults.batch_size


def test_lengths_are_numbers_with_a_fraction_even_if_the_user_wrote_a_whole_one() -> None:
    """MLflow refuses a parameter that was 5 and comes back from the journal as 5.0."""
    conductor = searched(World(), space={**LONG, "cycle_epochs": Interval(2, 5)})
    lengths = [request.params.cycle_epochs for request in conductor.study.requests.values()]
    assert all(isinstance(length, float) for length in lengths)
