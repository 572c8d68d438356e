"""The finish: fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from superconv_tune.core.horizon import HorizonRule, prior
from superconv_tune.core.ladder import contenders, winner
from superconv_tune.core.plan import Plan
from superconv_tune.core.recipe import MOST_RECIPES, calmer, count, current, frozen, is_unsteady, requests_of
from superconv_tune.core.trial import TrialRequest
from superconv_tune.planner.ask import Ask, Decision, Signal
from superconv_tune.planner.baselines import comparison_of
from superconv_tune.planner.desk import Desk, first
from superconv_tune.planner.divide import MAX_SEEDS, MIN_SEEDS, RUN_OFF_SEEDS
from superconv_tune.planner.evidence import is_decided, word_of
from superconv_tune.planner.scaling import missing


def finish(desk: Desk, plan: Plan) -> Decision:
    """Fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""
    recipe = recipe_of(desk)
    if recipe is None:
        return Signal.WAIT if desk.running("search") else Signal.DONE
    steps = FinishSteps(desk, plan, recipe)
    decision = first([steps.confirm, steps.scaling, steps.confirm_more, steps.baseline])
    if decision is not None:
        return decision
    return Signal.WAIT if desk.study.running() else Signal.DONE


def recipe_of(desk: Desk) -> TrialRequest | None:
    """What is confirmed: as it was frozen, or another one where its seeds do not hold together and time allows.

    That is the best other configuration that the run-off trained as often, or a calmer form of the same.
    """
    study, items = desk.study, desk.items
    recipe, recipes = current(study), count(study)
    chosen = winner(study, desk.policy.target.direction, items) if recipes < 2 else None
    if recipe is None:
        return None if chosen is None else _shortened(desk, frozen(chosen))
    expected = chosen[1].objective if chosen is not None else None
    if recipes == MOST_RECIPES or not is_unsteady(study, expected, items):
        return recipe
    other = _runner_up(desk)
    if other is not None and _fitting_length(desk, other) == other.params.cycle_epochs:
        return other
    epochs = _fitting_length(desk, recipe)
    return recipe if epochs is None else calmer(recipe, epochs)


def _shortened(desk: Desk, recipe: TrialRequest) -> TrialRequest:
    """The recipe, in a shorter cycle where too few fresh seeds of it would fit: its batch size may be a dear one."""
    epochs = _fitting_length(desk, recipe)
    return recipe if epochs is None else replace(recipe, params=replace(recipe.params, cycle_epochs=epochs))


def _runner_up(desk: Desk) -> TrialRequest | None:
    """The best configuration whose seeds held together in the run-off, of those that were not confirmed yet."""
    tried = {request.pick_lr for request in desk.asked("confirm")}
    others = contenders(desk.study, desk.policy.target.direction, desk.items)
    steady = (frozen(each.trials[0]) for each in others if len(each.trials) >= RUN_OFF_SEEDS)
    return next((recipe for recipe in steady if recipe.pick_lr not in tried), None)


def _fitting_length(desk: Desk, recipe: TrialRequest) -> float | None:
    """Length with which enough fresh seeds of a recipe fit into what is left: its own, or less, but at least half."""
    epochs = recipe.params.cycle_epochs
    each_s = (desk.limit - desk.now) / math.ceil(MIN_SEEDS / desk.study.workers)
    lengths = (epochs * share for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    fitting = (t for t in lengths if desk.cost.seconds(replace(recipe.params, cycle_epochs=t)) <= each_s)
    return next(fitting, None)


@dataclass(frozen=True)
class FinishSteps:
    """What may be asked for once there is a recipe.

    Attributes:
        desk: what every step needs.
        plan: the division of the hour.
        recipe: what is confirmed now.
    """

    desk: Desk
    plan: Plan
    recipe: TrialRequest

    def confirm(self) -> Ask | None:
        """A planned fresh seed."""
        return self._seed() if self._seeds_of(self.recipe) < self.plan.confirm_seeds else None

    def scaling(self) -> Ask | None:
        """The recipe at another length, or on less data: where the fresh models alone do not answer the question."""
        desk, recipe = self.desk, self.recipe
        if self._seeds_of(recipe) == 0:
            return None
        rule = HorizonRule(recipe.pick_lr or 0.0, recipe.params.cycle_epochs, prior(desk.policy.optimizer)[0])
        for variation in missing(desk.policy, desk.cost, recipe.params, requests_of(desk.study, "scaling")):
            params = replace(recipe.params, cycle_epochs=variation.epochs)
            if not desk.fits(params, desk.limit):
                continue
            if word_of(desk.study, desk.policy) == "demonstrated":  # asked last, for it takes the most time
                return None
            request = desk.request("scaling", recipe.rung, params, desk.patient(params))
            return Ask(replace(request, pick_lr=rule.max_lr(params.cycle_epochs), data_share=variation.data_share))
        return None

    def confirm_more(self) -> Ask | None:
        """A seed beyond the planned ones, once all that may decide came back and did not."""
        desk = self.desk
        is_open = bool(desk.running("confirm") or desk.running("scaling")) or is_decided(desk.study, desk.policy)
        return None if is_open else self._seed()

    def baseline(self) -> Ask | None:
        """A run of another policy, where it takes no fresh seed's place."""
        desk = self.desk
        comparison = comparison_of(desk.study, desk.policy, desk.now)
        run = comparison.next() if comparison is not None else None
        if comparison is None or run is None or self._costs_a_seed(comparison.recipe, run.epochs):
            return None
        recipe = comparison.recipe
        request = desk.request("baseline", recipe.rung, replace(recipe.params, cycle_epochs=run.epochs), run.deadline)
        return Ask(replace(request, schedule=run.schedule, pick_lr=run.max_lr))

    def _seed(self) -> Ask | None:
        desk, recipe = self.desk, self.recipe
        if self._seeds_of(recipe) >= MAX_SEEDS or not desk.fits(recipe.params, desk.limit):
            return None
        fresh = desk.request("confirm", recipe.rung, recipe.params, desk.patient(recipe.params))
        return Ask(replace(fresh, pick_lr=recipe.pick_lr))

    def _seeds_of(self, recipe: TrialRequest) -> int:
        return sum(request.pick_lr == recipe.pick_lr for request in self.desk.asked("confirm"))

    def _costs_a_seed(self, recipe: TrialRequest, epochs: float) -> bool:
        """Whether a fresh seed that may still be asked for fits now, and would not after a run of so many epochs."""
        desk = self.desk
        is_open = self._seeds_of(recipe) < MAX_SEEDS and bool(desk.running("confirm"))
        after = desk.now + desk.cost.seconds(replace(recipe.params, cycle_epochs=epochs))
        seed_s = desk.cost.seconds(recipe.params)
        return is_open and desk.now + seed_s <= desk.limit < after + seed_s
