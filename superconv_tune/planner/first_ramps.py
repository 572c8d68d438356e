"""The range tests at the beginning, their pooled result, and the ramp before a search trial."""

from __future__ import annotations

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult, pool
from superconv_tune.planner.ask import Decision, own_ramp_steps
from superconv_tune.planner.situation import Situation
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.study import Study
from superconv_tune.record.trial import OwnRamp, Ramps

RAMPS = 2  # least replicates of the first range test; more with more workers
MOST_RAMPS = 3  # most replicates
RAMP_STEPS = 180  # steps of a first fine ramp: three decades at 60 steps per decade (science 2.3)
COARSE_STEPS = 105  # steps of the coarse ramp before it: seven decades at 15 steps per decade
OWN_RAMP_SHARE = 0.1  # steps of a trial's own ramp, as a share of its cycle
OWN_RAMP_REACH = 10.0  # a trial's own ramp runs from the pooled minimum / this factor to the minimum * this factor


def pooled_range_test(study: Study) -> RangeTestResult | None:
    """The pooled result of the first range tests; None before the first result."""
    outcomes = (trial.outcome for trial in study.trials("range_test"))
    results = [outcome.range_test for outcome in outcomes if outcome.range_test is not None]
    return pool(results) if results else None


def ask_range_test(situation: Situation) -> Decision | None:
    """The first range tests, one per worker; waits until all have ended."""
    wanted = min(MOST_RAMPS, max(RAMPS, situation.study.workers))
    ramp_s = situation.cost.ramp_s(situation.brief.defaults, COARSE_STEPS + RAMP_STEPS)
    if len(situation.asked("range_test")) < wanted and situation.now + ramp_s <= situation.limit:
        ramps = Ramps(*situation.brief.ramp_interval, steps=RAMP_STEPS)
        return situation.request(RangeTest(), ramps, situation.brief.defaults, situation.patient_with(ramp_s))
    return Signal.WAIT if situation.running("range_test") else None


def own_ramp(situation: Situation, params: Hyperparameters) -> OwnRamp | None:
    """The ramp before a cycle, around the minimum of the first range tests; None if they gave no result."""
    pooled = pooled_range_test(situation.study)
    if pooled is None or pooled.refusal is not None:
        return None
    steps = own_ramp_steps(OWN_RAMP_SHARE * situation.cost.steps(params))
    return OwnRamp(pooled.lr_at_minimum / OWN_RAMP_REACH, pooled.lr_at_minimum * OWN_RAMP_REACH, steps)
