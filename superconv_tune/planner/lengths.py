"""The lengths of the rungs, fitted to the time that is really left."""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.planner.brief import Brief
from superconv_tune.planner.divide import LATE, REFIT_SHARE, refit, shorten
from superconv_tune.planner.probes import Probes
from superconv_tune.planner.situation import Situation
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import FromProposer

SHORTENINGS = 4  # of one plan, until it fits


def fitted(situation: Situation, plan: Plan, index: int) -> Plan | None:
    """Before its first sampled trial a rung, and all above it, is fitted to the time that is left."""
    brief, left_s = replace(situation.brief, defaults=situation.usual), max(0.0, situation.limit - situation.now)
    if index < len(plan.rungs) - 1:
        return _shortened(situation, brief, plan, index, left_s)
    if plan.rungs[index].free or situation.asked("search", index):
        return None
    return refit(brief, situation.cost, situation.study.workers, left_s, plan)


def _shortened(situation: Situation, brief: Brief, plan: Plan, index: int, left_s: float) -> Plan | None:
    """Shorter cycles for all rungs that have not begun, if the machine is too slow for the plan and it helps.

    What was shortened must let this rung ask for a trial, or the top rung would be stretched again at once.
    """
    asked = situation.asked("search", index)
    missing = plan.rungs[index].width - len(asked)
    if missing <= 0 or plan.rungs[-1].free or _is_settled(situation, index):
        return None
    needed_s = _needed_s(situation, plan, index, missing)
    is_late = left_s < LATE * needed_s or (not asked and left_s < _needed_s(situation, plan, index, 1))
    if not is_late:
        return None
    shorter, factor = plan, 1.0
    for _ in range(SHORTENINGS):  # what a trial takes around its training does not get shorter with it
        factor *= REFIT_SHARE * left_s / needed_s
        shorter = shorten(brief, situation.cost, plan, index + 1 if asked else index, factor)
        needed_s = _needed_s(situation, shorter, index, missing)
        if needed_s <= left_s:
            break
    helps = _needed_s(situation, shorter, index, 1) <= left_s
    return shorter if helps and shorter.rungs != plan.rungs else None


def _needed_s(situation: Situation, plan: Plan, index: int, missing: int) -> float:
    """Seconds from this rung, of which so many trials are missing, to the end of the search."""
    return situation.waves(missing) * situation.cycle_s(plan.rungs[index].epochs) + situation.later_s(plan, index)


def _is_settled(situation: Situation, index: int) -> bool:
    """Whether a rung's length stands: a sampled trial has it, or the search is beyond it or cannot sample yet."""
    sampled = any(isinstance(request.purpose, FromProposer) for request in situation.asked("search", index))
    beyond = bool(situation.asked("search", index + 1) or situation.asked("confirm"))
    return sampled or beyond or (index > 0 and not Probes(situation).came_back())
