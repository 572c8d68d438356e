"""The finish: fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from superconv_tune.lr.horizon import HorizonRule, prior
from superconv_tune.planner.ask import Ask, Decision, Signal
from superconv_tune.planner.baselines import comparison_of
from superconv_tune.planner.divide import MAX_SEEDS, MIN_SEEDS, RUN_OFF_SEEDS
from superconv_tune.planner.evidence import is_decided, word_of
from superconv_tune.planner.scaling import missing
from superconv_tune.planner.situation import Situation, first
from superconv_tune.record.plan import Plan
from superconv_tune.record.recipe import MOST_RECIPES, calmer, count, current, frozen, is_unsteady, requests_of
from superconv_tune.record.trial import TrialRequest
from superconv_tune.verdict.ladder import contenders, winner


def finish(situation: Situation, plan: Plan) -> Decision:
    """Fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""
    recipe = recipe_of(situation)
    if recipe is None:
        return Signal.WAIT if situation.running("search") else Signal.DONE
    steps = FinishSteps(situation, plan, recipe)
    decision = first([steps.confirm, steps.scaling, steps.confirm_more, steps.baseline])
    if decision is not None:
        return decision
    return Signal.WAIT if situation.study.running() else Signal.DONE


def recipe_of(situation: Situation) -> TrialRequest | None:
    """What is confirmed: as it was frozen, or another one where its seeds do not hold together and time allows.

    That is the best other configuration that the run-off trained as often, or a calmer form of the same.
    """
    study, items = situation.study, situation.items
    recipe, recipes = current(study), count(study)
    chosen = winner(study, situation.brief.target.direction, items) if recipes < 2 else None
    if recipe is None:
        return None if chosen is None else _shortened(situation, frozen(chosen))
    expected = chosen[1].objective if chosen is not None else None
    if recipes == MOST_RECIPES or not is_unsteady(study, expected, items):
        return recipe
    other = _runner_up(situation)
    if other is not None and _fitting_length(situation, other) == other.params.cycle_epochs:
        return other
    epochs = _fitting_length(situation, recipe)
    return recipe if epochs is None else calmer(recipe, epochs)


def _shortened(situation: Situation, recipe: TrialRequest) -> TrialRequest:
    """The recipe, in a shorter cycle where too few fresh seeds of it would fit: its batch size may be a dear one."""
    epochs = _fitting_length(situation, recipe)
    return recipe if epochs is None else replace(recipe, params=replace(recipe.params, cycle_epochs=epochs))


def _runner_up(situation: Situation) -> TrialRequest | None:
    """The best configuration whose seeds held together in the run-off, of those that were not confirmed yet."""
    tried = {request.pick_lr for request in situation.asked("confirm")}
    others = contenders(situation.study, situation.brief.target.direction, situation.items)
    steady = (frozen(each.trials[0]) for each in others if len(each.trials) >= RUN_OFF_SEEDS)
    return next((recipe for recipe in steady if recipe.pick_lr not in tried), None)


def _fitting_length(situation: Situation, recipe: TrialRequest) -> float | None:
    """Length with which enough fresh seeds of a recipe fit into what is left: its own, or less, but at least half."""
    epochs = recipe.params.cycle_epochs
    each_s = (situation.limit - situation.now) / math.ceil(MIN_SEEDS / situation.study.workers)
    lengths = (epochs * share for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    fitting = (t for t in lengths if situation.cost.seconds(replace(recipe.params, cycle_epochs=t)) <= each_s)
    return next(fitting, None)


@dataclass(frozen=True)
class FinishSteps:
    """What may be asked for once there is a recipe.

    Attributes:
        desk: what every step needs.
        plan: the division of the hour.
        recipe: what is confirmed now.
    """

    situation: Situation
    plan: Plan
    recipe: TrialRequest

    def confirm(self) -> Ask | None:
        """A planned fresh seed."""
        return self._seed() if self._seeds_of(self.recipe) < self.plan.confirm_seeds else None

    def scaling(self) -> Ask | None:
        """The recipe at another length, or on less data: where the fresh models alone do not answer the question."""
        situation, recipe = self.situation, self.recipe
        if self._seeds_of(recipe) == 0:
            return None
        rule = HorizonRule(recipe.pick_lr or 0.0, recipe.params.cycle_epochs, prior(situation.brief.optimizer)[0])
        for variation in missing(
            situation.brief, situation.cost, recipe.params, requests_of(situation.study, "scaling")
        ):
            params = replace(recipe.params, cycle_epochs=variation.epochs)
            if not situation.fits(params, situation.limit):
                continue
            if word_of(situation.study, situation.brief) == "demonstrated":  # asked last, for it takes the most time
                return None
            request = situation.request("scaling", recipe.rung, params, situation.patient(params))
            return Ask(replace(request, pick_lr=rule.max_lr(params.cycle_epochs), data_share=variation.data_share))
        return None

    def confirm_more(self) -> Ask | None:
        """A seed beyond the planned ones, once all that may decide came back and did not."""
        situation = self.situation
        is_open = bool(situation.running("confirm") or situation.running("scaling")) or is_decided(
            situation.study, situation.brief
        )
        return None if is_open else self._seed()

    def baseline(self) -> Ask | None:
        """A run of another policy, where it takes no fresh seed's place."""
        situation = self.situation
        comparison = comparison_of(situation.study, situation.brief, situation.now)
        run = comparison.next() if comparison is not None else None
        if comparison is None or run is None or self._costs_a_seed(comparison.recipe, run.epochs):
            return None
        recipe = comparison.recipe
        request = situation.request(
            "baseline", recipe.rung, replace(recipe.params, cycle_epochs=run.epochs), run.deadline
        )
        return Ask(replace(request, schedule=run.schedule, pick_lr=run.max_lr))

    def _seed(self) -> Ask | None:
        situation, recipe = self.situation, self.recipe
        if self._seeds_of(recipe) >= MAX_SEEDS or not situation.fits(recipe.params, situation.limit):
            return None
        fresh = situation.request("confirm", recipe.rung, recipe.params, situation.patient(recipe.params))
        return Ask(replace(fresh, pick_lr=recipe.pick_lr))

    def _seeds_of(self, recipe: TrialRequest) -> int:
        return sum(request.pick_lr == recipe.pick_lr for request in self.situation.asked("confirm"))

    def _costs_a_seed(self, recipe: TrialRequest, epochs: float) -> bool:
        """Whether a fresh seed that may still be asked for fits now, and would not after a run of so many epochs."""
        situation = self.situation
        is_open = self._seeds_of(recipe) < MAX_SEEDS and bool(situation.running("confirm"))
        after = situation.now + situation.cost.seconds(replace(recipe.params, cycle_epochs=epochs))
        seed_s = situation.cost.seconds(recipe.params)
        return is_open and situation.now + seed_s <= situation.limit < after + seed_s
