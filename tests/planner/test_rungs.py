"""What a rung takes over from the one below."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.space import Choice
from superconv_tune.core.trial import Hyperparameters
from superconv_tune.planner.rungs import JITTER
from tests.planner.hours import hour
from tests.simulated import SPACE, World, policy


@pytest.mark.parametrize("sizes", [(64.0, 128.0, 256.0), (32.0, 64.0), (128.0,)])
def test_every_batch_size_is_tried_before_anything_is_left_to_the_draw(sizes: tuple[float, ...]) -> None:
    how = policy(None, space={**SPACE, "batch_size": Choice(sizes)})
    conductor, _ = hour(World(step_s=0.01), budget_s=1200.0, how=how)
    lowest = list(conductor.study.asked("search", 0).values())
    probes = [request for request in lowest if request.proposal is None]
    others = sorted(set(sizes) - {128.0})
    assert {request.params.batch_size for request in probes} == {128}
    chosen = lowest[len(probes) : len(probes) + len(others)]
    assert [request.params.batch_size for request in chosen] == others
    assert all(request.params.lr_multiplier == 1.0 and request.params.weight_decay == 5e-4 for request in chosen)
    by_size = {request.params.batch_size: request.pick_lr for request in chosen}
    if len(others) == 2:
        low, high = (by_size[int(size)] for size in others)
        assert low is not None
        assert high == pytest.approx(low * (others[1] / others[0]) ** 0.5)
    drawn = lowest[len(probes) + len(others) :]
    assert len({request.params.weight_decay for request in drawn}) == len(drawn) > 0


def same(parent: Hyperparameters, child: Hyperparameters) -> bool:
    """Whether only length and learning rate may differ."""
    return parent == replace(child, cycle_epochs=parent.cycle_epochs, lr_multiplier=parent.lr_multiplier)


def test_a_promoted_configuration_keeps_its_multiplier_whatever_its_batch_size() -> None:
    """The pick of its rung knows the batch size already; the jitter alone may move the rate."""
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=policy(None))
    searched = [request for request, _ in conductor.study.trials("search") if request.proposal is not None]
    moves = []
    for trial_id in conductor.promoted:
        child = conductor.study.requests[trial_id].params
        parents = [r.params for r in searched if r.rung == conductor.study.requests[trial_id].rung - 1]
        parent = next((p for p in parents if same(p, child)), None)
        if parent is not None and child.batch_size != 128 and 0.36 < child.lr_multiplier < 1.95:  # not cut by its range
            moves.append(child.lr_multiplier / parent.lr_multiplier)
    assert len(moves) >= 3
    assert all(any(move == pytest.approx(jitter) for jitter in JITTER) for move in moves)
