"""A verdict put into proportion by landmarks.

They never make one: a target below a floor asks little, and a ceiling is an estimate.
"""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.record.landmarks import Landmark
from superconv_tune.verdict.verdict import Target, Verdict


def with_landmarks(verdict: Verdict, target: Target, landmarks: tuple[Landmark, ...]) -> Verdict:
    """The verdict with what the landmarks add to its reasons and warnings; its word stays as it is."""
    floors = [mark for mark in landmarks if mark.kind == "floor" and mark.value is not None]
    reasons, warnings = list(verdict.reasons), list(verdict.warnings)
    if floors:
        listed = ", ".join(f"{mark.name} {mark.value:.4g}" for mark in floors)
        reasons.append(f"For comparison, {target.metric} of simple methods on the validation part: {listed}.")
        best = max(floors, key=lambda mark: _goodness(target, mark.value))
        reasons += _easy(target, best)
        warnings += _beaten(target, best, verdict)
    warnings += [mark.words for mark in landmarks if mark.is_warning]
    return replace(verdict, reasons=tuple(reasons), warnings=tuple(warnings))


def _goodness(target: Target, value: float | None) -> float:
    assert value is not None
    return value if target.direction == "max" else -value


def _easy(target: Target, best: Landmark) -> list[str]:
    if target.value is None or _goodness(target, best.value) < _goodness(target, target.value):
        return []
    return [f"The target asks for no more than a simple method gives: {best.name} reaches {best.value:.4g}."]


def _beaten(target: Target, best: Landmark, verdict: Verdict) -> list[str]:
    """A floor that the whole interval lies below: the family of models, or its training, is at fault."""
    estimate = verdict.estimate
    if estimate is None:
        return []
    near_end = estimate.high if target.direction == "max" else estimate.low
    if _goodness(target, near_end) >= _goodness(target, best.value):
        return []
    return [
        f"These models are worse than a simple method ({best.name}: {best.value:.4g}); another model, or other inputs, "
        f"may do better."
    ]
