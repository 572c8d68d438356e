"""What a rung takes over from the one below."""

from __future__ import annotations

import pytest

from superconv_tune.planner.rungs import JITTER
from tests.planner.hours import hour
from tests.simulated import World, policy


def test_a_promoted_configuration_keeps_its_multiplier_whatever_its_batch_size() -> None:
    """The pick of its rung knows the batch size already; the jitter alone may move the rate."""
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=policy(None))
    searched = [request for request, _ in conductor.study.trials("search") if request.proposal is not None]
    moves = []
    for trial_id in conductor.promoted:
        child = conductor.study.requests[trial_id].params
        parents = [r.params for r in searched if r.rung == conductor.study.requests[trial_id].rung - 1]
        parent = next((p for p in parents if p.weight_decay == child.weight_decay), None)
        if parent is not None and child.batch_size != 128 and 0.36 < child.lr_multiplier < 1.95:  # not cut by its range
            moves.append(child.lr_multiplier / parent.lr_multiplier)
    assert len(moves) >= 3
    assert all(any(move == pytest.approx(jitter) for jitter in JITTER) for move in moves)
