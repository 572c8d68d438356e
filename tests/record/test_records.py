"""Curves, their thinning, and what the journal writes and reads back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.record.events import Closed, Observed, Opened, Planned, Requested, Resized, Resumed
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome, TrialRequest


def curve(losses: list[float]) -> Curve:
    steps = np.arange(len(losses), dtype=np.float64)
    return Curve(steps, steps * 0.1, steps * 0 + 0.9, np.array(losses, dtype=np.float64), steps)


LOSSES = st.lists(st.floats(0.0, 10.0) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=300)


@given(losses=LOSSES, points=st.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_extremes(losses: list[float], points: int) -> None:
    whole = curve(losses)
    thin = whole.thin(points)
    assert len(thin) <= points
    assert set(thin.step) <= set(whole.step)
    assert (thin.step[0], thin.step[-1]) == (0, len(losses) - 1)
    assert (np.diff(thin.step) > 0).all() or len(thin) == 1
    finite = [loss for loss in losses if math.isfinite(loss)]
    if finite and len(losses) > points:
        assert min(finite) in thin.loss
    if len(losses) <= points:
        assert thin == whole


def test_joining_stretches_gives_the_whole() -> None:
    whole = curve([3.0, 2.0, math.nan, 1.0])
    assert Curve.join([whole.take(slice(0, 1)), whole.take(slice(1, 4))]) == whole
    assert len(Curve.join([])) == 0


def test_columns_of_unequal_length_are_no_curve() -> None:
    one, two = np.zeros(1), np.zeros(2)
    with pytest.raises(ValueError, match="same length"):
        Curve(one, one, one, two, one)


REQUEST = TrialRequest(
    "a",
    1,
    "search",
    Hyperparameters(),
    3,
    "one_cycle",
    0,
    10.0,
    0.1,
    (0.01, 1.0),
    40,
    "linear",
    False,
    True,
    "fp32",
    ("rung0", 2),
)
OUTCOME = TrialOutcome(
    "a",
    1,
    "finished",
    0.9,
    range_test=RangeTestResult(0.1, 0.2, 0.05, 0.01, "good", 0.0, 40),
    range_curve=curve([2.0, math.nan, math.inf]),
    cycle_curve=curve([1.0]),
)
PLAN = Plan((RungPlan(1.0, 8), RungPlan(3.0, 4, free=True)), 4, (1.5, 4.0), "note")


@pytest.mark.parametrize(
    "event",
    [
        Opened("s", 1.0, 2.0, 2, {"name": "s", "space": {"a": [1, 2]}}),
        Resumed(1.0, 2.0, 4),
        Resized(1.5, 3),
        Planned(1.0, PLAN),
        Requested(1.0, REQUEST),
        Requested(1.0, replace(REQUEST, ramp=None, pick_lr=None, proposal=None)),
        Observed(1.0, OUTCOME),
        Closed(1.0, "decided"),
    ],
)
def test_every_event_comes_back_from_json_as_it_was(event: object) -> None:
    assert decode(type(event), json.loads(json.dumps(encode(event)))) == event


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="finished"):
        decode(TrialOutcome, {**encode(OUTCOME), "status": "fine"})


def study() -> Study:
    return Study.replay([Opened("s", 0.0, 9.0, 2, {}), Requested(1.0, REQUEST)])


def test_a_study_follows_its_events() -> None:
    state = study()
    assert [request.trial_id for request in state.running()] == ["a"]
    state.apply(Observed(2.0, OUTCOME))
    assert state.trials("search") == [(REQUEST, OUTCOME)]
    assert state.trials("confirm") == []
    state.apply(Planned(2.0, PLAN))
    assert state.plan == PLAN
    state.apply(Closed(3.0, "interrupted"))
    assert state.closed is not None
    state.apply(Resumed(4.0, 20.0, 8))
    assert state.workers == 8
    state.apply(Resized(4.5, 4))
    assert Study.replay([Opened("s", 0.0, 9.0, 2, {}), Resumed(4.0, 20.0, 8)]).closed is None
    assert (state.deadline, state.workers) == (20.0, 4)


def test_a_late_answer_of_an_attempt_that_was_given_up_does_not_count() -> None:
    state = study()
    state.apply(Requested(2.0, replace(REQUEST, attempt=2)))
    state.apply(Observed(3.0, OUTCOME))
    assert state.running()
    state.apply(Observed(4.0, replace(OUTCOME, attempt=2)))
    assert not state.running()


@pytest.mark.parametrize("events", [[], [Closed(0.0, "decided")]])
def test_a_study_begins_by_being_opened(events: list[object]) -> None:
    with pytest.raises(ValueError, match="Opened"):
        Study.replay(events)  # type: ignore[arg-type]
