"""Add landmarks to a verdict: what simple methods reach, and what the labels allow.

Landmarks never decide the verdict: a target below a floor only asks little, and a ceiling is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from superconv_tune.core.words import number
from superconv_tune.record.landmarks import Landmark
from superconv_tune.verdict.verdict import Estimate, Target, Verdict


@dataclass(frozen=True)
class Floor:
    """A simple method, and the value that it reached."""

    name: str
    value: float


def with_landmarks(verdict: Verdict, target: Target, landmarks: tuple[Landmark, ...]) -> Verdict:
    """The verdict with reasons and warnings from the landmarks added; its word does not change."""
    floors = [Floor(mark.name, mark.value) for mark in landmarks if mark.kind == "floor" and mark.value is not None]
    reasons, warnings = list(verdict.reasons), list(verdict.warnings)
    if floors:
        listed = ", ".join(f"{mark.name} {number(mark.value)}" for mark in floors)
        reasons.append(f"For comparison, {target.metric} of simple methods on the validation part: {listed}.")
        best = max(floors, key=lambda mark: target.yardstick.worth(mark.value))
        reasons += _easy(target, best)
        warnings += _beaten(target, best, verdict.estimate)
    warnings += [mark.words for mark in landmarks if mark.is_warning]
    return replace(verdict, reasons=tuple(reasons), warnings=tuple(warnings))


def _easy(target: Target, best: Floor) -> list[str]:
    if target.value is None or not target.yardstick.reaches(best.value, target.value):
        return []
    return [f"The target asks for no more than a simple method gives: {best.name} reaches {number(best.value)}."]


def _beaten(target: Target, best: Floor, estimate: Estimate | None) -> list[str]:
    """A warning where the whole interval is worse than a floor: the kind of model, or its training, is at fault."""
    if estimate is None or target.yardstick.reaches(target.yardstick.best((estimate.low, estimate.high)), best.value):
        return []
    return [
        f"These models are worse than a simple method ({best.name}: {number(best.value)}); another model, or other "
        f"inputs, may do better."
    ]
