"""Probes that climb to where the best learning rate is."""

from __future__ import annotations

import numpy as np
import pytest

from superconv_tune.core.trial import TrialOutcome, TrialRequest
from superconv_tune.planner.evidence import confirmed
from tests.planner.hours import hour
from tests.simulated import World, policy


@pytest.mark.parametrize("best_lr", [0.002, 0.1, 5.0])
def test_probes_widen_until_the_best_learning_rate_is_inside(best_lr: float) -> None:
    """The range test of this world is 64 times too low; the probes have to climb out."""
    world = World(best_lr=best_lr)
    plain = world.run

    def misled(request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
        outcome, took = plain(request, now, slowness)
        return outcome, took

    world.run = misled  # type: ignore[method-assign]
    conductor, _ = hour(world, how=policy(None))
    recipe = confirmed(conductor.study)[0][0]
    assert recipe.pick_lr is not None
    wanted = best_lr * recipe.params.cycle_epochs**world.exponent
    assert abs(np.log2(recipe.pick_lr / wanted)) < 1.5
