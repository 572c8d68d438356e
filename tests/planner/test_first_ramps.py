"""What a trial's own ramp costs."""

from __future__ import annotations

import numpy as np

from tests.planner.hours import hour
from tests.simulated import World, brief


def test_a_trials_own_ramp_costs_a_tenth_of_it_but_for_the_lowest_rung() -> None:
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=brief(None))
    shares = [
        request.ramp_steps / outcome.steps
        for request, outcome in conductor.study.trials("search")
        if request.ramp is not None and request.rung > 0
    ]
    assert shares
    assert np.mean(shares) <= 0.1
