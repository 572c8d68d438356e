"""What to run next of one network: a pure function of its study, the brief and the time.

The order is: lost trials again, the plan, the range test, the rungs from the shortest to the longest, and the finish.
"""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.planner.ask import Decision, Redraw
from superconv_tune.planner.choice import looks_reached
from superconv_tune.planner.finish import finish
from superconv_tune.planner.first_ramps import ask_range_test
from superconv_tune.planner.rungs import RungSteps
from superconv_tune.planner.situation import Situation, first
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Baseline
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialRequest

ATTEMPTS = 3  # per trial, if it is lost with its worker: perhaps it was the trial that ended the worker


def network_step(situation: Situation) -> Decision:
    """The next trial, plan, recipe or signal."""
    decision = _before_rungs(situation)
    if decision is not None:
        return decision
    plan = situation.study.plan
    assert plan is not None
    if situation.study.recipe is None and not looks_reached(situation):
        decision = _on_rungs(situation, plan, len(plan.rungs))
    return finish(situation, plan) if decision is None else decision


def tasting_step(situation: Situation, most_s: float) -> Decision | None:
    """The next step on the rungs whose cycles take so many seconds at most; None if there is none for now."""
    decision, plan = _before_rungs(situation), situation.study.plan
    if decision is not None or plan is None:
        return decision
    return _on_rungs(situation, plan, rungs_within(plan, most_s))


def rungs_within(plan: Plan, most_s: float) -> int:
    """Number of rungs below the confirmation whose cycles take so many seconds at most; the lowest in any case."""
    return max(1, sum(seconds <= most_s for seconds in plan.trial_s[:-1]))


def _before_rungs(situation: Situation) -> Decision | None:
    return first([lambda: _retry(situation), lambda: _plan(situation), lambda: ask_range_test(situation)])


def _on_rungs(situation: Situation, plan: Plan, count: int) -> Decision | None:
    """The next step of the lowest rungs."""
    return first([RungSteps(situation, plan, index).next for index in range(count)])


def _retry(situation: Situation) -> TrialRequest | Redraw | None:
    """The next attempt of a trial that was lost with its worker, if it still has a use."""
    for trial in situation.study.lost():
        request = trial.request
        if isinstance(request.purpose, Baseline) or _is_past(situation.study, request):
            continue  # `planner.baselines` asks for those of its own again
        if situation.study.losses[request.trial_id] < ATTEMPTS and situation.fits(request.params, situation.limit):
            again = replace(request, attempt=request.attempt + 1, deadline=situation.patient(request.params))
            return again if request.proposal is None else Redraw(again, situation.searched(request.params))
    return None


def _is_past(study: Study, request: TrialRequest) -> bool:
    """Whether it is a search trial, and there is a recipe, or trains a recipe that was replaced."""
    if study.recipe is None:
        return False
    return request.kind == "search" or request.recipe not in (None, study.recipe.number)


def _plan(situation: Situation) -> Plan | None:
    return situation.divided() if situation.study.plan is None else None
