"""Simulated searches among families of models: networks as in `tests.simulated`, and families that are fitted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.simulation import VirtualClock
from superconv_tune.core.bits import pack
from superconv_tune.planner.brief import Brief
from superconv_tune.record.events import Family, Measured, Opened
from superconv_tune.record.trial import Fit, Status, TrialOutcome, TrialRequest
from tests.simulated import WatchedConductor, Workers, World, brief, opened, searched

ITEMS = 2_000  # of the test part, as in `tests.simulated`


@dataclass(frozen=True)
class Fitting:
    """A family that is fitted: its accuracy with default options, and with those that come after."""

    skill: float
    gain: float = 0.0
    seconds: float = 2.0
    lost: int = 0  # of the first attempts at every trial
    fate: Callable[[TrialRequest], Status] = lambda _: "finished"

    def run(self, request: TrialRequest, now: float) -> tuple[TrialOutcome | None, float]:
        """The outcome of a fit, None if it is lost, and the seconds it takes."""
        assert isinstance(request.work, Fit)
        if request.attempt <= self.lost:
            return None, self.seconds
        rng = np.random.default_rng(request.seed)
        skill = self.skill + (self.gain if request.work.options else 0.0)
        took = min(self.seconds, max(0.0, request.deadline - now))
        right = rng.random(ITEMS) < skill
        status = self.fate(request)
        reads = request.work.reads_test and status == "finished"
        return TrialOutcome(
            request.trial_id,
            request.attempt,
            status,
            objective=skill,
            validation=skill if status == "finished" else None,
            test=float(right.mean()) if reads else None,
            test_correct=pack(right) if reads else None,
            test_items=ITEMS if reads else 0,
            shortened=took < self.seconds,
            train_s=took,
            wall_s=took,
            model_bytes=1000,
        ), took


@dataclass(frozen=True)
class Question:
    """What competes in a simulated search.

    Attributes:
        networks: the world of every network by its name; its ``step_s`` is what the preflight measures.
        fits: the families that are fitted.
    """

    networks: Mapping[str, World] = field(default_factory=dict)
    fits: Mapping[str, Fitting] = field(default_factory=dict)

    def opened(self, budget_s: float, workers: int) -> Opened:
        """The study of this question."""
        start = opened(budget_s, workers)
        families = [Family(name, replace(start.measured, step_s={}), is_fitted=True) for name in self.fits]
        families += [
            Family(name, opened(budget_s, workers, world.step_s).measured, parameters=1000)
            for name, world in self.networks.items()
        ]
        measured = next((each.measured for each in families if not each.is_fitted), Measured(trivial_value=0.1))
        return replace(start, measured=measured, families=tuple(families))


@dataclass(frozen=True)
class Machines(Workers):
    """Workers that run the trials of any family."""

    question: Question = field(default_factory=Question)

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome | None, float]:
        """The outcome (None for a trial lost with its worker), and the seconds it took."""
        if isinstance(request.work, Fit):
            return self.question.fits[request.family].run(request, now)
        return Workers(self.question.networks[request.family], self.nodes).run(request, now, slot)


def compete(
    question: Question,
    how: Brief | None = None,
    budget_s: float = 600.0,
    workers: int = 2,
    changes: Sequence[tuple[float, int]] = (),
) -> tuple[WatchedConductor, VirtualClock]:
    """Run a search among families to its end."""
    machines = Machines(World(), question=question)
    return searched(machines, question.opened(budget_s, workers), how or brief(), changes)


def fresh_values(conductor: WatchedConductor) -> dict[str, list[float]]:
    """Test values of all fresh models, by family."""
    found: dict[str, list[float]] = {}
    for trial in conductor.study.trials("confirm"):
        if trial.outcome.test is not None and math.isfinite(trial.outcome.test):
            found.setdefault(trial.request.family, []).append(trial.outcome.test)
    return found
