"""Landmarks add to a verdict's reasons and warnings, and leave its word alone."""

from __future__ import annotations

from typing import Literal

import pytest

from superconv_tune.core.codec import decode, encode
from superconv_tune.record.events import Measured
from superconv_tune.record.landmarks import Landmark
from superconv_tune.verdict.perspective import with_landmarks
from superconv_tune.verdict.verdict import Estimate, Target, Verdict

LINEAR = Landmark("a linear model", "floor", 0.90, "a linear model on 1000 examples reaches accuracy 0.9.")
NEAREST = Landmark("the nearest neighbour", "floor", 0.80, "the nearest neighbour reaches accuracy 0.8.")
NOISE = Landmark("label noise", "ceiling", 0.85, "About 15 % of the labels look wrong.", is_warning=True)
UNKNOWN = Landmark("the nearest neighbour", "floor", None, "the nearest neighbour: not compared.")


def verdict(low: float, high: float) -> Verdict:
    return Verdict("undecided", 0.5, Estimate((low + high) / 2, low, high, 0.95), ("It is open.",), ("Few seeds.",))


def test_floors_are_reported_after_the_verdict_s_own_sentences() -> None:
    found = with_landmarks(verdict(0.92, 0.94), Target("accuracy", "max", 0.95), (LINEAR, NEAREST, NOISE, UNKNOWN))
    assert found.word == "undecided"
    assert found.reasons[0] == "It is open."
    assert "a linear model 0.9, the nearest neighbour 0.8" in found.reasons[1]
    assert found.warnings == ("Few seeds.", NOISE.words)


@pytest.mark.parametrize(
    ("direction", "target", "easy"),
    [("max", 0.90, True), ("max", 0.91, False), ("min", 0.80, True), ("min", 0.79, False)],
)
def test_a_target_that_a_simple_method_reaches_is_reported(
    direction: Literal["max", "min"], target: float, easy: bool
) -> None:
    found = with_landmarks(verdict(0.92, 0.94), Target("m", direction, target), (LINEAR, NEAREST))
    assert any("no more than a simple method" in reason for reason in found.reasons) is easy


@pytest.mark.parametrize(
    ("direction", "low", "high", "worse"),
    [("max", 0.85, 0.89, True), ("max", 0.85, 0.91, False), ("min", 0.81, 0.85, True), ("min", 0.79, 0.9, False)],
)
def test_models_below_a_floor_give_a_warning(
    direction: Literal["max", "min"], low: float, high: float, worse: bool
) -> None:
    found = with_landmarks(verdict(low, high), Target("m", direction, None), (LINEAR, NEAREST))
    assert any("worse than a simple method" in warning for warning in found.warnings) is worse


def test_without_landmarks_nothing_changes() -> None:
    assert with_landmarks(verdict(0.1, 0.2), Target("m", "max", 0.5), ()) == verdict(0.1, 0.2)


def test_landmarks_are_kept_in_the_journal_and_an_older_one_has_none() -> None:
    measured = Measured(10, 2, 2, landmarks=(LINEAR, UNKNOWN))
    assert decode(Measured, encode(measured)) == measured
    older = {key: value for key, value in encode(measured).items() if key != "landmarks"}
    assert decode(Measured, older).landmarks == ()
