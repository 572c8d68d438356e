"""A rung of the ladder: in which order it asks for what, what it promotes, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from superconv_tune.core.horizon import HorizonRule, fit_exponent, prior
from superconv_tune.core.ladder import best
from superconv_tune.core.plan import Plan, RungPlan
from superconv_tune.core.space import Choice
from superconv_tune.planner.ask import Ask, Decision, Signal
from superconv_tune.planner.desk import Desk, Step, first
from superconv_tune.planner.finalists import Finalists
from superconv_tune.planner.lengths import fitted
from superconv_tune.planner.probes import Probes
from superconv_tune.planner.ramps import pooled_range_test, with_own_ramp

PROMOTED_SHARE = 2 / 3  # of a rung: configurations from the rung below; the sampler proposes the rest
JITTER = (1.0, math.sqrt(2.0), 1.0 / math.sqrt(2.0))  # of a promoted learning rate, for the best one moves with length
ENOUGH_OF_A_RUNG = 2 / 3  # done, so that an idle worker may start on the next one


@dataclass(frozen=True)
class RungSteps:
    """What one rung may ask for now.

    Attributes:
        desk: what every step needs.
        plan: the division of the hour.
        index: of the rung, 0 the shortest.
    """

    desk: Desk
    plan: Plan
    index: int

    def next(self) -> Decision | None:
        """A plan whose lengths fit, a trial, or to wait; None where the rung has nothing more to ask for."""
        limit = self.desk.limit - self.desk.later_s(self.plan, self.index)
        steps: list[Step] = [lambda: fitted(self.desk, self.plan, self.index), lambda: self._search(limit)]
        if self.index == 0:
            steps.insert(1, lambda: self._probes.ask(self._rung, limit))
        if self._is_top:
            steps.append(lambda: self._finalists.run_off(limit))
        decision = first(steps)
        if decision is not None:
            return decision
        return Signal.WAIT if self._is_waited_for() else None

    @property
    def _rung(self) -> RungPlan:
        return self.plan.rungs[self.index]

    @property
    def _is_top(self) -> bool:
        return self.index == len(self.plan.rungs) - 1

    @property
    def _probes(self) -> Probes:
        return Probes(self.desk)

    @cached_property
    def _finalists(self) -> Finalists:
        return Finalists(self.desk, self.plan)

    def _is_waited_for(self) -> bool:
        """Whether what runs in this rung has to end before the next one begins."""
        asked, running = self.desk.asked("search", self.index), self.desk.running("search", self.index)
        return bool(running) and (self._is_top or len(asked) - len(running) < ENOUGH_OF_A_RUNG * len(asked))

    def _search(self, limit: float) -> Decision | None:
        """A promoted configuration of the rung below, or one from the sampler.

        A rung that the next one has overtaken, or that it is too late for, asks for nothing more.
        """
        desk, rung, index, rule = self.desk, self._rung, self.index, self._rule()
        asked = desk.asked("search", index)
        if rule is None or desk.asked("search", index + 1) or desk.asked("confirm"):
            return None
        if len(asked) >= rung.width:
            if not self._is_top or not self._finalists.are_worth_widening():
                return None
            limit -= self._finalists.run_off_s
        params = replace(desk.policy.defaults, cycle_epochs=rung.epochs)
        if not desk.fits(params, limit):
            return None
        request = with_own_ramp(desk, desk.request("search", index, params, desk.lenient(params, limit)))
        chosen = self._another_size() if index == 0 else self._promotion()
        fixed = chosen if chosen is not None else {} if rung.free else {"cycle_epochs": rung.epochs}
        below = f"rung{index - 1}" if index > 0 and not asked else None
        return Ask(request, study=f"rung{index}", fixed=fixed, warm_start=below, rule=rule)

    def _another_size(self) -> dict[str, float] | None:
        """The default parameters with a batch size that was not tried: a choice of few is not left to the draw."""
        desk, sizes = self.desk, self.desk.policy.space.get("batch_size")
        tried = {request.params.batch_size for request in desk.asked("search", self.index)}
        untried = [int(size) for size in sizes.values if size not in tried] if isinstance(sizes, Choice) else []
        if not untried:
            return None
        params = replace(desk.policy.defaults, cycle_epochs=self._rung.epochs, batch_size=untried[0], lr_multiplier=1.0)
        return desk.searched(params)

    def _promotion(self) -> dict[str, float] | None:
        """The next configuration of the rung below, with its learning rate carried over and jittered."""
        desk, rung = self.desk, self._rung
        if rung.free:
            return None
        taken = len(desk.asked("search", self.index))
        ranked = sorted(desk.finished(self.index - 1), key=lambda trial: trial[1].objective, reverse=desk.higher)
        if taken >= min(len(ranked), math.ceil(PROMOTED_SHARE * rung.width)):
            return None
        request, outcome = ranked[taken]
        below = replace(self, index=self.index - 1)._rule()
        assert below is not None
        assert outcome.max_lr is not None
        picked = below.max_lr(request.params.cycle_epochs) * desk.batch_scale(request)
        multiplier = outcome.max_lr / picked * JITTER[taken % len(JITTER)]
        moved = replace(request.params, cycle_epochs=rung.epochs, lr_multiplier=multiplier)
        return desk.searched(moved)

    def _rule(self) -> HorizonRule | None:
        """The pick for cycles of this rung: the probes' at the lowest one, moved by what the rungs showed.

        The first trial of a rung freezes it: multipliers of one rung must all multiply the same number.
        """
        desk, rung = self.desk, self._rung
        sampled = next((r for r in desk.asked("search", self.index) if r.proposal is not None), None)
        if sampled is not None and sampled.pick_lr is not None and not rung.free:
            return HorizonRule(sampled.pick_lr / desk.batch_scale(sampled), rung.epochs, exponent=0.0)
        if not self._probes.came_back():
            return None
        grid = self._probes.grid()
        leaders = [best(desk.finished(below), desk.policy.target.direction) for below in range(self.index)]
        found = [
            (request.params.cycle_epochs, outcome.max_lr / desk.batch_scale(request))
            for request, outcome in filter(None, leaders)
            if outcome.max_lr is not None
        ]
        pooled = pooled_range_test(desk.study)
        minimum = pooled.lr_at_minimum if pooled is not None and pooled.refusal is None else None
        return HorizonRule(
            reference_lr=grid.pick(minimum),
            reference_epochs=self.plan.rungs[0].epochs,
            exponent=fit_exponent(found, prior(desk.policy.optimizer)),
            edge=grid.edge(),
        )
