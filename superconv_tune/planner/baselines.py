"""Runs of other policies with the parameters of the frozen recipe: which is next, and why some were left out.

They run when no confirmation needs the worker, in at most `SHARE` of the worker-seconds: at the length of the recipe if
every policy fits, otherwise at the length of the rung below, otherwise not at all. No time is reserved for them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.horizon import HorizonRule, exponent_of
from superconv_tune.lr.rate_grid import GRID_FACTOR, ProbeGrid
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.record.plan import Plan
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import INFORMATIVE, LOST, Trial, TrialRequest
from superconv_tune.verdict.comparison import RATES, RunCost, Shortfall, compare

SHARE = 0.1  # of the worker-seconds of the whole time budget (design 6)
POLICY_POWERS = (0, 1, -1)  # powers of `GRID_FACTOR` in the grid of each policy, in the order of asking
MOST_RATES = 5  # per policy: the grid widens while its best lies at its border, up to this number
RUN_PATIENCE = 1.5  # times its predicted seconds, after which the anneal of a run is cut and the run no longer counts
HAND_OVER_S = 1.0  # seconds added to that, because handing a run to a busy worker takes time
ADAPTIVE_SHARE = 0.5  # of the recipe's peak, for optimizers whose step size does not grow with momentum (AdamW)


@dataclass(frozen=True)
class Run:
    """A run of another policy to start now."""

    schedule: Schedule
    epochs: float
    max_lr: float
    deadline: float


@dataclass(frozen=True)
class Comparison:
    """The comparison with other policies at one moment.

    Attributes:
        study: the study so far.
        brief: what the user asked for.
        cost: predicts the seconds of a run.
        plan: the division of the time budget, whose rungs give the possible lengths.
        recipe: the current recipe.
        now: Unix time in seconds.
        limit: Unix time in seconds by which every run must have ended.
    """

    study: Study
    brief: Brief
    cost: CostModel
    plan: Plan
    recipe: Recipe
    now: float
    limit: float

    def next(self) -> Run | None:
        """The next run: a missing rate of a started policy, the first of another, or one beyond a border."""
        epochs = self.epochs
        if epochs is None:
            return None
        begun = [schedule for schedule in self.brief.baselines if self._requests(schedule)]
        fresh = [schedule for schedule in self.brief.baselines if schedule not in begun]
        wanted = [(schedule, rate) for schedule in begun for rate in self._missing(schedule, epochs)]
        if fresh and not wanted and self._affordable(epochs, 1):
            wanted = [(fresh[0], self._grid(fresh[0], epochs)[0])]
        wanted += [(schedule, rate) for schedule in begun for rate in self._beyond(schedule)]
        if not wanted or not self._fits(epochs):
            return None
        schedule, rate = wanted[0]
        most_s = _patient(self._seconds(epochs))
        return Run(schedule, epochs, rate, min(self.limit, self.now + min(most_s, self.left_s)))

    @property
    def epochs(self) -> float | None:
        """Length of the runs: the one at which most policies fit, the longer one of equals; None if no policy fits.

        The first run fixes it for all others.
        """
        asked = self.study.of_recipe("baseline")
        if asked:
            return asked[0].params.cycle_epochs
        counts = {epochs: self._count(epochs) for epochs in self.lengths}
        most = max(counts.values(), default=0)
        return max(epochs for epochs, count in counts.items() if count == most) if most else None

    @property
    def lengths(self) -> list[float]:
        """Possible lengths: the recipe's, and the rung's below it if the search has a trial there to compare with."""
        longest = self.recipe.params.cycle_epochs
        return [longest, *(epochs for epochs in below(self.plan, longest) if self._was_tried(epochs))]

    @property
    def allowance_s(self) -> float:
        """Worker-seconds that all runs together may take."""
        return SHARE * self.study.worker_s(self.study.deadline)

    @property
    def left_s(self) -> float:
        """Worker-seconds left of the allowance if every running run takes as long as it may."""
        return self.allowance_s - self._spent_s(_patient)

    @property
    def expected_left_s(self) -> float:
        """Worker-seconds left of the allowance if every running run takes as long as predicted."""
        return self.allowance_s - self._spent_s(lambda seconds: seconds)

    def needed_s(self, epochs: float) -> float:
        """Worker-seconds to train one policy at its first rates."""
        return RATES * self._seconds(epochs)

    def _was_tried(self, epochs: float) -> bool:
        """Whether a rung of this length has a complete cycle; stops at the first, because there may be thousands."""
        outcomes = self.study.outcomes
        return any(
            request.params.cycle_epochs == epochs and trial_id in outcomes and self.study.trial(trial_id).is_whole
            for index, rung in enumerate(self.plan.rungs)
            if rung.epochs == epochs
            for trial_id, request in self.study.asked("search", index).items()
        )

    def _count(self, epochs: float) -> int:
        """Number of policies that fit at this length."""
        counts = range(len(self.brief.baselines), 0, -1)
        return next((count for count in counts if self._affordable(epochs, count)), 0)

    def _affordable(self, epochs: float, policies: int) -> bool:
        waves = math.ceil(policies * RATES / self.study.workers)
        in_time = self.now + waves * self._seconds(epochs) <= self.limit
        return in_time and policies * self.needed_s(epochs) <= self.expected_left_s

    def _fits(self, epochs: float) -> bool:
        seconds = self._seconds(epochs)
        return self.now + seconds <= self.limit and seconds <= self.left_s

    def _missing(self, schedule: Schedule, epochs: float) -> list[float]:
        tried = [request.cycle.max_lr for request in self._requests(schedule)]
        return [rate for rate in self._grid(schedule, epochs) if rate not in tried]

    def _beyond(self, schedule: Schedule) -> list[float]:
        """The next rate beyond the border where the best lies, once all runs have an outcome."""
        requests = self._requests(schedule)
        trials = self.study.came_back(requests)
        if len(trials) < len(requests) or not RATES <= len(trials) < MOST_RATES or not _can_judge(trials):
            return []
        scores = [(t.request.cycle.max_lr, t.value if t.outcome.status == "finished" else math.nan) for t in trials]
        rate = ProbeGrid.of(scores, higher_is_better=self.brief.target.yardstick.higher_is_better).beyond()
        return [] if rate is None else [rate]

    def _requests(self, schedule: Schedule) -> list[TrialRequest]:
        """Runs of a policy that were not lost; a lost run is simply asked for again."""
        outcomes = self.study.outcomes
        return [
            request
            for request in self.study.of_recipe("baseline")
            if request.schedule == schedule
            and (request.trial_id not in outcomes or outcomes[request.trial_id].status not in LOST)
        ]

    def _grid(self, schedule: Schedule, epochs: float) -> list[float]:
        """Rates around the peak of the recipe, adjusted to this length and to the momentum of the policy.

        With SGD the effective step is lr / (1 - momentum), and a policy without a cycle keeps the highest momentum.
        """
        params = self.recipe.params
        rule = HorizonRule(self.recipe.max_lr, params.cycle_epochs, exponent_of(self.brief.optimizer))
        centre = rule.max_lr(epochs) * _rate_factor(schedule, self.brief.optimizer, params)
        return [centre * GRID_FACTOR**power for power in POLICY_POWERS]

    def _spent_s(self, taken: Callable[[float], float]) -> float:
        """Worker-seconds of all runs; ``taken`` gives them from the predicted ones for a run without an outcome."""
        outcomes = self.study.outcomes
        return sum(
            outcomes[trial_id].wall_s
            if trial_id in outcomes and outcomes[trial_id].status not in LOST
            else taken(self.cost.seconds(request.params))
            for trial_id, request in self.study.asked("baseline").items()
        )

    def _seconds(self, epochs: float) -> float:
        return self.cost.seconds(replace(self.recipe.params, cycle_epochs=epochs))


def _patient(seconds: float) -> float:
    """Seconds that a run may take that is predicted to take ``seconds``."""
    return RUN_PATIENCE * seconds + HAND_OVER_S


def comparison_of(study: Study, brief: Brief, now: float) -> Comparison | None:
    """The comparison with other policies at this moment; None before a recipe was frozen."""
    recipe = study.recipe
    if study.plan is None or recipe is None or recipe.fit is not None:
        return None
    return Comparison(study, brief, CostModel.of(study), study.plan, recipe, now, study.deadline - brief.report_s)


def below(plan: Plan, epochs: float) -> list[float]:
    """The longest of the plan's lengths below ``epochs``; empty if none is shorter, or the sampler chooses lengths."""
    shorter = [rung.epochs for rung in plan.rungs if rung.epochs < epochs and not rung.free]
    return [max(shorter)] if shorter else []


def shortfall(comparison: Comparison | None, study: Study, brief: Brief) -> Shortfall:
    """Which policies were not compared, or not at the length of the recipe, and why."""
    asked = tuple(schedule.label for schedule in brief.baselines)
    if comparison is None:
        return Shortfall(asked, absent=asked, is_fitted=study.is_fitted)
    compared = {baseline.schedule: baseline for baseline in compare(study, yardstick_of(study, brief))}
    requests = study.of_recipe("baseline")
    begun = {request.schedule.label for request in requests}
    failed = tuple(label for label in asked if label in begun and label not in compared)
    ends = Counter(_end(trial) for trial in study.came_back(requests) if trial.request.schedule.label in failed)
    epochs = comparison.epochs or min(comparison.lengths)
    return Shortfall(
        asked=asked,
        absent=tuple(label for label in asked if label not in begun),
        failed=failed,
        ends=dict(ends),
        compared_epochs=min((baseline.epochs for baseline in compared.values()), default=None),
        cost=RunCost(
            recipe_epochs=comparison.recipe.params.cycle_epochs,
            epochs=epochs,
            needed_s=comparison.needed_s(epochs),
            left_s=max(0.0, comparison.expected_left_s),
            allowance_s=comparison.allowance_s,
        ),
        interrupted=study.closed is not None and study.closed.reason == "interrupted",
    )


def _end(trial: Trial) -> str:
    return "cut short" if trial.outcome.shortened else trial.outcome.status


def _can_judge(trials: list[Trial]) -> bool:
    return all(trial.outcome.status in INFORMATIVE and not trial.outcome.shortened for trial in trials)


def _rate_factor(schedule: Schedule, optimizer: str, params: Hyperparameters) -> float:
    """Centre of the grid of a policy divided by the peak of a one-cycle."""
    if schedule.is_cyclical:
        return 1.0
    if optimizer != "sgd":
        return ADAPTIVE_SHARE
    return (1.0 - params.max_momentum) / (1.0 - params.base_momentum)
