"""The probes of the lowest rung: complete cycles over a grid of learning rates, until the best is inside it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from superconv_tune.lr.rate_grid import FALLBACK_LR, FALLBACK_LR_ELSE, ProbeGrid, next_rates
from superconv_tune.planner.first_ramps import pooled_range_test
from superconv_tune.planner.situation import Situation
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import RungPlan
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, Trial, TrialRequest

MOST_SPECULATION = 2  # most probes beyond the border that may run at the same time


@dataclass(frozen=True)
class Probes:
    """The probes of a study so far, and the next one.

    Attributes:
        situation: the state of the search.
    """

    situation: Situation

    def ask(self, rung: RungPlan, limit: float) -> TrialRequest | Signal | None:
        """The next probe; waits while one is running; None once the best rate is inside the grid, or time is short."""
        situation = self.situation
        params = replace(situation.brief.defaults, cycle_epochs=rung.epochs)
        missing = next_rates(self._centre(), self._rates(), self._grid_to_widen())
        if not missing and self._running():
            return Signal.WAIT
        if not missing or not situation.fits(params, limit):
            return None
        cycle = Cycle(missing[0] * params.lr_multiplier)
        return situation.request(Probe(missing[0]), cycle, params, situation.lenient(params, limit), rung=0)

    def came_back(self) -> list[Trial]:
        """Probes that have an outcome."""
        return self.situation.study.came_back(self._requests())

    def grid(self) -> ProbeGrid:
        """The results of the probes, of which there must be at least one."""
        scores = [
            (trial.request.purpose.rate, trial.value if trial.outcome.status == "finished" else math.nan)
            for trial in self.came_back()
            if isinstance(trial.request.purpose, Probe)
        ]
        trivial = self.situation.study.opened.measured.trivial_value
        higher = self.situation.yardstick.higher_is_better
        return ProbeGrid.of(scores, higher_is_better=higher, untrained=trivial)

    def _centre(self) -> float:
        """The centre of the first grid."""
        pooled = pooled_range_test(self.situation.study)
        if pooled is None or pooled.refusal is not None:
            return FALLBACK_LR.get(self.situation.brief.optimizer, FALLBACK_LR_ELSE)
        return pooled.max_lr

    def _grid_to_widen(self) -> ProbeGrid | None:
        """The results of the probes; None while it is too early to widen the grid, or too late."""
        is_early = len(self.came_back()) < 2 or len(self._running()) >= MOST_SPECULATION
        return None if is_early or self._is_done() else self.grid()

    def _is_done(self) -> bool:
        """Whether a sampled trial was asked for, after which the grid that its learning rate rests on is final."""
        return len(self.situation.asked("search", 0)) > len(self._requests())

    def _rates(self) -> set[float]:
        return {request.purpose.rate for request in self._requests() if isinstance(request.purpose, Probe)}

    def _requests(self) -> Collection[TrialRequest]:
        return self.situation.study.asked_for(Probe).values()

    def _running(self) -> list[TrialRequest]:
        return [request for request in self.situation.study.running() if isinstance(request.purpose, Probe)]
