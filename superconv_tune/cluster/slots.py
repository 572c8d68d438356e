"""How many trials of a search run at once, while other searches, other jobs and nodes come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import ray
from ray.util.placement_group import placement_group, placement_group_table

MARK = "superconv_tune search"
LOOK_EVERY_S = 2.0  # what actors have just taken shows after about one
JOIN_S = 30.0


@dataclass(frozen=True)
class Capacity:
    """A cluster at one moment.

    Attributes:
        total: its resources by Ray's names.
        free: those that nobody holds.
        searches: how many searches are on it, this one included.
    """

    total: Mapping[str, float]
    free: Mapping[str, float]
    searches: int


class Slots(Protocol):
    """What a searcher asks before it hands out one more trial."""

    def count(self, held: int) -> int:
        """Trials that may run at once now; ``held`` is the number of worker processes that the search has."""
        ...


class Share:
    """An equal part of the cluster for every search on it, or what is free where that is less.

    Where a search comes, the others end workers that are above their part as soon as these are through with a trial;
    where one ends, the others grow. Nobody holds a worker that another search could use.

    Args:
        fitting: trials that fit into resources at once.
        look: at the cluster.
        clock: in seconds.
    """

    def __init__(
        self,
        fitting: Callable[[Mapping[str, float]], int],
        look: Callable[[], Capacity],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fitting = fitting
        self._look = look
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._count = 0

    def count(self, held: int) -> int:
        """At least 1, so that a search whose turn has not come yet waits with one trial."""
        if self._clock() - self._looked_at >= LOOK_EVERY_S:
            now = self._look()
            part = self._fitting({name: amount / now.searches for name, amount in now.total.items()})
            self._count = max(1, min(part, held + self._fitting(now.free)))
            self._looked_at = self._clock()
        return self._count


def join() -> None:
    """Let the other searches of the cluster know of this one, until its driver ends, in whatever way.

    A placement group of one byte of memory is the sign: it costs no process, and Ray removes it with its driver.
    """
    placement_group([{"memory": 1}], name=MARK).wait(JOIN_S)


def look() -> Capacity:
    """At the cluster that this process is connected to."""
    groups = placement_group_table().values()
    searches = sum(group["name"] == MARK and group["state"] != "REMOVED" for group in groups)
    return Capacity(ray.cluster_resources(), ray.available_resources(), max(1, searches))
