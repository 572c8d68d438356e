"""A study that a test builds trial by trial."""

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


def asked_for(study: Study, purpose: type[Purpose]) -> dict[str, TrialRequest]:
    """Requests of one purpose, by trial id in the order of asking."""
    return {trial_id: asked for trial_id, asked in study.requests.items() if isinstance(asked.purpose, purpose)}


class Story:
    """A study whose events all happen at time 0."""

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
        """Ask for a trial of one cycle, by default a probe."""
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
        """Add the outcome of a request, with the requested peak."""
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
        """Add a probe with its outcome."""
        return self.answer(self.ask(Probe(max_lr), max_lr, rung, params), value, status)

    def again(self, first: Trial, value: float, status: Status = "finished") -> Trial:
        """Add a run-off of a searched configuration with its outcome."""
        request = first.request
        return self.answer(
            self.ask(RunOff(request.trial_id), first.max_lr, request.rung, request.params), value, status
        )

    def freeze(self, recipe: Recipe) -> Recipe:
        """Freeze a recipe."""
        self.study.apply(Frozen(0.0, recipe))
        return recipe

    def of_recipe(self, purpose: type[OfRecipe], value: float, status: Status = "finished") -> Trial:
        """Add a trial of the current recipe with its outcome; freeze a recipe first if there is none."""
        recipe = self.study.recipe or self.freeze(Recipe(1, "0000", Hyperparameters(), 0.2, ONE_CYCLE))
        request = self.ask(purpose(recipe.number), recipe.max_lr, params=recipe.params, schedule=recipe.schedule)
        return self.answer(request, value, status)

    def fresh(self, value: float, status: Status = "finished") -> Trial:
        """Add a fresh seed of the current recipe."""
        return self.of_recipe(Confirm, value, status)

    def scaled(self, value: float) -> Trial:
        """Add a repetition of the current recipe, as if at another length."""
        return self.of_recipe(Scaling, value)

    def compared(self, value: float) -> Trial:
        """Add a run of another policy with the current recipe."""
        return self.of_recipe(Baseline, value)
