"""Work beside the trials of a search, on the connected Ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

T = TypeVar("T")

NICENESS = 5  # against trials on all cores, a third of one core is left for it

logger = logging.getLogger(__name__)


def beside(work: Callable[[], T], otherwise: T) -> Callable[[float], T | None]:
    """Begin ``work`` on the driver's machine, in a process of its own that yields to the trials.

    Returns:
        A function that waits at most so many seconds for the result: None before it is there, and ``otherwise`` if the
        process ended without one.
    """
    # What the driver has prepared for it, such as images in a cache, is not on other machines.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # No core is set aside: every one of them is a trial's.
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=here)(_yielding).remote(work)

    def look(wait_s: float) -> T | None:
        try:
            ready, _ = ray.wait([task], timeout=wait_s)
            found: T | None = ray.get(task) if ready else None
        except RayError:
            logger.exception("Work beside the trials failed.")
            return otherwise
        return found

    return look


def _yielding(work: Callable[[], Any]) -> Any:
    os.nice(NICENESS)
    return work()
