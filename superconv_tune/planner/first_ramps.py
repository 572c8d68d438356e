"""The range test at the beginning: it centres the first grid of learning rates, and decides nothing else."""

from __future__ import annotations

import math

from superconv_tune.lr.lr_range import RangeTestResult, pool
from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.planner.situation import Situation
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Ramps, TrialRequest

RAMP_STEPS = 180  # steps of the fine ramp: three decades at 60 steps per decade (science 2.3)
COARSE_STEPS = 105  # steps of the coarse ramp before it: seven decades at 15 steps per decade
BUDGET_SHARE = 0.02  # of the budget that the ramps of one worker may take (design 5)


def pooled_range_test(study: Study) -> RangeTestResult | None:
    """The pooled result of the first range tests; None before the first result."""
    outcomes = (trial.outcome for trial in study.trials("range_test"))
    results = [outcome.range_test for outcome in outcomes if outcome.range_test is not None]
    return pool(results) if results else None


def ask_range_test(situation: Situation) -> TrialRequest | None:
    """The range test, if there was none and it costs little; other workers need not wait for its result."""
    study = situation.study
    if situation.asked("range_test"):
        return None
    ramp_s = situation.cost.ramp_s(situation.usual, COARSE_STEPS + RAMP_STEPS)
    if ramp_s > BUDGET_SHARE * study.budget_s or situation.now + ramp_s > situation.limit:
        return None
    ramps = Ramps(*situation.brief.ramp_interval, steps=RAMP_STEPS)
    return situation.request(RangeTest(), ramps, situation.usual, situation.patient_with(ramp_s))


def first_rate(situation: Situation) -> float:
    """The learning rate around which the first grid lies.

    It is the range test's pick, moved to the nearest of a fixed series of rates, so that trials that began before its
    result are members of the grid; the middle of that series without a result.
    """
    middle = situation.brief.fallback_lr
    pooled = pooled_range_test(situation.study)
    if pooled is None or pooled.refusal is not None:
        return middle
    return middle * GRID_FACTOR ** round(math.log(pooled.max_lr / middle, GRID_FACTOR))
