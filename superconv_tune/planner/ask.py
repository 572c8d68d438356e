"""What the planner can answer when a worker is free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.horizon import HorizonRule
from superconv_tune.record.conductor import Signal as Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.trial import TrialRequest

OWN_RAMP_STEPS = (40, 180)  # a trial's own ramp is long enough to be read, and never longer than a first one


@dataclass(frozen=True)
class Ask:
    """A trial to run; where ``study`` is given, the sampler fills in what ``fixed`` leaves open.

    Attributes:
        request: complete but for sampled parameters.
        study: the sampler's study for this rung; None for a trial that the sampler has no part in.
        fixed: parameters that the sampler must take as they are.
        warm_start: the study of the rung below, that this one learns from before its first trial.
        rule: the pick for any cycle length; with `fill` it turns the sampled parameters into a learning rate.
    """

    request: TrialRequest
    study: str | None = None
    fixed: Mapping[str, float] | None = None
    warm_start: str | None = None
    rule: HorizonRule | None = None


Decision = Ask | Plan | Signal


def fill(ask: Ask, drawn: Mapping[str, float], proposal: tuple[str, int]) -> TrialRequest:
    """The request with the sampler's parameters: with the pick, and a ramp, for their length and their batch size."""
    request = ask.request
    params = _with_drawn(request.params, drawn)
    pick_lr = request.pick_lr
    if ask.rule is not None:
        pick_lr = ask.rule.max_lr(params.cycle_epochs) * batch_scale(params, request.params.batch_size)
    ramp_steps = own_ramp_steps(request.ramp_steps * _steps(params) / _steps(request.params)) if request.ramp else 0
    return replace(request, params=params, pick_lr=pick_lr, ramp_steps=ramp_steps, proposal=proposal)


def own_ramp_steps(wanted: float) -> int:
    """So many, within `OWN_RAMP_STEPS`."""
    low, high = OWN_RAMP_STEPS
    return min(high, max(low, round(wanted)))


def _steps(params: Hyperparameters) -> float:
    """Optimizer steps of a cycle, up to a factor that all trials share."""
    return params.cycle_epochs / params.batch_size


def _with_drawn(params: Hyperparameters, drawn: Mapping[str, float]) -> Hyperparameters:
    """The parameters with those that were drawn; the batch size is a whole number."""
    values = {name: int(value) if name == "batch_size" else float(value) for name, value in drawn.items()}
    return replace(params, **values)  # type: ignore[arg-type]  # names are checked by the spec


def batch_scale(params: Hyperparameters, reference: int) -> float:
    """How the pick moves with the batch size: by its square root.

    Linear scaling holds where the gradient noise dominates, none where curvature does (Smith et al. 2018, McCandlish et
    al. 2018); the root is the middle of the two, and ``lr_multiplier`` searches around it.
    """
    return math.sqrt(params.batch_size / reference)
