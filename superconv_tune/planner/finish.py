"""The end of a search: fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from superconv_tune.lr.horizon import HorizonRule, exponent_of
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.baselines import comparison_of
from superconv_tune.planner.choice import SAFELY, choose, expected_of_search, fitting_epochs, looks_reached
from superconv_tune.planner.divide import MAX_SEEDS
from superconv_tune.planner.evidence import confirmed, has_all_seeds, is_decided, replaced, searched_epochs, word_of
from superconv_tune.planner.rungs import RungSteps
from superconv_tune.planner.scaling import missing
from superconv_tune.planner.situation import Situation, first, may_be_followed, next_number
from superconv_tune.planner.surface import Point
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Baseline, Confirm, Scaling
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.verdict.steadiness import is_unsteady

GAP_SHARE = 0.9  # of the time until the last running search trial ends, which a trial for an idle worker may take
WORTH_LENGTHENING = 1.5  # factor on the length by which the next recipe must be longer than one that fell short
CUT = 0.97  # of its predicted seconds, in which a cycle still counts as whole (`superconv_tune.trial.pace`)
LEAST_CALMER = 0.3  # of its length, to which a recipe with a lower peak may be cut


def finish(situation: Situation, plan: Plan) -> Decision:
    """The next step after the ladder: freeze a recipe, or train it, or another policy; else wait or end."""
    study = situation.study
    if study.recipe is None:
        return _first_recipe(situation, plan) or (Signal.WAIT if study.running() else Signal.DONE)
    steps = FinishSteps(situation, plan, study.recipe)
    decision = first([steps.another_recipe, steps.confirm, steps.confirm_more, steps.scaling, steps.baseline])
    if decision is not None:
        return decision
    return Signal.WAIT if study.running() else Signal.DONE


def _first_recipe(situation: Situation, plan: Plan) -> Decision | None:
    """The recipe, once every cycle has ended that may change it; until then a short trial for an idle worker.

    The plan comes first if the recipe needs another number of fresh models.
    """
    if _is_awaited(situation):
        return first(_spare(situation, plan))
    choice = choose(situation, plan)
    if choice is None:
        return None
    return choice.recipe if plan.confirm_seeds == choice.seeds else replace(plan, confirm_seeds=choice.seeds)


def _is_awaited(situation: Situation) -> bool:
    """Whether a search trial runs that may change the recipe, unless the target looks reached without it."""
    return bool(situation.running("search")) and not looks_reached(situation)


def _spare(situation: Situation, plan: Plan) -> Iterator[Callable[[], Decision | None]]:
    """Trials of the longest rung whose cycles end before the last running one does."""
    ends = max(map(situation.expected_end, situation.running("search")))
    limit = situation.now + GAP_SHARE * (ends - situation.now)
    for index in reversed(range(len(plan.rungs))):
        if situation.asked("search", index) and not plan.rungs[index].free:
            yield partial(RungSteps(situation, plan, index).spare, limit)


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

    def another_recipe(self) -> Recipe | None:
        """Another recipe, where this one disappoints: shorter, with a lower peak, or longer.

        Shorter, as the search's cycles were, where fresh models validate worse than those; with a lower peak where
        seeds disagree; longer where they fell short of the target. None if there is no time for one, the study has had
        its number of them, or this one demonstrates the target all the same.
        """
        found = self._better_recipe() if may_be_followed(self.situation.study) else None
        # Checked last, because it is the slowest check.
        if found is None or (has_all_seeds(self.situation.study) and self._is_demonstrated):
            return None
        return replace(found, number=next_number(self.situation.study))

    def _better_recipe(self) -> Recipe | None:
        situation, recipe = self.situation, self.recipe
        if self._is_overlong:
            choice = choose(situation, self.plan, may_lengthen=False)
            if choice is not None and choice.recipe.params.cycle_epochs >= CUT * searched_epochs(
                situation.study, choice.recipe
            ):
                return choice.recipe
        if is_unsteady(situation.study, situation.learned.yardstick):
            epochs = min(recipe.params.cycle_epochs, self._fitting)
            is_enough = epochs >= LEAST_CALMER * recipe.params.cycle_epochs
            return recipe.calmer().with_epochs(epochs) if is_enough else None
        epochs = min(self._fitting, situation.brief.epochs_bounds[1])
        may_grow = not self._was_shortened and not self._is_overlong
        is_longer = epochs >= WORTH_LENGTHENING * recipe.params.cycle_epochs and may_grow
        return recipe.with_epochs(epochs) if is_longer and self._fell_short else None

    def confirm(self) -> TrialRequest | None:
        """A fresh seed of the recipe, up to the planned number and those that replace others."""
        return self._seed() if self._seeds < self._wanted else None

    def scaling(self) -> TrialRequest | None:
        """The recipe at another length, or on less data, unless the fresh models already demonstrate the target."""
        situation, recipe = self.situation, self.recipe
        if self._seeds == 0:
            return None
        rule = HorizonRule(recipe.max_lr, recipe.params.cycle_epochs, exponent_of(situation.brief.optimizer))
        asked, until = situation.study.of_recipe("scaling"), self._free_until
        for variation in missing(situation.brief, situation.cost, recipe.params, asked, self.plan.rungs[0].epochs):
            params = replace(recipe.params, cycle_epochs=variation.epochs)
            if not situation.fits(params, until):
                continue
            # Checked last, because it is the slowest check.
            if self._is_demonstrated:
                return None
            cycle = Cycle(rule.max_lr(params.cycle_epochs), data_share=variation.data_share)
            deadline = situation.patient(params)
            return situation.request(Scaling(recipe.number), cycle, params, deadline, self._rung)
        return None

    def confirm_more(self) -> TrialRequest | None:
        """A seed beyond the planned ones, once those have ended and while the question is open."""
        situation = self.situation
        is_open = has_all_seeds(situation.study) and not is_decided(situation.study, situation.brief)
        return self._seed() if is_open else None

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
        fits = situation.now + situation.cost.fresh_s(recipe.params, slack=CUT) <= situation.limit
        if self._seeds >= max(MAX_SEEDS, self._wanted) or not fits:
            return None
        deadline = situation.patient_with(situation.cost.fresh_s(recipe.params))
        cycle = Cycle(recipe.max_lr, reads_test=True)
        return situation.request(Confirm(recipe.number), cycle, recipe.params, deadline, self._rung)

    @property
    def _fitting(self) -> float:
        """Length of the cycles with which the planned number of fresh models fits into the time left."""
        point = Point(self.recipe.params, self.recipe.max_lr)
        return fitting_epochs(self.situation, point, self.plan.confirm_seeds)

    @property
    def _fell_short(self) -> bool:
        """Whether all planned fresh models have ended, and lie below the target on average."""
        situation, target = self.situation, self.situation.brief.target
        values = [trial.outcome.test for trial in confirmed(situation.study) if trial.outcome.test is not None]
        if target.value is None or len(values) < self.plan.confirm_seeds or situation.running("confirm"):
            return False
        return not target.yardstick.reaches(sum(values) / len(values), target.value)

    @property
    def _is_overlong(self) -> bool:
        """Whether fresh models validate worse than the search's shorter cycles, by more than noise explains."""
        situation, recipe = self.situation, self.recipe
        worth = [situation.learned.yardstick.worth(trial.value) for trial in situation.study.fresh_models()]
        is_longer = recipe.params.cycle_epochs >= WORTH_LENGTHENING * searched_epochs(situation.study, recipe)
        if not worth or situation.running("confirm") or not is_longer:
            return False
        expected, noise = expected_of_search(situation)
        return sum(worth) / len(worth) < expected - SAFELY * noise / math.sqrt(len(worth))

    @property
    def _is_demonstrated(self) -> bool:
        """Whether the fresh models demonstrate the target."""
        return word_of(self.situation.study, self.situation.brief) == "demonstrated"

    @property
    def _free_until(self) -> float:
        """Unix time by which a trial that is no fresh model must end.

        It is when the last fresh model does, if there is a target and another recipe may then need every worker.
        """
        situation, target = self.situation, self.situation.brief.target.value
        ends = [situation.expected_end(request) for request in situation.running("confirm")]
        return max(ends) if ends and target is not None and may_be_followed(situation.study) else situation.limit

    @property
    def _was_shortened(self) -> bool:
        """Whether an earlier recipe had longer cycles, which were worse."""
        longest = max(recipe.params.cycle_epochs for recipe in self.situation.study.recipes)
        return longest > self.recipe.params.cycle_epochs

    @property
    def _seeds(self) -> int:
        """Number of fresh seeds of the recipe that were asked for."""
        return len(self.situation.study.of_recipe("confirm"))

    @property
    def _wanted(self) -> int:
        """Number of fresh seeds of the recipe to ask for at least: the planned ones, and replacements."""
        return self.plan.confirm_seeds + replaced(self.situation.study)

    @property
    def _rung(self) -> int:
        """The rung that the recipe comes from."""
        return self.situation.study.requests[self.recipe.origin].rung

    def _costs_a_seed(self, epochs: float) -> bool:
        """Whether a fresh seed may still be needed that fits now, but not after a run of ``epochs``."""
        situation, params = self.situation, self.recipe.params
        is_open = self._seeds < max(MAX_SEEDS, self._wanted) and bool(situation.running("confirm"))
        after = situation.now + situation.cost.seconds(replace(params, cycle_epochs=epochs))
        seed_s = situation.cost.fresh_s(params)
        return is_open and situation.now + seed_s <= situation.limit < after + seed_s
