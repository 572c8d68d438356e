"""A frozen recipe: what is confirmed, verified, and taken into the long run.

The best of many trials may have been lucky: close to the edge of stability one seed trains and the next does not. Such
a recipe gives way to another one, if need be to itself with half the peak learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.trial import Trial

CALMER = 0.5  # of the peak learning rate; 0.7 is still unsteady half as often again (benchmarks/range_test/cycles.csv)
MOST_RECIPES = 3  # of one study; a model that three peaks leave unsteady is unsteady for another reason


@dataclass(frozen=True)
class Recipe:
    """One way to train, with nothing left to choose but the seed.

    Attributes:
        number: 1 for the first recipe of a study.
        origin: id of the search trial that it comes from.
        params: the hyperparameters; ``lr_multiplier`` is 1, for ``max_lr`` has it in it.
        max_lr: the peak as it was really trained with.
        schedule: how learning rate, momentum and weight decay run through the cycle.
    """

    number: int
    origin: str
    params: Hyperparameters
    max_lr: float
    schedule: Schedule

    @staticmethod
    def of(trial: Trial, number: int) -> Recipe:
        """The recipe that a search trial stands for."""
        request = trial.request
        params = replace(request.params, lr_multiplier=1.0)
        return Recipe(number, request.trial_id, params, trial.max_lr, request.schedule)

    def with_epochs(self, epochs: float) -> Recipe:
        """The same in a cycle of another length."""
        return replace(self, params=replace(self.params, cycle_epochs=epochs))

    def calmer(self) -> Recipe:
        """The next recipe: the same with half the peak."""
        return replace(self, number=self.number + 1, max_lr=CALMER * self.max_lr)
