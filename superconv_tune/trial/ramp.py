"""The learning-rate range test of a trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np

from superconv_tune.core.curve import Column, Curve
from superconv_tune.lr.edge import OPENING, PROBE_STEPS, Bracket, bisect, is_stable
from superconv_tune.lr.lr_range import MIN_POINTS, RAMPS, RangeTestResult, analyse, compared, stop_reason
from superconv_tune.lr.schedule import Knobs
from superconv_tune.record.trial import Ramps
from superconv_tune.trial.attempt import Attempt
from superconv_tune.trial.failures import Stopped

COARSE_STEPS_PER_DECADE = 15  # science 2.3: finds the decade
FINE_STEPS_PER_DECADE = 60  # with fewer, the minimum depends on the length of the ramp
FINE_BELOW = 100.0  # the fine ramp goes from the coarse minimum divided by this
FINE_ABOVE = 10.0  # to the coarse minimum times this
BLOCK_STEPS = 10
HARMLESS = 1e6  # at an edge divided by this, a few steps do not change the loss


def range_test(attempt: Attempt, ramps: Ramps) -> RangeTestResult:
    """A coarse ramp over the requested interval, a fine one around its minimum, and that one again at twice the speed.

    Without ``is_centred`` there is no coarse ramp, and the fine one crosses the requested interval; without
    ``is_checked`` the fine one is not repeated.

    Raises:
        Stopped: if no learning rate can be read from a ramp (``no_lr``), or the time ran out (``deadline``).
    """
    low, high = ramps.low, ramps.high
    if ramps.is_centred:
        coarse = _ramp(attempt, RAMPS["exponential"](low, high, _steps(low, high, COARSE_STEPS_PER_DECADE)))
        centre = _analysed(attempt, coarse).lr_at_minimum
        low, high = centre / FINE_BELOW, centre * FINE_ABOVE
    rise = RAMPS[ramps.rise]
    steps = ramps.steps or _steps(low, high, FINE_STEPS_PER_DECADE)
    found = _analysed(attempt, _ramp(attempt, rise(low, high, steps)))
    if not ramps.is_checked:
        return found
    fast = _ramp(attempt, rise(low, high, max(MIN_POINTS, steps // 2)))
    result = compared(found, analyse([fast]))
    attempt.note(range_test=result)
    return result


def edge_test(attempt: Attempt, ramps: Ramps) -> None:
    """The stability edge: a range test for a first guess, then a bisection with fresh models at constant rates.

    Raises:
        Stopped: as `range_test`.
    """
    found = range_test(attempt, ramps)
    before = float(np.median(_losses_at(attempt, found.edge / HARMLESS, OPENING)))
    bracket = bisect(lambda lr: is_stable(_losses_at(attempt, lr, PROBE_STEPS), before), found.edge)
    attempt.note(range_test=replace(found, edge=bracket.edge), reason=_one_sided_reason(bracket))


def _losses_at(attempt: Attempt, lr: float, steps: int) -> Column:
    """Losses of a fresh model at a constant rate.

    Raises:
        Stopped: if the time ran out.
    """
    attempt.check_deadline()
    with attempt.timed("range_test_s"):
        losses = _train_ramp(attempt, np.full(steps, lr), is_over=lambda _: False).loss
    if len(losses) < steps:
        raise Stopped("deadline", f"The deadline came {len(losses)} steps into {steps} at a constant rate.")
    return losses


def _one_sided_reason(bracket: Bracket) -> str:
    """Why the bracket has one side only; empty if it has both."""
    if bracket.stable == 0.0:
        return f"No constant learning rate was stable, down to {bracket.unstable:.3g}."
    if math.isinf(bracket.unstable):
        return f"Every constant learning rate was stable, up to {bracket.stable:.3g}."
    return ""


def _steps(low: float, high: float, per_decade: int) -> int:
    return max(BLOCK_STEPS, round(per_decade * math.log10(high / low)))


def _analysed(attempt: Attempt, ramp: Curve) -> RangeTestResult:
    result = analyse([ramp])
    attempt.note(range_test=result)
    if result.refusal is not None:
        raise Stopped("no_lr", result.refusal)
    return result


def _ramp(attempt: Attempt, rates: Column) -> Curve:
    """One ramp on a fresh model, at the lowest momentum, until it ends or its losses say to stop."""
    attempt.check_deadline()
    steps = len(rates)

    def is_over(losses: Column) -> bool:
        return stop_reason(losses, steps) is not None

    with attempt.timed("range_test_s"):
        curve = _train_ramp(attempt, rates, is_over)
    if len(curve) < steps and not is_over(curve.loss):
        raise Stopped("deadline", f"The deadline came {len(curve)} steps into a ramp of {steps}.")
    return curve


def _train_ramp(attempt: Attempt, rates: Column, is_over: Callable[[Column], bool]) -> Curve:
    """Train at these rates, one step each, until the losses say that the ramp is over."""
    params = attempt.request.params

    def knobs(step: int) -> Knobs | None:
        if step == len(rates) or attempt.clock() >= attempt.request.deadline:
            return None
        return Knobs(float(rates[step]), params.base_momentum, params.weight_decay)

    curve = Curve.empty()
    with closing(attempt.steps("range_test", attempt.fresh_learner(), knobs, BLOCK_STEPS)) as blocks:
        for block in blocks:
            curve = Curve.join([curve, block])
            if is_over(curve.loss):
                break
    return curve
