"""The cost of a trial's own ramp."""

from __future__ import annotations

import numpy as np

from tests.planner.hours import hour
from tests.simulated import World, brief


def test_a_trials_own_ramp_takes_a_tenth_of_it_except_on_the_lowest_rung() -> None:
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=brief(None))
    shares = [
        own.steps / trial.outcome.steps
        for trial in conductor.study.trials("search")
        if (own := trial.request.cycle.own_ramp) is not None and trial.request.rung > 0
    ]
    assert shares
    assert np.mean(shares) <= 0.1
