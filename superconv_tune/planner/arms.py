"""Families of models as arms of one search: which of them gets the free worker, and which goes no further.

Every family is a study within the study (`superconv_tune.record.study`), which the planner of one network decides on.
Networks race: each of them trains the low rungs of a plan for the whole time, whose cycles take up to a number of
seconds that is the same for all, whatever a step costs. Then those that lag behind are dropped (of more than two at
least half: successive halving, Jamieson & Talwalkar 2016), and the others go on to longer cycles. The last one divides
the time that is left again; what it does not use goes to those that were dropped. Families that are fitted run beside
them (`superconv_tune.planner.fits`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.ask import Decision, Draw, Drop
from superconv_tune.planner.choice import expected_of_search, looks_reached
from superconv_tune.planner.evidence import best_recipe, confirmed_worth, has_all_seeds, is_decided, word_of
from superconv_tune.planner.fits import FitSteps
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.planner.network import network_step, rungs_within, tasting_step
from superconv_tune.planner.situation import Moment, Situation, first, next_id, next_number, next_seed
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial, TrialRequest

LAG = 1.0  # standard errors of one value, by which a network behind the best one is dropped
COMPARABLE = 1.25  # factor up to which the seconds of two cycles count as the same


@dataclass(frozen=True)
class Arms(Moment):
    """One decision of a search among families."""

    def next(self) -> Decision:
        """The next trial, plan, recipe, family to drop, or signal."""
        fits = self._fits
        decision = first([fits.again, fits.defaults, fits.confirm, fits.reached])
        if decision is not None:
            return decision
        if self._is_over:
            return self._nothing
        return fits.further() or self._of_networks()

    @cached_property
    def _fits(self) -> FitSteps:
        return FitSteps(self.study, self.brief, self.now)

    @property
    def _is_over(self) -> bool:
        """Whether a fit demonstrates the target: nothing that a network reaches would change the answer."""
        target = self.brief.target.value
        return target is not None and self.study.lead.is_fitted and is_decided(self.study.lead, self.brief)

    @property
    def _nothing(self) -> Signal:
        return Signal.WAIT if self.study.running() else Signal.DONE

    # -- networks and the best fit ----------------------------------------------------------------------------------

    def _of_networks(self) -> Decision:
        networks = [arm for arm in self.study.arms.values() if not arm.is_fitted]
        racing = [arm for arm in networks if not arm.is_dropped]
        if len(racing) > 1:
            return self._race(racing)
        left = racing[0] if racing else None
        decision = network_step(self._situation(left)) if left else self._nothing
        choice = self._choice_of_fit(left, decision) or self._best_again()
        if choice is not None:
            return choice
        if decision is Signal.DONE and not self._is_demonstrated:
            return self._of_dropped([arm for arm in networks if arm.is_dropped])
        return self._allowed(left, decision) if left else decision

    def _of_dropped(self, dropped: Sequence[Study]) -> Decision:
        """The next step of the best network that was dropped, for time that nothing else uses.

        It lagged in cycles of equal time; but the others may have come to the longest that are allowed.
        """
        for arm in sorted(dropped, key=lambda arm: -self._worth_within(arm, math.inf)):
            decision = network_step(self._situation(arm))
            if not isinstance(decision, Signal):
                return self._stamped(arm, decision)
        if self.study.running():
            return Signal.WAIT
        return Signal.DONE

    def _choice_of_fit(self, network: Study | None, decision: Decision) -> Plan | Recipe | None:
        """The recipe of the best fit, where it is better than the network that is left; None where it is not.

        Args:
            network: the one that is left; None if all families are fitted.
            decision: what it would do next.
        """
        fit = self._fits.best
        if fit is None or self._fits.is_frozen(fit):
            return None
        if network is None:
            is_better = not self.study.running()
        elif network.recipe is None:
            is_better = self._leads(fit, network, decision)
        else:
            is_settled = self._is_confirmed(network) or decision is Signal.DONE
            is_better = is_settled and self.worth(fit.value) > confirmed_worth(network, network.recipe, self._yardstick)
        return self._fits.freeze(fit) if is_better else None

    def _best_again(self) -> Recipe | None:
        """The recipe of the family whose fresh models validate best, if it is not the current one; None if it is.

        None also while the fresh models of a family are not settled.
        """
        recipes = {name: arm.recipe for name, arm in self.study.arms.items() if arm.recipe is not None}
        if len(recipes) < 2 or not all(self._is_confirmed(self.study.arms[name]) for name in recipes):
            return None
        return best_recipe(self.study, self._yardstick, list(recipes.values()))

    @property
    def _is_demonstrated(self) -> bool:
        lead = self.study.lead
        return lead.recipe is not None and word_of(lead, self.brief) == "demonstrated"

    def _leads(self, fit: Trial, network: Study, decision: Decision) -> bool:
        """Whether the network is about to be confirmed, or cannot be, and the fit is better by more than noise."""
        situation = self._situation(network)
        if not isinstance(decision, Recipe) and decision is not Signal.DONE:
            return False
        if situation.learned.surface is None:
            return True
        expected, noise = expected_of_search(situation)
        return self.worth(fit.value) - expected > noise

    def _is_confirmed(self, arm: Study) -> bool:
        """Whether all planned fresh models of its recipe have ended, or no more of them will be asked for."""
        return has_all_seeds(arm) and not any(isinstance(request.purpose, Confirm) for request in arm.running())

    @property
    def _yardstick(self) -> Yardstick:
        return yardstick_of(self.study, self.brief)

    def _allowed(self, network: Study, decision: Decision) -> Decision:
        """The decision; where a fit is the recipe, and better, only another recipe of the network may change that."""
        is_settled = self.study.lead.is_fitted and network.recipe is not None and self._is_confirmed(network)
        if is_settled and not isinstance(decision, Recipe | Plan | Signal):
            return self._nothing
        if decision is Signal.DONE:
            return self._nothing
        return self._stamped(network, decision)

    # -- the race of networks ---------------------------------------------------------------------------------------

    def _race(self, racing: Sequence[Study]) -> Decision:
        """The next step of the lowest height that is not done; at its end a network to drop."""
        reached = [arm for arm in racing if looks_reached(self._situation(arm))]
        if reached:
            return self._drop_worst(racing, keep=max(reached, key=self._search_worth))
        for most_s in _heights(racing):
            step = self._race_step(racing, most_s)
            if step is not None:
                return step
            behind = [] if any(_is_beyond(arm, most_s) for arm in racing) else self._behind(racing, most_s)
            if behind:
                return Drop(_name(behind[-1]))
        return self._drop_worst(racing)

    def _race_step(self, racing: Sequence[Study], most_s: float) -> Decision | None:
        """The next step of the network that had the least so far; a signal to wait for others; None if all are done."""
        for arm in sorted(racing, key=self._spent_s):
            decision = tasting_step(self._situation(arm), most_s)
            if decision is not None:
                return self._stamped(arm, decision)
        return Signal.WAIT if any(arm.running() for arm in racing) else None

    def _spent_s(self, arm: Study) -> float:
        """Worker-seconds of its trials; one that runs counts as predicted."""
        running_s = sum(map(self._situation(arm).predicted_s, arm.running()))
        return sum(outcome.wall_s for outcome in arm.outcomes.values()) + running_s

    def _behind(self, racing: Sequence[Study], most_s: float) -> list[Study]:
        """Networks to drop, the best of them first."""
        ranked = sorted(racing, key=lambda arm: -self._worth_within(arm, most_s))
        kept = len(racing) if len(racing) == 2 else math.ceil(len(racing) / 2)
        worth = [self._worth_within(arm, most_s) for arm in ranked]
        noise = max((s.noise for arm in racing if (s := self._situation(arm).learned.surface) is not None), default=0.0)
        return [arm for place, arm in enumerate(ranked) if place >= kept or worth[0] - worth[place] > LAG * noise]

    def _drop_worst(self, racing: Sequence[Study], keep: Study | None = None) -> Drop:
        others = [arm for arm in racing if arm is not keep]
        return Drop(_name(min(others, key=lambda arm: self._worth_within(arm, math.inf))))

    def _worth_within(self, arm: Study, most_s: float) -> float:
        """Worth of its best complete cycle on the rungs whose cycles take so many seconds at most."""
        count = rungs_within(arm.plan, most_s) if arm.plan else 0
        cycles = [trial for trial in arm.trials("search") if trial.is_whole and trial.request.rung < count]
        return max((self.worth(trial.value) for trial in cycles), default=-math.inf)

    def _search_worth(self, arm: Study) -> float:
        return expected_of_search(self._situation(arm))[0]

    # -- common -----------------------------------------------------------------------------------------------------

    def _situation(self, arm: Study) -> Situation:
        """The state of one network, without the time that the confirmation of the best fit will take.

        Of the user's number of search trials it has what the others did not ask for.
        """
        name = _name(arm)
        if name not in self._situations:
            until = self.study.deadline - self._fits.reserve_s()
            of_others = len(self.study.asked("search")) - len(arm.asked("search"))
            trials = None if self.brief.trials is None else self.brief.trials - of_others
            brief = replace(self.brief, family=name, trials=trials)
            self._situations[name] = Situation(arm.until(until), brief, self.now)
        return self._situations[name]

    @cached_property
    def _situations(self) -> dict[str, Situation]:
        return {}

    def _stamped(self, arm: Study, decision: Decision) -> Decision:
        """A decision on one family as one of the whole study: family, number, id, seed and key of the proposer."""
        name = _name(arm)
        match decision:
            case Plan():
                return replace(decision, family=name)
            case Recipe():
                return replace(decision, family=name, number=next_number(self.study))
            case TrialRequest() if decision.attempt == 1:
                return self._requested(name, decision)
            case Draw(draft=draft, study=study, warm_start=warm_start):
                key = None if warm_start is None else f"{name}/{warm_start}"
                return replace(decision, draft=self._requested(name, draft), study=f"{name}/{study}", warm_start=key)
        return decision

    def _requested(self, family: str, request: TrialRequest) -> TrialRequest:
        trial_id, seed = next_id(self.study, request.purpose), next_seed(self.study, self.brief)
        return replace(request, trial_id=trial_id, seed=seed, family=family)


def _name(arm: Study) -> str:
    assert arm.family is not None
    return arm.family.name


def _heights(racing: Sequence[Study]) -> list[float]:
    """The seconds of cycles up to which networks are compared, one after the other, the shortest first.

    In the first of them every network has a rung; after it each of their rungs counts, but for the confirmation.
    """
    plans = [arm.plan for arm in racing if arm.plan]
    first_s = max((plan.trial_s[0] for plan in plans), default=0.0)
    longer = sorted({seconds for plan in plans for seconds in plan.trial_s[:-1] if seconds > first_s})
    return [COMPARABLE * seconds for seconds in (first_s, *longer)]


def _is_beyond(arm: Study, most_s: float) -> bool:
    """Whether it has begun a rung with longer cycles."""
    rungs = range(rungs_within(arm.plan, most_s), len(arm.plan.rungs)) if arm.plan else ()
    return any(arm.asked("search", index) for index in rungs)
