"""The range test at the beginning."""

from __future__ import annotations

import math

import pytest

from superconv_tune.lr.rate_grid import FALLBACK_LR
from superconv_tune.record.events import Requested
from superconv_tune.record.trial import Cycle
from tests.planner.hours import hour
from tests.simulated import World, brief


def test_it_runs_once_while_other_workers_already_train() -> None:
    conductor, _ = hour(World(), how=brief(None))
    first, second, *_ = (event for event in conductor.events if isinstance(event, Requested))
    assert len(conductor.study.asked("range_test")) == 1
    assert (first.request.kind, second.request.kind) == ("range_test", "search")
    assert first.at == second.at


def test_it_is_left_out_where_it_would_cost_more_than_a_fiftieth_of_the_budget() -> None:
    conductor, _ = hour(World(step_s=0.1), how=brief(None))
    assert not conductor.study.asked("range_test")
    assert conductor.study.recipe is not None


@pytest.mark.parametrize("misled", [1.0, 30.0, 1 / 30])
def test_its_pick_is_moved_to_the_series_of_the_trials_that_did_not_wait_for_it(misled: float) -> None:
    conductor, _ = hour(World(misled=misled), how=brief(None))
    rates = {r.work.max_lr for r in conductor.study.asked("search", 0).values() if isinstance(r.work, Cycle)}
    octaves = [math.log2(rate / FALLBACK_LR["sgd"]) for rate in rates]
    assert all(abs(octave - round(octave)) < 1e-6 for octave in octaves)


@pytest.mark.parametrize("misled", [30.0, 1 / 30])
def test_a_misleading_one_is_corrected_by_the_trials(misled: float) -> None:
    conductor, _ = hour(World(misled=misled), how=brief(None))
    recipe = conductor.study.recipe
    assert recipe is not None
    best = 0.1 * recipe.params.cycle_epochs**0.25
    assert abs(math.log2(recipe.max_lr / best)) <= 1.0
