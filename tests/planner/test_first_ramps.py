"""What a trial's own ramp costs."""

from __future__ import annotations

import numpy as np

from tests.planner.hours import hour
from tests.simulated import World, brief


def test_a_trials_own_ramp_costs_a_tenth_of_it_but_for_the_lowest_rung() -> None:
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=brief(None))
    shares = [
        own.steps / trial.outcome.steps
        for trial in conductor.study.trials("search")
        if (own := trial.request.cycle.own_ramp) is not None and trial.request.rung > 0
    ]
    assert shares
    assert np.mean(shares) <= 0.1
