"""One decision, with what every step of it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.planner.ask import Decision, batch_scale
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.planner.cost import CostModel
from superconv_tune.record.plan import Plan
from superconv_tune.record.study import Study, Trial, is_whole
from superconv_tune.record.trial import Kind, TrialRequest

Step = Callable[[], Decision | None]

PATIENCE = 4.0  # times its predicted seconds, after which a trial has to be over
START_S = 30.0  # that a worker may take to start before its first trial
LENIENCE = 0.25  # of its predicted seconds, that a search trial may end late before its anneal is cut
LENIENCE_S = 1.0  # that it may at least: a short one loses as much to the margin that every trial keeps before the end
LUCK = 2.0  # standard errors between two values of the validation part, within which either may be the better one
BETTER = 1 / 3  # of a rung, where nothing tells how far luck reaches


def first(steps: Iterable[Step]) -> Decision | None:
    """The decision of the first step that has one."""
    return next((decision for step in steps if (decision := step()) is not None), None)


@dataclass(frozen=True)
class Situation:
    """Where one decision is made: the questions that every step asks of the study and of the time.

    Attributes:
        study: all that was asked and came back.
        policy: what the user decided.
        now: Unix time.
    """

    study: Study
    brief: Brief
    now: float

    # -- small facts ------------------------------------------------------------------------------------------------

    @property
    def limit(self) -> float:
        """Unix time by which everything has come back."""
        return self.study.deadline - self.brief.report_s

    @property
    def higher(self) -> bool:
        """Whether a higher value of the metric is better."""
        return self.brief.target.direction == "max"

    @property
    def items(self) -> int | None:
        """Size of the validation part; None where the metric is no mean over items."""
        return self.study.opened.measured.validation_items if self.brief.item_level else None

    def batch_scale(self, request: TrialRequest) -> float:
        """How the pick of a request moved with its batch size."""
        return batch_scale(request.params, self.brief.defaults.batch_size)

    # -- seconds and deadlines --------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> CostModel:
        """What a trial will take."""
        return CostModel.of(self.study)

    def fits(self, params: Hyperparameters, limit: float) -> bool:
        """Whether a trial that begins now is expected to end by ``limit``."""
        return self.now + self.cost.seconds(params) <= limit

    def lenient(self, params: Hyperparameters, limit: float) -> float:
        """The deadline of a trial that should end by ``limit``: a little late does less harm than a cut anneal."""
        return min(self.patient(params), limit + max(LENIENCE_S, LENIENCE * self.cost.seconds(params)))

    def patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial: what hangs, or crawls, must not hold its worker until the hour is over."""
        return self.patient_with(self.cost.seconds(params))

    def patient_with(self, seconds: float) -> float:
        """The same for a trial that is predicted to take so many seconds."""
        return min(self.limit, self.now + START_S + PATIENCE * seconds)

    def later_s(self, plan: Plan, index: int) -> float:
        """Seconds that the rungs above, the confirmation and the baselines need; a free rung takes what is left.

        Not those of the run-off, which is for time that is over.
        """
        parts = [(rung.width, rung.epochs) for rung in plan.rungs[index + 1 :] if not rung.free]
        parts.append((plan.confirm_seeds, plan.rungs[-1].epochs))
        waves_s = sum(self.waves(count) * self.cycle_s(epochs) for count, epochs in parts)
        return waves_s + plan.baseline_s + plan.scaling_s

    def cycle_s(self, epochs: float) -> float:
        """Seconds of a cycle of the usual parameters."""
        return self.cost.seconds(replace(self.usual, cycle_epochs=epochs))

    @cached_property
    def usual(self) -> Hyperparameters:
        """The default parameters, with a batch size that trials to come may well have.

        That is one of those that may be the best of the last rung that is over, or of the lowest one while that is
        searched; of several the dearest, for an epoch may take far longer with one than with another.
        """
        rungs = range(len(self.study.plan.rungs) if self.study.plan else 0)
        latest = max((rung for rung in rungs if self.asked("search", rung)), default=0)
        sizes = {request.params.batch_size for request, _ in self.likely_best(max(0, latest - 1))}
        candidates = [replace(self.brief.defaults, batch_size=size) for size in sorted(sizes)]
        return max(candidates, key=self.cost.seconds, default=self.brief.defaults)

    def waves(self, count: int) -> int:
        """Times that all workers begin a trial, for so many trials."""
        return math.ceil(count / self.study.workers)

    # -- trials -----------------------------------------------------------------------------------------------------

    def asked(self, kind: Kind, rung: int | None = None) -> Collection[TrialRequest]:
        """Requests of one kind, of one rung if it is given, in the order of asking."""
        return self.study.asked(kind, rung).values()

    def running(self, kind: Kind, rung: int | None = None) -> list[TrialRequest]:
        """Those whose outcome has not come."""
        return [r for r in self.study.running() if r.kind == kind and (rung is None or r.rung == rung)]

    def finished(self, rung: int) -> list[Trial]:
        """Search trials of a rung that trained the whole cycle."""
        return [trial for trial in self.came_back(self.asked("search", rung)) if is_whole(trial)]

    def likely_best(self, rung: int) -> list[Trial]:
        """Trials of a rung that may be its best one, the best first.

        By the items of the validation part; where these are not counted, the better third.
        """
        ranked = sorted(self.finished(rung), key=lambda trial: trial[1].objective, reverse=self.higher)
        if not ranked or self.items is None:
            return ranked[: math.ceil(BETTER * len(ranked))]
        value = ranked[0][1].objective
        luck = LUCK * math.sqrt(max(0.0, 2.0 * value * (1.0 - value)) / self.items)
        return [trial for trial in ranked if abs(trial[1].objective - value) <= luck]

    def came_back(self, requests: Iterable[TrialRequest]) -> list[Trial]:
        """Those that have an outcome, with it."""
        outcomes = self.study.outcomes
        return [(request, outcomes[request.trial_id]) for request in requests if request.trial_id in outcomes]

    # -- a request --------------------------------------------------------------------------------------------------

    def request(self, kind: Kind, rung: int, params: Hyperparameters, deadline: float) -> TrialRequest:
        """The next one, with a seed of its own."""
        number = len(self.study.requests)
        seed = np.random.SeedSequence([self.brief.seed, number]).generate_state(1)[0]
        return TrialRequest(
            trial_id=f"{number:04d}-{kind}",
            attempt=1,
            kind=kind,
            params=params,
            seed=int(seed),
            schedule=self.brief.schedule,
            rung=rung,
            deadline=deadline,
            precision=self.study.opened.measured.precision,
        )

    def searched(self, params: Hyperparameters) -> dict[str, float]:
        """The parameters that the sampler knows, inside its ranges."""
        values: dict[str, float] = {}
        for name, dimension in self.brief.space.items():
            low, high = bounds(dimension, 0.0)
            values[name] = min(max(getattr(params, name), low), high)
        return values
