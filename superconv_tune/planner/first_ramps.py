"""The range tests: the first ones, what they say together, and the ramp that a search trial begins with."""

from __future__ import annotations

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult, pool
from superconv_tune.planner.ask import Decision, own_ramp_steps
from superconv_tune.planner.situation import Situation
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.study import Study
from superconv_tune.record.trial import OwnRamp, Ramps

RAMPS = 2  # replicates of the first range test, at least; more where there are more workers
MOST_RAMPS = 3
RAMP_STEPS = 180  # of a first fine ramp: three decades at 60 steps per decade (science 2.3)
COARSE_STEPS = 105  # of the coarse ramp before it: seven decades at 15 steps per decade
OWN_RAMP_SHARE = 0.1  # a trial's own ramp is this share of its cycle
OWN_RAMP_REACH = 10.0  # it crosses the pooled minimum / and * this factor


def pooled_range_test(study: Study) -> RangeTestResult | None:
    """What the first range tests say together; None before one came back."""
    outcomes = (trial.outcome for trial in study.trials("range_test"))
    results = [outcome.range_test for outcome in outcomes if outcome.range_test is not None]
    return pool(results) if results else None


def ask_range_test(situation: Situation) -> Decision | None:
    """The first range tests, each on a worker of its own, and nothing else until they are back."""
    wanted = min(MOST_RAMPS, max(RAMPS, situation.study.workers))
    ramp_s = situation.cost.ramp_s(situation.brief.defaults, COARSE_STEPS + RAMP_STEPS)
    if len(situation.asked("range_test")) < wanted and situation.now + ramp_s <= situation.limit:
        ramps = Ramps(*situation.brief.ramp_interval, steps=RAMP_STEPS)
        return situation.request(RangeTest(), ramps, situation.brief.defaults, situation.patient_with(ramp_s))
    return Signal.WAIT if situation.running("range_test") else None


def own_ramp(situation: Situation, params: Hyperparameters) -> OwnRamp | None:
    """The ramp before a cycle, around the minimum of the first ones; None if they said nothing."""
    pooled = pooled_range_test(situation.study)
    if pooled is None or pooled.refusal is not None:
        return None
    steps = own_ramp_steps(OWN_RAMP_SHARE * situation.cost.steps(params))
    return OwnRamp(pooled.lr_at_minimum / OWN_RAMP_REACH, pooled.lr_at_minimum * OWN_RAMP_REACH, steps)
