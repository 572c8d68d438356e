"""What to run next: a pure function of the study, the policy and the time.

The order of things: what was lost again, the first range tests, the plan, the rungs from the shortest to the longest,
and the finish.
"""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.core.plan import Plan
from superconv_tune.core.study import Study
from superconv_tune.planner.ask import Ask, Decision, Signal
from superconv_tune.planner.desk import Desk, first
from superconv_tune.planner.divide import divide
from superconv_tune.planner.finish import finish
from superconv_tune.planner.policy import Policy
from superconv_tune.planner.ramps import ask_range_test
from superconv_tune.planner.rungs import RungSteps

ATTEMPTS = 3  # of a trial that was lost through no fault of its own


def decide(study: Study, policy: Policy, now: float) -> Decision:
    """A trial to ask for, a plan to lay down, or a signal.

    Nothing is remembered between calls: the same study at the same time gives the same decision, which is what makes a
    replay of the journal a resume.
    """
    if study.closed is not None:
        return Signal.DONE
    desk = Desk(study, policy, now)
    decision = first([lambda: _retry(desk), lambda: ask_range_test(desk), lambda: _plan(desk)])
    if decision is not None:
        return decision
    plan = study.plan
    assert plan is not None
    decision = first([RungSteps(desk, plan, index).next for index in range(len(plan.rungs))])
    return finish(desk, plan) if decision is None else decision


def _retry(desk: Desk) -> Ask | None:
    for request, _ in desk.study.lost():
        if request.kind == "baseline":
            continue  # has rules of its own
        if request.attempt < ATTEMPTS and desk.fits(request.params, desk.limit):
            deadline = desk.patient(request.params)
            again = replace(request, attempt=request.attempt + 1, deadline=deadline, proposal=None)
            if request.proposal is None:
                return Ask(again)
            return Ask(again, study=request.proposal[0], fixed=desk.searched(request.params))
    return None


def _plan(desk: Desk) -> Plan | None:
    if desk.study.plan is not None:
        return None
    return divide(desk.policy, desk.cost, desk.study.workers, max(0.0, desk.limit - desk.now))
