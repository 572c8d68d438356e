"""How the top rung uses leftover time: more configurations than planned, and a run-off of the best ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from superconv_tune.planner.divide import RUN_OFF, RUN_OFF_SEEDS, RUN_OFF_TRIALS, WIDEST
from superconv_tune.planner.situation import Situation
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import RunOff
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.verdict.ladder import Contender, contenders

SAFELY = 2.0  # standard errors by which the safest contender must pass the target to end the search


@dataclass(frozen=True)
class Finalists:
    """The top rung: whether to widen it, and which of its configurations to train again.

    Attributes:
        situation: the state of the search.
        plan: the division of the time budget.
    """

    situation: Situation
    plan: Plan

    def run_off_s(self) -> float:
        """Seconds to reserve for the run-off; 0 while there are fewer than two contenders."""
        if len(self._leading()) < 2:
            return 0.0
        return self.situation.waves(RUN_OFF_TRIALS) * self.situation.cycle_s(self.plan.rungs[-1].epochs)

    def are_worth_widening(self) -> bool:
        """Whether the top rung may have more trials than planned, in time that longer cycles cannot use."""
        asked, trials = len(self.situation.asked("search", self._top)), self.situation.brief.trials
        is_allowed = asked < WIDEST and (trials is None or len(self.situation.asked("search")) < trials)
        return not self._is_fixed() and is_allowed and not self._looks_reached()

    def run_off(self, limit: float) -> TrialRequest | None:
        """A fresh seed of the least repeated of the best configurations; None once a single one is clearly the best."""
        situation = self.situation
        if self._is_fixed() or situation.asked("confirm"):
            return None
        leading = self._leading()
        if len(leading) < 2 or self._looks_reached():
            return None
        repeats = Counter(self._repeated())
        next_one = min(leading, key=lambda contender: repeats[contender.origin])
        first = situation.study.trial(next_one.origin)
        params = replace(first.request.params, lr_multiplier=1.0)
        if repeats[next_one.origin] >= RUN_OFF_SEEDS - 1 or not situation.fits(params, limit):
            return None
        cycle, deadline = Cycle(first.max_lr), situation.lenient(params, limit)
        return situation.request(RunOff(next_one.origin), cycle, params, deadline, rung=self._top)

    def _repeated(self) -> Iterator[str]:
        """Id of the repeated trial, for every run-off that was asked for."""
        for request in self.situation.asked("search", self._top):
            if isinstance(request.purpose, RunOff):
                yield request.purpose.parent

    def _leading(self) -> list[Contender]:
        """The contenders of the top rung that take part in the run-off."""
        leading = self._contenders[: max(RUN_OFF, self.situation.study.workers // 2)]
        return leading if leading and leading[0].trials[0].request.rung == self._top else []

    @property
    def _top(self) -> int:
        return len(self.plan.rungs) - 1

    def _is_fixed(self) -> bool:
        """Whether the top rung must stay as planned: the sampler chooses its lengths, or the budget is too small."""
        return self.plan.rungs[-1].free or self.plan.is_too_small

    @cached_property
    def _contenders(self) -> list[Contender]:
        return contenders(self.situation.study, self.situation.yardstick)

    def _looks_reached(self) -> bool:
        """Whether the safest contender passes the target by more than noise explains, so that it can be confirmed."""
        target = self.situation.brief.target.value
        if target is None or not self._contenders:
            return False
        safest = self._contenders[0]
        worth = self.situation.yardstick.worth
        return worth(safest.value) - worth(target) > SAFELY * safest.margin
