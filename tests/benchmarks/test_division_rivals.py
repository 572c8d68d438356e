"""Each rival in a world whose best peak is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.division.rivals import LADDER_DECAY, LADDER_SIZE, RIVALS, _Ladder, asha, random_in_band, short_ladder
from benchmarks.division.world import END_S, START_S, Items, Task, tasks
from tests.benchmarks.planted_cycles import Planted, write

PHOTOS = Planted(spread=0.0)
BUDGET_S = 480.0
ENDLESS_ITEMS = 10**7


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Photographs with so many items that validation has no noise."""
    folder: Path = tmp_path_factory.mktemp("cycles")
    write(folder, [PHOTOS], noisy=False)
    found = tasks(folder)[PHOTOS.name]
    return replace(found, items=Items(found.items.train, ENDLESS_ITEMS, ENDLESS_ITEMS))


def test_the_short_ladder_finds_the_best_peak(photos: Task) -> None:
    found = short_ladder(photos, BUDGET_S, 2, seed=0)
    best = max(float(photos.surface.expected(found.length, LADDER_SIZE, 2.0**power)) for power in range(-8, 1))
    assert found.length > 27.0
    assert found.truth == pytest.approx(best, abs=0.03)
    assert found.trials >= 4 + 2 + 2 + 4


def test_a_bracket_goes_up_while_the_highest_rate_wins(photos: Task) -> None:
    ladder = _Ladder(photos, 2, np.random.default_rng(0))
    best = ladder.bracket(1.0, (PHOTOS.best_lr / 8, PHOTOS.best_lr / 4), 9)
    assert best == pytest.approx(PHOTOS.best_lr)
    assert ladder.trials == 2 + 3
    assert ladder.now > START_S
    assert ladder.bracket(1.0, (2 * PHOTOS.best_lr, 4 * PHOTOS.best_lr), 9) == pytest.approx(PHOTOS.best_lr)


def test_the_ladder_trains_as_its_script_does(photos: Task) -> None:
    assert photos.surface.plain == (LADDER_DECAY, 0.0)


def test_asha_stops_laggards_and_finishes_the_best(photos: Task) -> None:
    found = asha(photos, BUDGET_S, 2, seed=0, most=16)
    whole = (BUDGET_S - START_S - END_S) / photos.trial_s(16.0, 128) * 2
    assert found.length == 16.0
    assert found.trials > 2 * whole  # most of them are stopped after an epoch
    typical = float(photos.surface.accuracy(16.0, 64, 0.01))
    assert typical < found.truth <= PHOTOS.ceiling - PHOTOS.gap / 16**0.5 + 0.02


def test_asha_hands_over_what_it_has_when_no_cycle_ends(photos: Task) -> None:
    found = asha(photos, 60.0, 2, seed=0, most=243)
    assert 1.0 <= found.length < 243.0
    assert found.truth < float(photos.surface.accuracy(found.length, 64, PHOTOS.best_rate(found.length, 64)))


def test_the_random_search_gives_every_worker_about_eight_trials(photos: Task) -> None:
    found = random_in_band(photos, BUDGET_S, 2, seed=0)
    assert 12 <= found.trials <= 22
    assert found.truth > float(photos.surface.accuracy(found.length, 64, PHOTOS.best_lr / 4))


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_is_the_same_again_and_survives_a_budget_that_is_too_small(photos: Task, name: str) -> None:
    assert RIVALS[name](photos, BUDGET_S, 2, 5) == RIVALS[name](photos, BUDGET_S, 2, 5)
    assert RIVALS[name](photos, START_S + END_S + 0.1, 2, 5).truth >= photos.surface.trivial
