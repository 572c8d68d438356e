"""Adjust the lengths of the rungs to the time that is left."""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.planner.brief import Brief
from superconv_tune.planner.divide import LATE, REFIT_SHARE, refit, shorten
from superconv_tune.planner.probes import Probes
from superconv_tune.planner.situation import Situation
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import FromProposer

SHORTENINGS = 4  # attempts to shorten one plan until it fits


def fitted(situation: Situation, plan: Plan, index: int) -> Plan | None:
    """A plan with this rung and those above it fitted to the time left; None if the plan needs no change."""
    brief, left_s = replace(situation.brief, defaults=situation.usual), max(0.0, situation.limit - situation.now)
    if index < len(plan.rungs) - 1:
        return _shortened(situation, brief, plan, index, left_s)
    if plan.rungs[index].free or situation.asked("search", index):
        return None
    return refit(brief, situation.cost, situation.study.workers, left_s, plan)


def _shortened(situation: Situation, brief: Brief, plan: Plan, index: int, left_s: float) -> Plan | None:
    """The plan with shorter cycles for all rungs that have not begun, if the machine is too slow for it and this helps.

    It helps if this rung can then ask for a trial; otherwise the top rung would be lengthened again at once.
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
    for _ in range(SHORTENINGS):  # the overhead of a trial does not shrink with its cycle
        factor *= REFIT_SHARE * left_s / needed_s
        shorter = shorten(brief, situation.cost, plan, index + 1 if asked else index, factor)
        needed_s = _needed_s(situation, shorter, index, missing)
        if needed_s <= left_s:
            break
    helps = _needed_s(situation, shorter, index, 1) <= left_s
    return shorter if helps and shorter.rungs != plan.rungs else None


def _needed_s(situation: Situation, plan: Plan, index: int, missing: int) -> float:
    """Seconds from this rung, which still needs ``missing`` trials, to the end of the search."""
    return situation.waves(missing) * situation.cycle_s(plan.rungs[index].epochs) + situation.later_s(plan, index)


def _is_settled(situation: Situation, index: int) -> bool:
    """Whether a rung's length is final: it has sampled trials, or the search is past it or cannot sample yet."""
    sampled = any(isinstance(request.purpose, FromProposer) for request in situation.asked("search", index))
    beyond = bool(situation.asked("search", index + 1) or situation.asked("confirm"))
    return sampled or beyond or (index > 0 and not Probes(situation).came_back())
