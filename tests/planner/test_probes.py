"""Probes that find the best learning rate."""

from __future__ import annotations

import numpy as np
import pytest

from superconv_tune.planner.evidence import confirmed
from tests.planner.hours import hour
from tests.simulated import World, brief


@pytest.mark.parametrize("best_lr", [0.002, 0.1, 5.0])
@pytest.mark.parametrize("misled", [1 / 16, 1.0, 8.0])
def test_probes_widen_until_the_best_learning_rate_is_inside(best_lr: float, misled: float) -> None:
    """Even if the range tests are four octaves too low or three too high, the probes find the best rate."""
    world = World(best_lr=best_lr, misled=misled)
    conductor, _ = hour(world, how=brief(None))
    recipe = confirmed(conductor.study)[0].request
    wanted = best_lr * recipe.params.cycle_epochs**world.exponent
    assert abs(np.log2(recipe.cycle.max_lr / wanted)) < 1.5
