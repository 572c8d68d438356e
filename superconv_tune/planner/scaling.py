"""The frozen recipe at shorter lengths and on less data: what tells how far more of either would go.

Search trials of the lower rungs do not tell it: each rung shows the best of many, and of the more the shorter its
cycles are. So the recipe itself is repeated with fresh seeds, at a third and a ninth of its length, and there on a half
and a quarter of the data with as many steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.record.trial import TrialRequest

STRETCH = 3.0  # between two lengths
MIN_STEPS = 150  # a cycle with fewer optimizer steps than this is no cycle (science 3.3)
REPEATS = 2  # fresh seeds of every length
DATA_SHARES = (0.5, 0.25)  # one fresh seed each


@dataclass(frozen=True)
class Variation:
    """One way to train the recipe differently.

    Attributes:
        epochs: length of the cycle, in passes over all of the training part.
        data_share: share of the training part.
    """

    epochs: float
    data_share: float = 1.0


def lengths(brief: Brief, cost: CostModel, recipe: Hyperparameters) -> list[float]:
    """A third and a ninth of the recipe's length, the longer one first; none that is too short to be a cycle."""
    thirds = (recipe.cycle_epochs / STRETCH, recipe.cycle_epochs / STRETCH**2)
    low = min(brief.epochs_bounds[0], recipe.cycle_epochs)
    return [
        epochs for epochs in thirds if epochs >= low and cost.steps(replace(recipe, cycle_epochs=epochs)) >= MIN_STEPS
    ]


def missing(brief: Brief, cost: CostModel, recipe: Hyperparameters, asked: list[TrialRequest]) -> Iterator[Variation]:
    """What was not asked for yet, the most telling first."""
    found = lengths(brief, cost, recipe)
    wanted = [Variation(epochs) for epochs in reversed(found)] * REPEATS
    if found:
        wanted += [Variation(found[0], share) for share in DATA_SHARES]
    have = Counter(Variation(request.params.cycle_epochs, request.cycle.data_share) for request in asked)
    for variation in wanted:
        if have[variation] > 0:
            have[variation] -= 1
        else:
            yield variation


def wall_s(brief: Brief, cost: CostModel, recipe: Hyperparameters, workers: int) -> float:
    """Seconds of every worker that all lengths take, the shares of the data not counted: they take what is over."""
    seconds = [cost.seconds(replace(recipe, cycle_epochs=epochs)) for epochs in lengths(brief, cost, recipe)]
    return max(REPEATS * sum(seconds) / workers, max(seconds, default=0.0))
