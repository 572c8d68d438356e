"""The probes of the lowest rung: complete cycles over a grid of learning rates, until the best is inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import takewhile

from superconv_tune.lr.rate_grid import (
    FALLBACK_LR,
    FALLBACK_LR_ELSE,
    GRID_FACTOR,
    MOST_WIDENINGS,
    ProbeGrid,
    first_grid,
)
from superconv_tune.planner.ask import Ask, Decision, Signal
from superconv_tune.planner.divide import FIRST_GRID
from superconv_tune.planner.first_ramps import pooled_range_test
from superconv_tune.planner.situation import Situation
from superconv_tune.record.plan import RungPlan
from superconv_tune.record.study import Trial
from superconv_tune.record.trial import TrialRequest

MOST_SPECULATION = 2  # probes beyond the border that run before one of them came back


@dataclass(frozen=True)
class Probes:
    """What was probed, and what is to be probed next."""

    situation: Situation

    def ask(self, rung: RungPlan, limit: float) -> Decision | None:
        """Complete cycles of the default parameters over a grid of learning rates, until the best is inside it."""
        params = replace(self.situation.brief.defaults, cycle_epochs=rung.epochs)
        asked = {request.pick_lr for request in self._requests()}
        missing = [lr for lr in self._first_rates() if lr not in asked] or self._beyond(asked)
        if not missing and self._running():
            return Signal.WAIT
        if not missing or not self.situation.fits(params, limit):
            return None
        request = self.situation.request("search", 0, params, self.situation.lenient(params, limit))
        return Ask(replace(request, pick_lr=missing[0]))

    def came_back(self) -> list[Trial]:
        """Probes with their outcomes."""
        return self.situation.came_back(self._requests())

    def grid(self) -> ProbeGrid:
        """What those reached; there is at least one."""
        scores = [
            (request.pick_lr or 0.0, outcome.objective if outcome.status == "finished" else math.nan)
            for request, outcome in self.came_back()
        ]
        trivial = self.situation.study.opened.measured.trivial_value
        return ProbeGrid.of(scores, higher_is_better=self.situation.higher, untrained=trivial)

    def _first_rates(self) -> list[float]:
        pooled = pooled_range_test(self.situation.study)
        if pooled is None or pooled.refusal is not None:
            centre = FALLBACK_LR.get(self.situation.brief.optimizer, FALLBACK_LR_ELSE)
        else:
            centre = pooled.max_lr
        return first_grid(centre)

    def _beyond(self, asked: set[float | None]) -> list[float]:
        """The next rate beyond the border where the best one lies, past those that run already."""
        is_enough = len(asked) >= FIRST_GRID + MOST_WIDENINGS or len(self._running()) >= MOST_SPECULATION
        if len(self.came_back()) < 2 or is_enough or self._is_done(asked):
            return []
        grid = self.grid()
        lr = grid.beyond()
        if lr is None:
            return []
        step = GRID_FACTOR if lr > grid.rates[-1] else 1.0 / GRID_FACTOR
        while any(taken is not None and math.isclose(lr, taken) for taken in asked):
            lr *= step
        return [lr]

    def _is_done(self, asked: set[float | None]) -> bool:
        """Sampled trials stand on the pick of the probes, so that it must not move once one was asked for."""
        return len(self.situation.asked("search", 0)) > len(asked)

    def _requests(self) -> list[TrialRequest]:
        """They are asked for before any sampled trial of the lowest rung, whose number may be large."""
        requests = takewhile(lambda request: request.proposal is None, self.situation.asked("search", 0))
        return [request for request in requests if request.pick_lr is not None]

    def _running(self) -> list[TrialRequest]:
        return [request for request in self.situation.running("search", 0) if request.proposal is None]
