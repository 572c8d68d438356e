"""Lengths that give way where there is less time than planned."""

from __future__ import annotations

from superconv_tune.core.events import Planned
from tests.planner.hours import hour
from tests.simulated import World, policy


def test_a_machine_slower_than_measured_shortens_every_rung_and_skips_none() -> None:
    conductor, _ = hour(World(step_s=0.03, slow=lambda _: 2.5), budget_s=900.0, how=policy(None))
    plans = [event.plan for event in conductor.events if isinstance(event, Planned)]
    assert len(plans[0].rungs) >= 3
    for index in range(len(plans[0].rungs)):
        assert len(conductor.study.asked("search", index)) >= 2
    lengths = [rung.epochs for rung in plans[-1].rungs]
    assert lengths == sorted(lengths)
    assert lengths[-1] < plans[0].rungs[-1].epochs
