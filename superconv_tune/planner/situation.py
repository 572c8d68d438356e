"""The state of a search at the moment of one decision, with the queries that all steps share."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.planner.cost import SLACK, CostModel
from superconv_tune.planner.divide import divide, starting_size
from superconv_tune.planner.evidence import yardstick_of
from superconv_tune.planner.surface import SAME_RATE, Point, Seen, Surface
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Kind, Purpose
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Precision, Ramps, Trial, TrialRequest, Work

Step = Callable[[], Decision | None]

PATIENCE = 4.0  # times its predicted seconds, after which a trial must have ended
START_S = 30.0  # seconds that a worker may need to start before its first trial
LENIENCE = 0.25  # share of its predicted seconds by which a search trial may be late before its anneal is cut
LENIENCE_S = 1.0  # seconds that it may be late in any case, which is the margin every trial keeps before its deadline
MOST_SEEN = 80  # best trials of a rung that are weighed; more would cost computing time and say little
MOST_WRONG = 200  # latest trials that went wrong, of which the peaks are avoided
WEIGHED_RUNGS = 3  # of so many trials, that are weighed together
BY_HEART = 0.05  # training loss, as a share of the validation loss, below which nothing is left to learn from
NOISE_SHARE = 0.1  # of how far values lie apart: the noise of one of them, where it cannot be known


def first(steps: Iterable[Step]) -> Decision | None:
    """The first decision that a step returns; None if none of them returns one."""
    return next((decision for step in steps if (decision := step()) is not None), None)


@dataclass(frozen=True)
class Moment:
    """The study, the brief and the time of one decision.

    Attributes:
        study: the study so far.
        brief: what the user asked for.
        now: Unix time in seconds.
    """

    study: Study
    brief: Brief
    now: float

    @property
    def limit(self) -> float:
        """Unix time by which all trials must have ended."""
        return self.study.deadline - self.brief.report_s

    def worth(self, value: float) -> float:
        """The value of the metric, the higher the better."""
        return self.brief.target.yardstick.worth(value)

    def patient_with(self, seconds: float) -> float:
        """The latest deadline of a trial of ``seconds``, so that one that hangs does not hold its worker to the end."""
        return min(self.limit, self.now + START_S + PATIENCE * seconds)


@dataclass(frozen=True)
class Situation(Moment):
    """The moment of a decision about a network, with the queries that its steps share."""

    # -- small facts ------------------------------------------------------------------------------------------------

    @cached_property
    def yardstick(self) -> Yardstick:
        """The metric on the validation part, as a yardstick."""
        return yardstick_of(self.study, self.brief)

    # -- seconds and deadlines --------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> CostModel:
        """Predicts the seconds of a trial."""
        return CostModel.of(self.study)

    def fits(self, params: Hyperparameters, limit: float, slack: float = SLACK) -> bool:
        """Whether a trial that starts now is expected to end by ``limit``; ``slack`` as in `CostModel.seconds`."""
        return self.now + self.cost.seconds(params, slack) <= limit

    def lenient(self, params: Hyperparameters, limit: float) -> float:
        """Deadline of a trial that should end by ``limit``; a bit later, because a cut anneal does more harm."""
        return min(self.patient(params), limit + max(LENIENCE_S, LENIENCE * self.cost.seconds(params)))

    def patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial with these parameters, as `patient_with`."""
        return self.patient_with(self.cost.seconds(params))

    @cached_property
    def usual(self) -> Hyperparameters:
        """The parameters that future trials are likely to have, whatever their length: those of the best so far.

        Before the first result they are the default ones, with the batch size that has the most steps in the same time.
        """
        latest = self.latest(1 if self.brief.strategy == "free" else self.rungs)
        return self.first_point(1.0).params if latest is None else replace(latest[1].params, cycle_epochs=1.0)

    def first_point(self, epochs: float) -> Point:
        """The default configuration with the first batch size, as far as the ranges allow; its peak is not known."""
        size = starting_size(self.brief, self.cost)
        defaults = replace(self.brief.defaults, batch_size=size, lr_multiplier=1.0)
        inside = self.searched(defaults) | {"cycle_epochs": epochs, "lr_multiplier": 1.0, "batch_size": size}
        return Point(replace(defaults, **inside), math.nan)  # type: ignore[arg-type]  # names of parameters

    @property
    def left_s(self) -> float:
        """Wall seconds left for each worker on average, without those that running trials will still take."""
        busy_s = sum(max(0.0, self.expected_end(request) - self.now) for request in self.study.running())
        return max(0.0, self.limit - self.now - busy_s / self.study.workers)

    def divided(self, begun: Sequence[RungPlan] = ()) -> Plan:
        """The time left, divided over rungs above those that were begun.

        Where cycles learn their examples by heart, no confirmation is longer than the cycles that were searched.
        """
        latest = self.latest(len(begun))
        division = self.brief.division
        if latest is not None and self.knows_by_heart(*latest):
            division = replace(division, stretch=1.0)
        brief = replace(self.brief, defaults=self.first_point(1.0).params, division=division)
        return divide(brief, self.cost, self.study.workers, self.left_s, begun, len(self.asked("search")))

    @property
    def has_all_trials(self) -> bool:
        """Whether the user's number of search trials is used up."""
        return self.brief.trials is not None and len(self.asked("search")) >= self.brief.trials

    def expected_end(self, request: TrialRequest) -> float:
        """Unix time at which a running trial is expected to end."""
        return self.study.asked_at[request.trial_id] + self.predicted_s(request)

    def predicted_s(self, request: TrialRequest) -> float:
        """Seconds that a trial is expected to take; ramps count as a cycle of one epoch."""
        params = self.usual if isinstance(request.work, Ramps) else request.params
        return self.cost.seconds(params, slack=1.0)

    def waves(self, count: int) -> int:
        """Number of trials that each worker runs, one after the other, for ``count`` trials in total."""
        return math.ceil(count / self.study.workers)

    # -- trials -----------------------------------------------------------------------------------------------------

    def asked(self, kind: Kind, rung: int | None = None) -> Collection[TrialRequest]:
        """Requests of one kind, optionally of one rung, in the order of asking."""
        return self.study.asked(kind, rung).values()

    def running(self, kind: Kind, rung: int | None = None) -> list[TrialRequest]:
        """Requests of one kind, optionally of one rung, that have no outcome yet."""
        return [r for r in self.study.running() if r.kind == kind and (rung is None or r.rung == rung)]

    @property
    def rungs(self) -> int:
        """Number of planned rungs."""
        return len(self.study.plan.rungs) if self.study.plan else 0

    def tried(self, rung: int) -> list[Point]:
        """Configurations that a rung was asked for, in the order of asking; a repeated one several times."""
        return [point_of(request) for request in self.asked("search", rung)]

    def finished(self, rung: int) -> list[Trial]:
        """Search trials of a rung that trained the whole cycle."""
        return [trial for trial in self.study.came_back(self.asked("search", rung)) if trial.is_whole]

    # -- what was learned -------------------------------------------------------------------------------------------

    @cached_property
    def surface(self) -> Surface | None:
        """What the cycles so far say about any configuration; None before the first result."""
        trials = self._weighed
        usual = self._usual_noise(trials)
        seen = [
            Seen(point_of(t.request), t.request.rung, self.yardstick.worth(t.value), self._noise(t.value) or usual)
            for t in trials
        ]
        return Surface.of(seen, self.brief.space) if any(trial.is_whole for trial in trials) else None

    @cached_property
    def _weighed(self) -> list[Trial]:
        """The best search trials of the highest rungs that have results, as many as are worth the computing time."""
        found = [trial for rung in reversed(range(self.rungs)) for trial in self._best(rung)]
        return found[: WEIGHED_RUNGS * MOST_SEEN]

    def _best(self, rung: int) -> list[Trial]:
        """The best trials of a rung, the best first."""
        ranked = self.study.ranked(rung)
        best = ranked[: -MOST_SEEN - 1 : -1] if self.yardstick.higher_is_better else ranked[:MOST_SEEN]
        return [self.study.trial(trial_id) for _, trial_id in best]

    def latest(self, below: int) -> tuple[int, Point] | None:
        """The highest rung under ``below`` with a complete cycle, and its best configuration; None if there is none."""
        found = ((rung, self.leader(rung)) for rung in reversed(range(below)))
        return next(((rung, leader) for rung, leader in found if leader is not None), None)

    def leader(self, rung: int) -> Point | None:
        """The best configuration of a rung so far; None before its first complete cycle.

        One with which, or with a lower peak, a cycle went wrong counts only if there is no other.
        """
        if rung not in self._leaders:
            self._leaders[rung] = self._leader(rung)
        return self._leaders[rung]

    @cached_property
    def _leaders(self) -> dict[int, Point | None]:
        return {}

    def _leader(self, rung: int) -> Point | None:
        every = list(dict.fromkeys(point_of(trial.request) for trial in self._best(rung) if trial.is_whole))
        if not every or self.surface is None:
            return None
        points = [point for point in every if not self._is_risky(point)] or every
        return points[int(np.argmax(self.surface.mean(points, rung)))]

    def knows_by_heart(self, rung: int, point: Point) -> bool:
        """Whether cycles with this configuration end with next to no training loss, and a validation loss.

        A longer cycle then has nothing to learn from: at best it is as good.
        """
        pairs = [
            (trial.outcome.train_loss, trial.outcome.validation_loss)
            for trial in self.finished(rung)
            if point_of(trial.request) == point
        ]
        shares = [train / held for train, held in pairs if train is not None and held is not None and held > 0.0]
        return bool(shares) and float(np.median(shares)) < BY_HEART

    def _is_risky(self, point: Point) -> bool:
        return point.max_lr * (1.0 + SAME_RATE) >= self._cliffs.get(point.setting, math.inf)

    @cached_property
    def _cliffs(self) -> dict[Hyperparameters, float]:
        """The lowest peak with which a search trial went wrong, by setting."""
        found: dict[Hyperparameters, float] = {}
        for trial in self.study.wrong[-MOST_WRONG:]:
            point = point_of(trial.request)
            found[point.setting] = min(point.max_lr, found.get(point.setting, math.inf))
        return found

    def _noise(self, value: float) -> float:
        """Standard error of a value from the number of items, also for one of 0 or 1; 0 where it is unknown."""
        items = self.yardstick.items
        return self.yardstick.standard_error((value * items + 1.0) / (items + 2.0)) if items else 0.0

    def _usual_noise(self, trials: Sequence[Trial]) -> float:
        """A guess at the noise of a metric without items: a share of how far complete cycles lie apart."""
        worth = np.array([self.yardstick.worth(trial.value) for trial in trials if trial.is_whole])
        apart = float(np.median(worth.max() - worth)) if len(worth) else 0.0
        return NOISE_SHARE * apart or 1e-6

    # -- a request --------------------------------------------------------------------------------------------------

    def request(
        self, purpose: Purpose, work: Work, params: Hyperparameters, deadline: float, rung: int = -1
    ) -> TrialRequest:
        """The next request, with a new id and a new seed."""
        return TrialRequest(
            trial_id=next_id(self.study, purpose),
            attempt=1,
            purpose=purpose,
            work=work,
            params=params,
            schedule=self.brief.schedule,
            seed=next_seed(self.study, self.brief),
            deadline=deadline,
            rung=rung,
            precision=self.precision,
        )

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass."""
        return self.study.opened.measured.precision

    def searched(self, params: Hyperparameters) -> dict[str, float]:
        """The values of the searched parameters, clamped to their ranges."""
        values: dict[str, float] = {}
        for name, dimension in self.brief.space.items():
            low, high = bounds(dimension, 0.0)
            values[name] = min(max(getattr(params, name), low), high)
        return values


def next_id(study: Study, purpose: Purpose) -> str:
    """The id of the next trial of a study."""
    return f"{len(study.requests):04d}-{purpose.kind}"


def next_seed(study: Study, brief: Brief) -> int:
    """The seed of the next trial of a study, derived from the number of trials asked for so far."""
    return int(np.random.SeedSequence([brief.seed, len(study.requests)]).generate_state(1)[0])


def point_of(request: TrialRequest) -> Point:
    """The configuration that a trial trains."""
    return Point(request.own_params, request.cycle.max_lr)
