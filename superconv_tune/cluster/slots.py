"""How many trials of a search run at once while other searches, other jobs and nodes come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import ray
from ray.util.placement_group import placement_group, placement_group_table

MARK = "superconv_tune search"
LOOK_EVERY_S = 2.0  # Ray shows resources that were just taken after about one second
JOIN_S = 30.0


@dataclass(frozen=True)
class Capacity:
    """A cluster at one moment.

    Attributes:
        total: its resources by Ray's names.
        free: resources that nobody holds.
        searches: number of searches on it, including this one.
    """

    total: Mapping[str, float]
    free: Mapping[str, float]
    searches: int


class Slots(Protocol):
    """Limits the number of trials at once."""

    def count(self, held: int) -> int:
        """Number of trials that may run at once now; ``held``: number of worker processes that the search has."""
        ...


class Share:
    """An equal part of the cluster for every search on it, or what is free if that is less.

    When a search starts, the others end the workers above their part as soon as these have finished a trial; when one
    ends, the others grow.

    Args:
        fitting: returns the number of trials that fit into the given resources at once.
        look: returns the present state of the cluster.
        clock: time in seconds.
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
        """Number of trials that may run at once now; at least 1, which waits until the others have made room."""
        if self._clock() - self._looked_at >= LOOK_EVERY_S:
            now = self._look()
            part = self._fitting({name: amount / now.searches for name, amount in now.total.items()})
            self._count = max(1, min(part, held + self._fitting(now.free)))
            self._looked_at = self._clock()
        return self._count


def join() -> None:
    """Make this search visible to the other searches of the cluster until its driver ends or dies.

    A placement group of one byte of memory marks it: it costs no process, and Ray removes it with its driver.
    """
    placement_group([{"memory": 1}], name=MARK).wait(JOIN_S)


def look() -> Capacity:
    """The present state of the cluster that this process is connected to."""
    groups = placement_group_table().values()
    searches = sum(group["name"] == MARK and group["state"] != "REMOVED" for group in groups)
    return Capacity(ray.cluster_resources(), ray.available_resources(), max(1, searches))
