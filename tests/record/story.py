"""A study that a test tells trial by trial."""

from __future__ import annotations

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.events import Frozen, Observed, Requested
from superconv_tune.record.purpose import Baseline, Confirm, OfRecipe, Probe, Purpose, RunOff, Scaling
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Status, Trial, TrialOutcome, TrialRequest
from tests.simulated import opened

ONE_CYCLE = Schedule()


class Story:
    """A study of its own, with everything in it at time 0."""

    def __init__(self) -> None:
        self.study = Study(opened(600.0, 2))

    def ask(
        self,
        purpose: Purpose | None = None,
        max_lr: float = 0.2,
        rung: int = 0,
        params: Hyperparameters | None = None,
        schedule: Schedule = ONE_CYCLE,
    ) -> TrialRequest:
        """A trial of one cycle is asked for; a probe unless another purpose is given."""
        number, purpose = len(self.study.requests), purpose or Probe(max_lr)
        work = Cycle(max_lr, reads_test=isinstance(purpose, Confirm))
        request = TrialRequest(
            f"{number:04d}",
            1,
            purpose,
            work,
            params=params or Hyperparameters(),
            schedule=schedule,
            seed=number,
            deadline=1e9,
            rung=rung,
        )
        self.study.apply(Requested(0.0, request))
        return request

    def answer(self, request: TrialRequest, value: float, status: Status = "finished") -> Trial:
        """It comes back, with the peak that was asked for."""
        validation = value if status == "finished" else None
        outcome = TrialOutcome(
            request.trial_id, 1, status, value, validation=validation, max_lr=request.cycle.max_lr, steps=100
        )
        self.study.apply(Observed(0.0, outcome))
        return self.study.trial(request.trial_id)

    def searched(
        self,
        max_lr: float,
        value: float,
        status: Status = "finished",
        rung: int = 0,
        params: Hyperparameters | None = None,
    ) -> Trial:
        """A probe that came back."""
        return self.answer(self.ask(Probe(max_lr), max_lr, rung, params), value, status)

    def again(self, first: Trial, value: float, status: Status = "finished") -> Trial:
        """A fresh seed of a searched configuration, in the run-off, that came back."""
        request = first.request
        return self.answer(
            self.ask(RunOff(request.trial_id), first.max_lr, request.rung, request.params), value, status
        )

    def freeze(self, recipe: Recipe) -> Recipe:
        """A recipe is confirmed from now on."""
        self.study.apply(Frozen(0.0, recipe))
        return recipe

    def of_recipe(self, purpose: type[OfRecipe], value: float, status: Status = "finished") -> Trial:
        """A trial of the recipe that is confirmed now, and its outcome; one is frozen if there is none."""
        recipe = self.study.recipe or self.freeze(Recipe(1, "0000", Hyperparameters(), 0.2, ONE_CYCLE))
        request = self.ask(purpose(recipe.number), recipe.max_lr, params=recipe.params, schedule=recipe.schedule)
        return self.answer(request, value, status)

    def fresh(self, value: float, status: Status = "finished") -> Trial:
        """A fresh seed of that recipe."""
        return self.of_recipe(Confirm, value, status)

    def scaled(self, value: float) -> Trial:
        """A repetition of that recipe, as if at another length."""
        return self.of_recipe(Scaling, value)

    def compared(self, value: float) -> Trial:
        """A run of another policy with that recipe."""
        return self.of_recipe(Baseline, value)
