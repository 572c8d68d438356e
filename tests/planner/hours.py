"""A complete simulated search in memory."""

from __future__ import annotations

from benchmarks.simulation import VirtualClock
from superconv_tune.planner.brief import Brief
from tests.simulated import WatchedConductor, Workers, World, brief, opened, searched


def hour(
    world: World, budget_s: float = 600.0, workers: int = 2, how: Brief | None = None
) -> tuple[WatchedConductor, VirtualClock]:
    """Run a search from half a minute after the command to its end."""
    start = opened(budget_s, workers, world.step_s, alike=world.alike)
    return searched(Workers(world), start, how or brief())
