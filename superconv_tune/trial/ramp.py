"""The learning-rate range test of a trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from superconv_tune.core.curve import Column, Curve
from superconv_tune.lr.edge import OPENING, PROBE_STEPS, Bracket, bisect, is_stable
from superconv_tune.lr.lr_range import MIN_POINTS, RAMPS, RangeTestResult, analyse, compared, stop_reason
from superconv_tune.lr.schedule import Knobs
from superconv_tune.record.trial import Cycle, Ramps
from superconv_tune.trial.attempt import Attempt
from superconv_tune.trial.failures import Stopped

COARSE_STEPS_PER_DECADE = 15  # science 2.3: finds the decade
FINE_STEPS_PER_DECADE = 60  # with fewer, the minimum depends on the length of the ramp
FINE_BELOW = 100.0  # the fine ramp goes from the coarse minimum divided by this
FINE_ABOVE = 10.0  # to the coarse minimum times this
BLOCK_STEPS = 10
# A peak stays below this many times the edge that the trial's own ramp saw. More than 1, because a cycle warms up where
# a ramp comes from random weights. Of 92 such ramps over ten tasks 31 saw an edge; twice it cut no rate that trained to
# within 2 points of the best and stopped a quarter of those that diverged, 1.5 times it cut such a rate in a quarter.
CAP_FACTOR = 2.0
HARMLESS = 1e6  # at an edge divided by this, a few steps do not change the loss


@dataclass(frozen=True)
class _Ramp:
    """A ramp, and why it was stopped early; None if it was completed."""

    curve: Curve
    stopped: str | None


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
    result = compared(found, analyse([fast.curve]))
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
        losses = _train_ramp(attempt, np.full(steps, lr), judge=lambda _: None).curve.loss
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


def capped_max_lr(attempt: Attempt, cycle: Cycle) -> float:
    """The peak of the cycle: the requested one, or less where the trial's own ramp found an edge below it.

    A ramp that cannot be read, or that ends without an edge, leaves the requested peak as it is.

    Raises:
        Stopped: if the time ran out.
    """
    own = cycle.own_ramp
    if own is None:
        return cycle.max_lr
    ramp = _ramp(attempt, RAMPS["exponential"](own.low, own.high, own.steps))
    result = analyse([ramp.curve])
    attempt.note(range_test=result)
    # Only a ramp that had to be stopped has certainly found an edge: on a flat one noise alone can look like an edge.
    saw_edge = ramp.stopped is not None and result.refusal is None and result.edge < own.high
    return min(cycle.max_lr, CAP_FACTOR * result.edge) if saw_edge else cycle.max_lr


def _steps(low: float, high: float, per_decade: int) -> int:
    return max(BLOCK_STEPS, round(per_decade * math.log10(high / low)))


def _analysed(attempt: Attempt, ramp: _Ramp) -> RangeTestResult:
    result = analyse([ramp.curve])
    attempt.note(range_test=result)
    if result.refusal is not None:
        raise Stopped("no_lr", result.refusal)
    return result


def _ramp(attempt: Attempt, rates: Column) -> _Ramp:
    """One ramp on a fresh model, at the lowest momentum, until it ends or its losses say to stop."""
    attempt.check_deadline()
    steps = len(rates)
    with attempt.timed("range_test_s"):
        ramp = _train_ramp(attempt, rates, judge=lambda loss: stop_reason(loss, steps))
    if ramp.stopped is None and len(ramp.curve) < steps:
        raise Stopped("deadline", f"The deadline came {len(ramp.curve)} steps into a ramp of {steps}.")
    return ramp


def _train_ramp(attempt: Attempt, rates: Column, judge: Callable[[Column], str | None]) -> _Ramp:
    """Train at these rates, one step each, until ``judge`` finds a reason to stop in the losses."""
    params = attempt.request.params

    def knobs(step: int) -> Knobs | None:
        if step == len(rates) or attempt.clock() >= attempt.request.deadline:
            return None
        return Knobs(float(rates[step]), params.base_momentum, params.weight_decay)

    curve, stopped = Curve.empty(), None
    with closing(attempt.steps("range_test", attempt.fresh_learner(), knobs, BLOCK_STEPS)) as blocks:
        for block in blocks:
            curve = Curve.join([curve, block])
            stopped = judge(curve.loss)
            if stopped is not None:
                break
    return _Ramp(curve, stopped)
