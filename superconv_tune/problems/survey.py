"""Collects floors, ceilings and a check of the model, within a given time for all of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from superconv_tune.core.words import number
from superconv_tune.problems.overfit import NAME, overfit
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.simple_models import probe
from superconv_tune.record.landmarks import Landmark

PROBES_SHARE = 0.5  # of the time, for simple methods; the rest is for the check of the model

Clock = Callable[[], float]

_log = logging.getLogger(__name__)


def survey(
    payload: Payload, problem: Problem, train_items: int, seconds: float, clock: Clock = time.perf_counter
) -> tuple[Landmark, ...]:
    """All landmarks that the time allows, and always the constant guess or the untrained model, which take no time.

    Args:
        payload: the data.
        problem: model, loss and metric, on a device.
        train_items: size of the training part.
        seconds: time for all of it.
        clock: returns seconds.
    """
    metric, trivial = problem.metric, problem.trivial_value
    guess = "a constant guess" if problem.handling.untrained is None else "an untrained model"
    least = Landmark(guess, "floor", trivial, f"{guess} reaches {metric.name} {number(trivial)}.")
    if seconds <= 0.0:
        return (least,)
    if payload.is_fitted:
        return (least, *probe(payload, metric, seconds, clock))
    return (
        least,
        *probe(payload, metric, PROBES_SHARE * seconds, clock),
        _overfit_or_reason(problem, train_items, (1.0 - PROBES_SHARE) * seconds, clock),
    )


def _overfit_or_reason(problem: Problem, train_items: int, seconds: float, clock: Clock) -> Landmark:
    """The check, or why it failed; a model that fails in it may still do well in a trial."""
    try:
        return overfit(problem, train_items, seconds, clock)
    except Exception as error:  # noqa: BLE001 - a user's model may do anything
        _log.exception("The check failed.")
        return Landmark(NAME, "check", None, f"{NAME}: did not finish ({type(error).__name__}).")
