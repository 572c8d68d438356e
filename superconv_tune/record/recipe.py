"""The frozen recipe: which one is confirmed, and whether fresh seeds of it hold together.

The best of many trials may have been lucky: close to the edge of stability one seed trains and the next does not. Such
a recipe cannot be the answer. It gives way to another one, if need be to itself with half the peak learning rate, for
which everything that was learned of the first (its seeds, its repetitions) no longer counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from superconv_tune.record.study import Study, Trial, is_whole
from superconv_tune.record.trial import WENT_WRONG, Kind, TrialRequest

CALMER = 0.5  # of the peak learning rate; 0.7 is still unsteady half as often again (benchmarks/range_test/cycles.csv)
MOST_RECIPES = 3  # that are tried; a model that three peaks leave unsteady is unsteady for another reason
APART = 1.0  # in log odds of an error: seeds that differ by more than a factor of e in them do not hold together
NOISE = 3.0  # standard errors of the items that have to be exceeded as well


def frozen(trial: Trial) -> TrialRequest:
    """The recipe as it was really trained: the peak after its own ramp, with nothing left to multiply."""
    request, outcome = trial
    return replace(request, params=replace(request.params, lr_multiplier=1.0), pick_lr=outcome.max_lr)


def current(study: Study) -> TrialRequest | None:
    """The first confirmation of the recipe that is confirmed now; None before one was frozen."""
    asked = list(study.asked("confirm").values())
    return next((request for request in asked if request.pick_lr == asked[-1].pick_lr), None)


def count(study: Study) -> int:
    """How many recipes were frozen so far."""
    return len({request.pick_lr for request in study.asked("confirm").values()})


def requests_of(study: Study, kind: Kind) -> list[TrialRequest]:
    """What was asked of a kind, since the recipe that is confirmed now was frozen."""
    recipe = current(study)
    if recipe is None:
        return []
    keys = list(study.requests)
    return [study.requests[key] for key in keys[keys.index(recipe.trial_id) :] if study.requests[key].kind == kind]


def trials_of(study: Study, kind: Kind) -> list[Trial]:
    """Those of `requests_of` that came back, with their outcomes."""
    outcomes = study.outcomes
    return [(r, outcomes[r.trial_id]) for r in requests_of(study, kind) if r.trial_id in outcomes]


def fresh_models(study: Study) -> list[Trial]:
    """Fresh models of that recipe which trained the whole cycle and were judged."""
    return [trial for trial in trials_of(study, "confirm") if is_whole(trial)]


def is_unsteady(study: Study, expected: float | None, validation_items: int | None) -> bool:
    """Whether fresh seeds of the recipe went wrong, or lie further apart than seeds and items explain.

    Args:
        study: all that came back.
        expected: what the trial reached that the recipe was chosen for; None for a calmer recipe, which nobody chose.
        validation_items: for a metric that is a share of items to be high; None leaves only what went wrong.
    """
    came = [outcome for _, outcome in trials_of(study, "confirm")]
    if any(outcome.status in WENT_WRONG for outcome in came):
        return True
    values = [outcome.objective for outcome in came if outcome.status == "finished" and not outcome.shortened]
    if not values or validation_items is None:
        return False
    return _apart([*values, *([] if expected is None else [expected])], validation_items)


def calmer(recipe: TrialRequest, epochs: float) -> TrialRequest:
    """The same with a lower peak, in a cycle of so many epochs."""
    assert recipe.pick_lr is not None
    return replace(recipe, pick_lr=CALMER * recipe.pick_lr, params=replace(recipe.params, cycle_epochs=epochs))


def _apart(values: Sequence[float], items: int) -> bool:
    low, high = (min(max(value, 0.5 / items), 1.0 - 0.5 / items) for value in (min(values), max(values)))
    noise = math.sqrt(low * (1.0 - low) / items + high * (1.0 - high) / items)
    odds = math.log(high / (1.0 - high)) - math.log(low / (1.0 - low))
    return odds > APART and high - low > NOISE * noise
