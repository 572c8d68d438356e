"""Whether fresh seeds of a recipe agree with each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.record.study import Study

APART = 1.0  # in log odds of an error: seeds whose odds differ by more than a factor of e do not agree
NOISE = 3.0  # standard errors, from the number of items, that the difference must exceed as well


def is_unsteady(study: Study, yardstick: Yardstick) -> bool:
    """Whether fresh seeds of the recipe went wrong, or lie further apart than seeds and items explain.

    Args:
        study: the study with its outcomes.
        yardstick: the metric on the validation part; without a number of items only seeds that went wrong count.
    """
    trials = study.came_back(study.of_recipe("confirm"))
    if any(trial.went_wrong for trial in trials):
        return True
    values = [trial.value for trial in trials if trial.outcome.status == "finished" and not trial.outcome.shortened]
    return bool(values) and yardstick.items is not None and _are_apart(values, yardstick.items)


def _are_apart(values: Sequence[float], items: int) -> bool:
    low, high = (min(max(value, 0.5 / items), 1.0 - 0.5 / items) for value in (min(values), max(values)))
    noise = math.sqrt(low * (1.0 - low) / items + high * (1.0 - high) / items)
    odds = math.log(high / (1.0 - high)) - math.log(low / (1.0 - low))
    return odds > APART and high - low > NOISE * noise
