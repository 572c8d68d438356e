"""A frozen recipe: the configuration that is confirmed, verified, and trained in the long run.

The best of many trials may have been lucky: close to the edge of stability one seed trains and the next does not. Such
a recipe is replaced by itself with half the peak learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.trial import Fit, Trial

# Factor on the peak learning rate; 0.7 leaves 1.5 times as many recipes unsteady (benchmarks/range_test/cycles.csv).
CALMER = 0.5
MOST_RECIPES = 3  # per study; a model that is unsteady at three peaks is unsteady for another reason


@dataclass(frozen=True)
class Recipe:
    """A complete configuration: everything that determines a training run except its seed.

    Attributes:
        number: 1 for the first recipe of a study.
        origin: id of the search trial that it comes from.
        params: the hyperparameters; ``lr_multiplier`` is 1, because ``max_lr`` already includes it.
        max_lr: the peak learning rate that was really used.
        schedule: how learning rate, momentum and weight decay run through the cycle.
        family: name of the family of models, where a study has several.
        fit: the options of a family that is fitted and not trained in cycles, whose hyperparameters and peak mean
            nothing; None for a network.
    """

    number: int
    origin: str
    params: Hyperparameters
    max_lr: float
    schedule: Schedule
    family: str = ""
    fit: Mapping[str, object] | None = None

    @staticmethod
    def of(trial: Trial, number: int) -> Recipe:
        """The recipe made from a search trial."""
        request = trial.request
        params = replace(request.params, lr_multiplier=1.0)
        if isinstance(request.work, Fit):
            return Recipe(number, request.trial_id, params, 0.0, request.schedule, request.family, request.work.options)
        return Recipe(number, request.trial_id, params, trial.max_lr, request.schedule, request.family)

    def with_epochs(self, epochs: float) -> Recipe:
        """A copy with another cycle length."""
        return replace(self, params=replace(self.params, cycle_epochs=epochs))

    def calmer(self) -> Recipe:
        """The next recipe: the same with half the peak learning rate."""
        return replace(self, number=self.number + 1, max_lr=CALMER * self.max_lr)
