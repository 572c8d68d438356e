"""How many trials of a search run at once while other searches, other jobs and nodes come and go."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ray._private import state  # the only place that tells what is free on every node
from ray.util.placement_group import placement_group, placement_group_table

MARK = "superconv_tune search"
LOOK_EVERY_S = 2.0  # Ray shows resources that were just taken after about one second
JOIN_S = 30.0

Nodes = Sequence[Mapping[str, float]]  # amounts by Ray's names, for every node: a trial runs on one of them


@dataclass(frozen=True)
class Capacity:
    """A cluster at one moment.

    Attributes:
        nodes: the resources of its nodes.
        free: what nobody holds of them.
        searches: number of searches on it, including this one.
    """

    nodes: Nodes
    free: Nodes
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
        fitting: returns the number of trials that fit on the given nodes at once.
        look: returns the present state of the cluster.
        most: largest number of trials at once.
        clock: time in seconds.
    """

    def __init__(
        self,
        fitting: Callable[[Nodes], int],
        look: Callable[[], Capacity],
        most: int = sys.maxsize,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fitting = fitting
        self._look = look
        self._most = most
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._count = 0

    def count(self, held: int) -> int:
        """Number of trials that may run at once now; at least 1, which waits until the others have made room."""
        if self._clock() - self._looked_at >= LOOK_EVERY_S:
            now = self._look()
            part = min(self._fitting(now.nodes) // now.searches, self._most)
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
    nodes, free = state.total_resources_per_node(), state.available_resources_per_node()
    return Capacity(list(nodes.values()), list(free.values()), max(1, searches))
