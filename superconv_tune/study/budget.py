"""Whether a budget has room for a search, and which one would have."""

from __future__ import annotations

import math
from dataclasses import dataclass

from superconv_tune.core.check import Check
from superconv_tune.planner.divide import SEEDS
from superconv_tune.planner.situation import Situation
from superconv_tune.record.events import Opened
from superconv_tune.record.plan import Plan
from superconv_tune.record.study import Study
from superconv_tune.reporting.sentences import duration
from superconv_tune.study.question import REPORT_S, REPORT_SHARE, Question

SHORTEST_S, LONGEST_S = 0.1, 1e9  # of training, between which enough is looked for
FINE = 1.01  # factor up to which it is found
STEPS_S = {0.0: 5.0, 120.0: 60.0, 7200.0: 1800.0}  # to which it is rounded up, by its length


@dataclass(frozen=True)
class Budget:
    """The time of a search and what it is spent on.

    Attributes:
        question: what is asked.
        workers: number of trials at once.
        start_s: seconds from the command to the first trial.
    """

    question: Question
    workers: int
    start_s: float

    @property
    def total_s(self) -> float:
        """From the command to the report."""
        return self.question.spec.budget_s

    @property
    def around_s(self) -> float:
        """Start-up and report."""
        return self.start_s + self.question.brief.report_s

    @property
    def left_s(self) -> float:
        """What is left for training."""
        return max(0.0, self.total_s - self.around_s)

    @property
    def plan(self) -> Plan:
        """How a search would spend what is left."""
        return self._divided(self.left_s)

    @property
    def enough_s(self) -> float:
        """The least budget, rounded up, with room for cycles that rank learning rates and for their confirmation."""
        low, high = SHORTEST_S, 2.0 * SHORTEST_S
        while self._divided(high).is_too_small and high < LONGEST_S:
            low, high = high, 2.0 * high
        while high > FINE * low:
            middle = (low + high) / 2.0
            low, high = (middle, high) if self._divided(middle).is_too_small else (low, middle)
        total_s = max(high + self.start_s + REPORT_S, (high + self.start_s) / (1.0 - REPORT_SHARE))
        step_s = next(step for least, step in reversed(STEPS_S.items()) if total_s >= least)
        return math.ceil(total_s / step_s) * step_s

    @property
    def check(self) -> Check:
        """One line of the preflight: how much of the budget is left for training, and whether that is enough."""
        found = f"{duration(self.total_s)}: about {self.around_s:.0f} s for start-up and report"
        found += f", {duration(self.left_s)} for training" if self.left_s else ", none for training"
        if self.left_s and not self.plan.is_too_small:
            return Check("budget", found)
        enough = f"`--budget {self.enough_s:.0f}s` ({duration(self.enough_s)}) would do."
        if not self.left_s:
            return Check("budget", f"{found}.", "failure", enough)
        return Check("budget", found, "warning", f"That is too little for cycles that rank learning rates: {enough}")

    def _divided(self, left_s: float) -> Plan:
        if not self.question.has_networks:
            return Plan((), SEEDS, ())
        name, brief, measured = self.question.spec.name, self.question.brief, self.question.measured
        opened = Opened(name, 0.0, left_s + brief.report_s, self.workers, spec={}, measured=measured)
        return Situation(Study(opened), brief, now=0.0).divided()
