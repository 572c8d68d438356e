"""A whole hour in memory, for tests of what it is spent on."""

from __future__ import annotations

from superconv_tune.planner.brief import Brief
from superconv_tune.record.study import Study
from tests.simulated import PlanningConductor, SimulatedCluster, World, brief, opened


def hour(
    world: World, budget_s: float = 600.0, workers: int = 2, how: Brief | None = None
) -> tuple[PlanningConductor, SimulatedCluster]:
    """A search from half a minute after the command to its end."""
    start = opened(budget_s, workers, world.step_s, alike=world.alike)
    cluster = SimulatedCluster(world, workers, start.started_at + 30.0)
    conductor = PlanningConductor(Study(start), how or brief(), cluster.clock)
    cluster.run(conductor)
    return conductor, cluster
