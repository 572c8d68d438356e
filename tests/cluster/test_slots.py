"""How many trials a search may run at once, as the cluster around it changes."""

from __future__ import annotations

import pytest

from superconv_tune.cluster.driver import Resources, concurrency, fitting, refuse_full_cluster, refuse_small_nodes
from superconv_tune.cluster.slots import LOOK_EVERY_S, Capacity, Nodes, Share
from superconv_tune.core.errors import UserError


class Watched:
    """A cluster that a test changes, and a clock that stands still between two looks."""

    def __init__(self, cpus: float, most: int = 100) -> None:
        self.seen = Capacity([{"CPU": cpus}], [{"CPU": cpus}], 1)
        self.now = 0.0
        self.share = Share(self.fitting, lambda: self.seen, most, clock=lambda: self.now)

    def fitting(self, nodes: Nodes) -> int:
        return sum(fitting(node, Resources()) for node in nodes)

    def count(self, held: int, total: float, free: float, searches: int) -> int:
        self.now += LOOK_EVERY_S
        self.seen = Capacity([{"CPU": total}], [{"CPU": free}], searches)
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
    watched.seen = Capacity([{"CPU": 8.0}], [{"CPU": 0.0}], 2)
    assert watched.share.count(held=8) == 8
    watched.now += LOOK_EVERY_S
    assert watched.share.count(held=8) == 4


def test_a_search_that_wants_few_trials_at_once_gets_no_more_and_gives_up_none_of_them() -> None:
    watched = Watched(16.0, most=4)
    assert watched.share.count(held=0) == 4
    assert watched.count(4, 16.0, 8.0, 2) == 4


@pytest.mark.parametrize("workers", [None, 1])
def test_a_second_search_is_welcome_where_there_is_a_place_for_each(workers: int | None) -> None:
    """However few of them it wants, and although the first one still holds all."""
    resources = Resources(workers=workers)
    refuse_full_cluster(Capacity([{"CPU": 16.0}], [{"CPU": 0.0}], 2), resources)
    with pytest.raises(UserError, match="others hold the cluster"):
        refuse_full_cluster(Capacity([{"CPU": 1.0}], [{"CPU": 0.0}], 2), resources)
    with pytest.raises(UserError, match="0 CPU and 0 GPU are free"):
        refuse_full_cluster(Capacity([{"CPU": 16.0}], [{"CPU": 0.0}], 1), resources)


@pytest.mark.parametrize(
    ("nodes", "resources", "expected"),
    [
        ([{"CPU": 2.0}], Resources(), 2),
        ([{"CPU": 8.0}], Resources(cpus_per_trial=3.0), 2),
        ([{"CPU": 8.0}], Resources(workers=3), 3),
        ([{"CPU": 16.0, "GPU": 2.0}], Resources(gpus_per_trial=0.25), 8),
        ([{"CPU": 4.0, "GPU": 2.0}], Resources(gpus_per_trial=1.0), 2),
        ([{"CPU": 5.0, "GPU": 1.0}] * 2, Resources(gpus_per_trial=0.4), 4),
        ([{"CPU": 8.0, "GPU": 1.0}], Resources(gpus_per_trial=1 / 3), 3),
        ([{"CPU": 8.0, "GPU": 1.5}], Resources(gpus_per_trial=0.5), 3),
        ([{"CPU": 16.0}, {"CPU": 8.0, "GPU": 4.0}], Resources(cpus_per_trial=4.0, gpus_per_trial=1.0), 2),
        ([{"CPU": 4.0}] * 4, Resources(cpus_per_trial=3.0), 4),
    ],
)
def test_as_many_trials_run_as_fit_each_on_one_node(nodes: Nodes, resources: Resources, expected: int) -> None:
    refuse_small_nodes(nodes, resources)
    assert concurrency(nodes, resources) == expected


@pytest.mark.parametrize(
    ("nodes", "resources", "has"),
    [
        ([{"CPU": 2.0}], Resources(cpus_per_trial=4.0), "2 CPU and 0 GPU"),
        ([{"CPU": 2.0}], Resources(gpus_per_trial=1.0), "2 CPU and 0 GPU"),
        ([{"CPU": 4.0}] * 4, Resources(cpus_per_trial=8.0), "they have 4 CPU and 0 GPU. Ask for less"),
        ([{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}], Resources(2.0, gpus_per_trial=0.5), "1 CPU and 1 GPU"),
    ],
)
def test_a_trial_that_fits_on_no_node_is_refused(nodes: Nodes, resources: Resources, has: str) -> None:
    """Though all of them together might have enough: it would wait for ever."""
    with pytest.raises(UserError, match=has):
        refuse_small_nodes(nodes, resources)
