"""What a running trial trains, and why it was asked for."""

from __future__ import annotations

from dataclasses import fields

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.words import number, percent
from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.record.purpose import Baseline, Confirm, Fitted, Probe, Promoted, Scaling
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Fit, TrialRequest

# What is understood by itself: each rung has its length, and the multiplier is part of the peak.
UNSAID = {"cycle_epochs", "lr_multiplier"}
# Purposes whose reason does not depend on the trial.
REASONS = {
    "range_test": "ramps of the learning rate: where the first cycles begin",
    "run_off": "the best of its length again, with a fresh seed",
    "sampled": "other values around the best of its length, from the sampler",
}
SAME_RATE = 0.1  # relative difference of two peaks


def what(request: TrialRequest) -> str:
    """What is trained: ``resnet9, 12 epochs, max_lr 0.1, batch_size 64``; empty where that does not describe it."""
    family = [request.family] if request.family else []
    params = request.params
    match request.work:
        case Cycle(max_lr=max_lr):
            facts = [f"{number(params.cycle_epochs)} epochs", f"max_lr {max_lr:.3g}", f"batch_size {params.batch_size}"]
        case Fit(options=options):
            facts = [f"{name} {value}" for name, value in options.items()]
        case _:
            return ""
    return ", ".join(family + facts)


def why(study: Study, request: TrialRequest, *, higher_is_better: bool) -> str:
    """Why the planner asked for a trial, by what is known now."""
    own = study.arms.get(request.family, study)  # the search of its family, where several compete
    match request.purpose:
        case Confirm():
            return f"fresh model {_place(own, request)} of the recipe, for the test part"
        case Scaling():
            return _elsewhere(request.cycle.data_share)
        case Fitted():
            return _of_a_fit(request)
        case Baseline():
            return f"the recipe with the policy {request.schedule.label}"
        case Promoted() | Probe():
            return _beside_the_best(own, request, higher_is_better=higher_is_better)
    return REASONS.get(request.purpose.name, request.purpose.name.replace("_", " "))


def _of_a_fit(request: TrialRequest) -> str:
    is_default = isinstance(request.work, Fit) and not request.work.options
    return "a family that is fitted in seconds" if is_default else "other options of a family that is fitted"


def _place(study: Study, request: TrialRequest) -> str:
    """The number of a fresh model, and how many are planned; more are asked for while the question is open."""
    asked = [other.trial_id for other in study.of_recipe("confirm")]
    place = asked.index(request.trial_id) + 1 if request.trial_id in asked else len(asked) + 1
    planned = study.plan.confirm_seeds if study.plan is not None else 0
    return f"{place} of {planned}" if place <= planned else f"{place}"


def _elsewhere(data_share: float) -> str:
    if data_share == 1.0:
        return "what length buys: the recipe in shorter cycles"
    return f"what data buy: the recipe on {percent(data_share)} of the examples"


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
