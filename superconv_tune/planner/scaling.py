"""The frozen recipe at shorter lengths and on less data, to estimate the effect of longer cycles and more data.

The best of a rung of the search is one of many trials, and shorter rungs have more of them. So the recipe itself is
repeated with fresh seeds at a third and a ninth of its length, where there is time, and at a third also on half and a
quarter of the data with the same number of steps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.record.trial import TrialRequest

STRETCH = 3.0  # ratio of neighbouring lengths
MIN_STEPS = 150  # optimizer steps below which a run is too short to be a cycle (science 3.3)
REPEATS = 2  # number of fresh seeds per length
DATA_SHARES = (0.5, 0.25)  # one fresh seed each


@dataclass(frozen=True)
class Variation:
    """A variation of the recipe.

    Attributes:
        epochs: length of the cycle, in passes over all of the training part.
        data_share: share of the training part.
    """

    epochs: float
    data_share: float = 1.0


def lengths(brief: Brief, cost: CostModel, recipe: Hyperparameters, searched: float = math.inf) -> list[float]:
    """A third and a ninth of the recipe's length, the longer one first, without those too short for a cycle.

    The user's shortest length yields to the shortest that was ``searched``.
    """
    thirds = (recipe.cycle_epochs / STRETCH, recipe.cycle_epochs / STRETCH**2)
    low = min(brief.epochs_bounds[0], recipe.cycle_epochs, searched)
    return [
        epochs for epochs in thirds if epochs >= low and cost.steps(replace(recipe, cycle_epochs=epochs)) >= MIN_STEPS
    ]


def missing(
    brief: Brief,
    cost: CostModel,
    recipe: Hyperparameters,
    asked: list[TrialRequest],
    searched: float = math.inf,
) -> Iterator[Variation]:
    """The variations that were not asked for yet, the most informative first; arguments as for `lengths`."""
    found = lengths(brief, cost, recipe, searched)
    wanted = [Variation(epochs) for epochs in reversed(found)] * REPEATS
    if found:
        wanted += [Variation(found[0], share) for share in DATA_SHARES]
    existing = Counter(Variation(request.params.cycle_epochs, request.cycle.data_share) for request in asked)
    for variation in wanted:
        if existing[variation] > 0:
            existing[variation] -= 1
        else:
            yield variation
