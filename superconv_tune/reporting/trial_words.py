"""What a running trial trains, and why it was asked for."""

from __future__ import annotations

from dataclasses import fields

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.record.purpose import Baseline, Confirm, Probe, Promoted, RangeTest, RunOff, Sampled, Scaling
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.reporting.sentences import number

# What is understood by itself: each rung has its length, and the multiplier is part of the peak.
UNSAID = {"cycle_epochs", "lr_multiplier"}
SAME_RATE = 0.1  # relative difference of two peaks


def what(request: TrialRequest) -> str:
    """What is trained: ``12 epochs, max_lr 0.1, batch_size 64``; empty where that does not describe it."""
    if not isinstance(request.work, Cycle):
        return ""
    params = request.params
    return f"{number(params.cycle_epochs)} epochs, max_lr {request.work.max_lr:.3g}, batch_size {params.batch_size}"


def why(study: Study, request: TrialRequest, *, higher_is_better: bool) -> str:
    """Why the planner asked for a trial, by what is known now."""
    match request.purpose:
        case RangeTest():
            return "ramps of the learning rate: where the first cycles begin"
        case Confirm():
            return f"fresh model {_place(study, request)} of the recipe, for the test part"
        case Scaling():
            share = request.cycle.data_share
            return "what length buys: the recipe in shorter cycles" if share == 1.0 else _on_less_data(share)
        case Baseline():
            return f"the recipe with the policy {request.schedule.label}"
        case RunOff():
            return "the best of its length again, with a fresh seed"
        case Sampled():
            return "other values around the best of its length, from the sampler"
        case Promoted() | Probe():
            return _beside_the_best(study, request, higher_is_better=higher_is_better)
    return request.purpose.name.replace("_", " ")


def _place(study: Study, request: TrialRequest) -> str:
    """The number of a fresh model, and how many are planned; more are asked for while the question is open."""
    asked = [other.trial_id for other in study.of_recipe("confirm")]
    place = asked.index(request.trial_id) + 1 if request.trial_id in asked else len(asked) + 1
    planned = study.plan.confirm_seeds if study.plan is not None else 0
    return f"{place} of {planned}" if place <= planned else f"{place}"


def _on_less_data(share: float) -> str:
    return f"what data buy: the recipe on {share:.0%} of the examples"


def _beside_the_best(study: Study, request: TrialRequest, *, higher_is_better: bool) -> str:
    """How the trial differs from the best complete cycle of its rung."""
    ranked = [study.trial(name) for _, name in study.ranked(request.rung) if name != request.trial_id]
    best = next((trial.request for trial in (reversed(ranked) if higher_is_better else ranked) if trial.is_whole), None)
    if best is None:
        is_longer = isinstance(request.purpose, Promoted) or request.rung > 0
        return "the best of the shorter cycles, in a longer one" if is_longer else "first grid of learning rates"
    changes = [_rate_words(request.cycle.max_lr / best.cycle.max_lr), *_other_words(request.params, best.params)]
    said = " and ".join(change for change in changes if change)
    return f"the best of its length with {said}" if said else "the best of its length again"


def _rate_words(ratio: float) -> str:
    if abs(ratio - 1.0) < SAME_RATE:
        return ""
    if abs(ratio * GRID_FACTOR - 1.0) < SAME_RATE:
        return f"1/{GRID_FACTOR:g} of the learning rate"
    return f"{ratio:.2g} times the learning rate"


def _other_words(params: Hyperparameters, best: Hyperparameters) -> list[str]:
    names = [field.name for field in fields(Hyperparameters) if field.name not in UNSAID]
    return [f"{name} {number(getattr(params, name))}" for name in names if getattr(params, name) != getattr(best, name)]
