"""What the cycles of a search have taught about its configurations, whatever the time is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.surface import SAME_RATE, Point, Seen, Surface
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial, TrialRequest
from superconv_tune.verdict.outlook import inside, slope_between

MOST_SEEN = 80  # best trials of a rung that are weighed; more would cost computing time and say little
MOST_LOOKED_AT = 800  # trials of a rung among which they are found: those that went wrong may come first
MOST_WRONG = 200  # latest trials that went wrong, of which the peaks are avoided
WEIGHED_RUNGS = 3  # of so many trials, that are weighed together
RUN_AWAY = 0.6  # training loss, as a share of the validation loss, below which it runs away from it
RISING = 0.15  # fall of the log odds of an error per log(length), from which longer cycles still gain much
NOISE_SHARE = 0.1  # of how far values lie apart: the noise of one of them, where it cannot be known


@dataclass(frozen=True)
class Learned:
    """What is known of the configurations that a network was trained with.

    Attributes:
        study: the study so far.
        brief: what the user asked for.
    """

    study: Study
    brief: Brief

    @cached_property
    def yardstick(self) -> Yardstick:
        """The metric on the validation part, as a yardstick."""
        return yardstick_of(self.study, self.brief)

    @property
    def rungs(self) -> int:
        """Number of planned rungs."""
        return len(self.study.plan.rungs) if self.study.plan else 0

    def finished(self, rung: int) -> list[Trial]:
        """Search trials of a rung that trained the whole cycle."""
        return [trial for trial in self.study.came_back(self.study.asked("search", rung).values()) if trial.is_whole]

    @cached_property
    def surface(self) -> Surface | None:
        """What the cycles so far say about any configuration; None before the first result."""
        trials = self._weighed
        usual = self._usual_noise(trials)
        seen = [
            Seen(point_of(t.request), t.request.rung, self._worth(t), self._noise(t.value) or usual) for t in trials
        ]
        return Surface.of(seen, self.brief.space) if any(trial.is_whole for trial in trials) else None

    @cached_property
    def _weighed(self) -> list[Trial]:
        """The best search trials of the highest rungs that have results, as many as are worth the computing time."""
        found = [trial for rung in reversed(range(self.rungs)) for trial in self._best(rung)]
        return found[: WEIGHED_RUNGS * MOST_SEEN]

    def _best(self, rung: int) -> list[Trial]:
        """The best trials of a rung, the best first, and after them those that went wrong, as many as are looked at."""
        ranked = self.study.ranked(rung)
        whole, wrong = list[Trial](), list[Trial]()
        for _, trial_id in islice(reversed(ranked) if self.yardstick.higher_is_better else ranked, MOST_LOOKED_AT):
            trial = self.study.trial(trial_id)
            (wrong if trial.went_wrong else whole).append(trial)
            if len(whole) == MOST_SEEN:
                break
        return [*whole, *wrong][:MOST_SEEN]

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
        every = self._whole(rung)
        return self._best_of([point for point in every if not self._is_risky(point)] or every, rung)

    def favourite(self, rung: int) -> Point | None:
        """The same as `leader`, whatever else went wrong with its peak."""
        return self._best_of(self._whole(rung), rung)

    def _whole(self, rung: int) -> list[Point]:
        """The configurations of complete cycles of a rung."""
        return list(dict.fromkeys(point_of(trial.request) for trial in self._best(rung) if trial.is_whole))

    def _best_of(self, points: list[Point], rung: int) -> Point | None:
        if not points or self.surface is None:
            return None
        return points[int(np.argmax(self.surface.mean(points, rung)))]

    def runs_away(self, rung: int, point: Point) -> bool:
        """Whether cycles with this configuration learn their examples much better than others, and gain little.

        Longer cycles then have little to learn from, unless the last step in length shows that they have.
        """
        pairs = [
            (trial.outcome.train_loss, trial.outcome.validation_loss)
            for trial in self.finished(rung)
            if point_of(trial.request) == point
        ]
        shares = [train / held for train, held in pairs if train is not None and held is not None and held > 0.0]
        return bool(shares) and float(np.median(shares)) < RUN_AWAY and not self._is_rising(rung, point)

    def _is_rising(self, rung: int, point: Point) -> bool:
        """Whether it makes much fewer errors than the best of the rung below, for so much longer cycles.

        Of a metric that counts no errors: whether it is better by more than the noise of a value.
        """
        below = self.latest(rung)
        if below is None or self.surface is None or point.params.cycle_epochs <= below[1].params.cycle_epochs:
            return False
        if not self.yardstick.items:
            return self.surface.expected(rung, point) - self.surface.expected(*below) > self.surface.noise
        longer, shorter = (
            (each.params.cycle_epochs, self.error(self.surface.expected(at, each)))
            for at, each in ((rung, point), below)
        )
        return slope_between(longer, shorter) > RISING

    def _worth(self, trial: Trial) -> float:
        """Worth of a trial; one that went wrong is no better than the worst complete cycle of its rung.

        It has the value of a constant guess, which a short cycle may not reach where most examples are of one class.
        """
        worth = self.yardstick.worth(trial.value)
        return min(worth, self._worst.get(trial.request.rung, worth)) if trial.went_wrong else worth

    @cached_property
    def _worst(self) -> dict[int, float]:
        """Worth of the worst complete cycle of every rung, among those that are looked at."""
        found = dict[int, float]()
        for trial in self._weighed:
            if trial.is_whole:
                worth = self.yardstick.worth(trial.value)
                found[trial.request.rung] = min(worth, found.get(trial.request.rung, worth))
        return found

    def error(self, worth: float) -> float:
        """The share of items that are wrong, of a worth."""
        value = self.yardstick.worth(worth)
        return inside(1.0 - value if self.yardstick.higher_is_better else value, self.yardstick.items)

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


def yardstick_of(study: Study, brief: Brief) -> Yardstick:
    """The metric on the validation part of a study, as a yardstick."""
    items = study.opened.measured.validation_items if brief.item_level else None
    return Yardstick(brief.target.metric, brief.target.direction, items)


def point_of(request: TrialRequest) -> Point:
    """The configuration that a trial trains."""
    return Point(request.own_params, request.cycle.max_lr)
