"""Events written to JSON and read back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.record.events import (
    Closed,
    Frozen,
    Observed,
    Opened,
    Planned,
    Requested,
    Resized,
    Resumed,
    Surveyed,
)
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import (
    Baseline,
    Confirm,
    EdgeTest,
    LongRun,
    Probe,
    Promoted,
    Proposal,
    Purpose,
    RangeTest,
    RunOff,
    Sampled,
    Scaling,
    Smoke,
)
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest

PROPOSAL = Proposal("rung0", 2)
COSINE = schedule_from("cosine,warmup=exponential")
REQUEST = TrialRequest(
    "a", 1, Sampled(PROPOSAL, 0.1), Cycle(0.15, data_share=0.5, reads_test=True),
    params=Hyperparameters(lr_multiplier=1.5), schedule=Schedule(), seed=3, deadline=10.0, rung=0, precision="bf16",
)  # fmt: skip
PURPOSES: list[Purpose] = [
    RangeTest(), EdgeTest(), Smoke(), Probe(0.1), Sampled(PROPOSAL, 0.1), Promoted("0001", PROPOSAL, 0.1),
    RunOff("0001"), Confirm(1), Scaling(2), Baseline(3), LongRun(),
]  # fmt: skip


def curve(losses: list[float]) -> Curve:
    steps = np.arange(len(losses), dtype=np.float64)
    return Curve(steps, steps * 0.1, steps * 0 + 0.9, np.array(losses, dtype=np.float64), steps)


OUTCOME = TrialOutcome(
    "a",
    1,
    "finished",
    0.9,
    range_test=RangeTestResult(0.1, 0.2, 0.05, 0.01, "good", 0.0, 40),
    range_curve=curve([2.0, math.nan, math.inf]),
    cycle_curve=curve([1.0]),
)
PLAN = Plan((RungPlan(1.0, 8), RungPlan(3.0, 4, free=True)), 4, (1.5, 4.0), is_too_small=True)
RAMPS = Ramps(1e-5, 10.0, 120, "linear", is_centred=False, is_checked=True, finds_edge=True)


@pytest.mark.parametrize(
    "event",
    [
        Opened("s", 1.0, 2.0, 2, {"name": "s", "space": {"a": [1, 2]}}),
        Resumed(1.0, 2.0, 4),
        Resumed(1.0, 2.0, 4, ("net.py has changed",), {"files": {"net.py": "ab12"}}, 0.5),
        Resized(1.5, 3),
        Surveyed(1.5, (Landmark("a linear model", "floor", 0.8, "a linear model reaches 0.8."),)),
        Planned(1.0, PLAN),
        Frozen(1.5, Recipe(1, "a", Hyperparameters(), 0.2, COSINE)),
        Requested(1.0, REQUEST),
        Requested(1.0, replace(REQUEST, purpose=EdgeTest(), work=RAMPS)),
        *(Requested(1.0, replace(REQUEST, purpose=purpose, work=Cycle(0.1))) for purpose in PURPOSES),
        Observed(1.0, OUTCOME),
        Closed(1.0, "decided"),
    ],
)
def test_every_event_is_unchanged_after_a_round_trip_through_json(event: object) -> None:
    assert decode(type(event), json.loads(json.dumps(encode(event)))) == event


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="finished"):
        decode(TrialOutcome, {**encode(OUTCOME), "status": "fine"})


def test_an_unknown_purpose_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"range_test.*run_off.*'lottery'"):
        decode(TrialRequest, {**encode(REQUEST), "purpose": {"name": "lottery"}})
