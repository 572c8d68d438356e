"""How many trials a search may run at once, as the cluster around it changes."""

from __future__ import annotations

import pytest

from superconv_tune.cluster.driver import Resources, fitting
from superconv_tune.cluster.slots import LOOK_EVERY_S, Capacity, Share


class Watched:
    """A cluster that a test changes, and a clock that stands still between two looks."""

    def __init__(self, cpus: float) -> None:
        self.seen = Capacity({"CPU": cpus}, {"CPU": cpus}, 1)
        self.now = 0.0
        self.share = Share(lambda amounts: fitting(amounts, Resources()), lambda: self.seen, lambda: self.now)

    def count(self, held: int, total: float, free: float, searches: int) -> int:
        self.now += LOOK_EVERY_S
        self.seen = Capacity({"CPU": total}, {"CPU": free}, searches)
        return self.share.count(held)


def test_a_search_alone_takes_all_of_the_cluster() -> None:
    assert Watched(8.0).share.count(held=0) == 8


@pytest.mark.parametrize(
    ("held", "total", "free", "searches", "expected"),
    [
        (8, 8.0, 0.0, 2, 4),  # another one came
        (0, 8.0, 0.0, 2, 1),  # and waits until there is room
        (1, 8.0, 3.0, 2, 4),
        (4, 8.0, 4.0, 1, 8),  # the other one ended
        (4, 8.0, 2.0, 1, 6),  # some other job holds two
        (8, 4.0, 0.0, 1, 4),  # half of the nodes is gone
        (2, 16.0, 14.0, 1, 16),  # nodes came
        (1, 2.0, 0.0, 5, 1),
    ],
)
def test_its_part_follows_what_happens_on_the_cluster(
    held: int, total: float, free: float, searches: int, expected: int
) -> None:
    watched = Watched(8.0)
    watched.share.count(held=0)
    assert watched.count(held, total, free, searches) == expected


def test_searches_that_come_at_once_end_with_equal_parts() -> None:
    """Each of three sees only what is free now, and none takes from another what that needs."""
    searches = [Watched(8.0) for _ in range(3)]
    held = [8, 0, 0]
    for _ in range(6):
        for index, search in enumerate(searches):
            slots = search.count(held[index], 8.0, 8.0 - sum(held), 3)
            held[index] = min(slots, held[index] + 8 - sum(held)) if slots > held[index] else slots
    assert held == [2, 2, 2]


def test_it_looks_at_the_cluster_only_now_and_then() -> None:
    watched = Watched(8.0)
    assert watched.share.count(held=0) == 8
    watched.seen = Capacity({"CPU": 8.0}, {"CPU": 0.0}, 2)
    assert watched.share.count(held=8) == 8
    watched.now += LOOK_EVERY_S
    assert watched.share.count(held=8) == 4
