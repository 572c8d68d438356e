"""The end of a search: fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from superconv_tune.lr.horizon import HorizonRule, prior
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.baselines import comparison_of
from superconv_tune.planner.divide import MAX_SEEDS, MIN_SEEDS, RUN_OFF_SEEDS
from superconv_tune.planner.evidence import is_decided, word_of
from superconv_tune.planner.scaling import missing
from superconv_tune.planner.situation import Situation, first
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Baseline, Confirm, Scaling
from superconv_tune.record.recipe import MOST_RECIPES, Recipe
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.verdict.ladder import contenders, winner
from superconv_tune.verdict.steadiness import is_unsteady


def finish(situation: Situation, plan: Plan) -> Decision:
    """The next step after the ladder: freeze a recipe, or train it, or another policy; else wait or end."""
    chosen = _chosen(situation)
    if chosen is not None:
        return chosen
    recipe = situation.study.recipe
    if recipe is None:
        return Signal.WAIT if situation.running("search") else Signal.DONE
    steps = FinishSteps(situation, plan, recipe)
    decision = first([steps.confirm, steps.scaling, steps.confirm_more, steps.baseline])
    if decision is not None:
        return decision
    return Signal.WAIT if situation.study.running() else Signal.DONE


def _chosen(situation: Situation) -> Recipe | None:
    """A recipe to freeze now: the first one, or a replacement if its seeds disagree and there is time."""
    current = situation.study.recipe
    if current is None:
        best = winner(situation.study, situation.yardstick)
        recipe = None if best is None else _shortened(situation, Recipe.of(best, number=1))
        return recipe if recipe is not None and situation.fits(recipe.params, situation.limit) else None
    if current.number == MOST_RECIPES or not is_unsteady(
        situation.study, _expected(situation, current), situation.yardstick
    ):
        return None
    return _replacement(situation, current)


def _expected(situation: Situation, recipe: Recipe) -> float | None:
    """Validation value of the trial for which a recipe was chosen; None for a later recipe."""
    return situation.study.trial(recipe.origin).value if recipe.number == 1 else None


def _replacement(situation: Situation, recipe: Recipe) -> Recipe | None:
    """The best other configuration of the run-off, or the same one with a lower peak; None if there is no time.

    The other configuration must fit at its full length; the lower peak at half of its length or more.
    """
    other = _runner_up(situation)
    if other is not None and _fitting_length(situation, other) == other.params.cycle_epochs:
        return other
    epochs = _fitting_length(situation, recipe)
    return None if epochs is None else recipe.calmer().with_epochs(epochs)


def _shortened(situation: Situation, recipe: Recipe) -> Recipe:
    """The recipe, shortened if too few fresh seeds would fit, as with an expensive batch size."""
    epochs = _fitting_length(situation, recipe)
    return recipe if epochs is None else recipe.with_epochs(epochs)


def _runner_up(situation: Situation) -> Recipe | None:
    """The best configuration that completed the run-off, of those that no recipe came from yet."""
    study = situation.study
    origins = {recipe.origin for recipe in study.recipes}
    steady = [each for each in contenders(study, situation.yardstick) if len(each.trials) >= RUN_OFF_SEEDS]
    other = next((each for each in steady if each.origin not in origins), None)
    return None if other is None else Recipe.of(study.trial(other.origin), number=len(study.recipes) + 1)


def _fitting_length(situation: Situation, recipe: Recipe) -> float | None:
    """The longest length, from the recipe's own to half of it, at which enough fresh seeds fit; None if none does."""
    epochs = recipe.params.cycle_epochs
    each_s = (situation.limit - situation.now) / math.ceil(MIN_SEEDS / situation.study.workers)
    lengths = (epochs * share for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    fitting = (t for t in lengths if situation.cost.seconds(replace(recipe.params, cycle_epochs=t)) <= each_s)
    return next(fitting, None)


@dataclass(frozen=True)
class FinishSteps:
    """The steps once there is a recipe: each returns a trial, or None.

    Attributes:
        situation: the state of the search.
        plan: the division of the time budget.
        recipe: the current recipe.
    """

    situation: Situation
    plan: Plan
    recipe: Recipe

    def confirm(self) -> TrialRequest | None:
        """A fresh seed of the recipe, up to the planned number."""
        return self._seed() if self._seeds < self.plan.confirm_seeds else None

    def scaling(self) -> TrialRequest | None:
        """The recipe at another length, or on less data, unless the fresh models already demonstrate the target."""
        situation, recipe = self.situation, self.recipe
        if self._seeds == 0:
            return None
        rule = HorizonRule(recipe.max_lr, recipe.params.cycle_epochs, prior(situation.brief.optimizer)[0])
        asked = situation.study.of_recipe("scaling")
        for variation in missing(situation.brief, situation.cost, recipe.params, asked):
            params = replace(recipe.params, cycle_epochs=variation.epochs)
            if not situation.fits(params, situation.limit):
                continue
            if (
                word_of(situation.study, situation.brief) == "demonstrated"
            ):  # checked last, because it is the slowest check
                return None
            cycle = Cycle(rule.max_lr(params.cycle_epochs), data_share=variation.data_share)
            deadline = situation.patient(params)
            return situation.request(Scaling(recipe.number), cycle, params, deadline, self._rung)
        return None

    def confirm_more(self) -> TrialRequest | None:
        """A seed beyond the planned ones, if all running trials have ended and the question is still open."""
        situation = self.situation
        is_awaited = bool(situation.running("confirm") or situation.running("scaling"))
        return None if is_awaited or is_decided(situation.study, situation.brief) else self._seed()

    def baseline(self) -> TrialRequest | None:
        """A run of another policy, unless it would leave no time for a fresh seed."""
        situation = self.situation
        comparison = comparison_of(situation.study, situation.brief, situation.now)
        run = comparison.next() if comparison is not None else None
        if run is None or self._costs_a_seed(run.epochs):
            return None
        params = replace(self.recipe.params, cycle_epochs=run.epochs)
        purpose = Baseline(self.recipe.number)
        request = situation.request(purpose, Cycle(run.max_lr), params, run.deadline, self._rung)
        return replace(request, schedule=run.schedule)

    def _seed(self) -> TrialRequest | None:
        situation, recipe = self.situation, self.recipe
        if self._seeds >= MAX_SEEDS or not situation.fits(recipe.params, situation.limit):
            return None
        cycle, deadline = Cycle(recipe.max_lr, reads_test=True), situation.patient(recipe.params)
        return situation.request(Confirm(recipe.number), cycle, recipe.params, deadline, self._rung)

    @property
    def _seeds(self) -> int:
        """Number of fresh seeds of the recipe that were asked for."""
        return len(self.situation.study.of_recipe("confirm"))

    @property
    def _rung(self) -> int:
        """The rung that the recipe comes from."""
        return self.situation.study.requests[self.recipe.origin].rung

    def _costs_a_seed(self, epochs: float) -> bool:
        """Whether a fresh seed may still be needed that fits now, but not after a run of ``epochs``."""
        situation, params = self.situation, self.recipe.params
        is_open = self._seeds < MAX_SEEDS and bool(situation.running("confirm"))
        after = situation.now + situation.cost.seconds(replace(params, cycle_epochs=epochs))
        seed_s = situation.cost.seconds(params)
        return is_open and situation.now + seed_s <= situation.limit < after + seed_s
