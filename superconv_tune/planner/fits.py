"""Families that are fitted and not trained in cycles: their defaults first, then further options while that is cheap.

A fit takes seconds where a cycle takes minutes, so these families run first. What they reach is known before the first
long cycle, and where it passes the target it is confirmed at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from superconv_tune.planner.choice import SAFELY
from superconv_tune.planner.divide import SEEDS, seeds_of
from superconv_tune.planner.evidence import replaced
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.planner.network import ATTEMPTS
from superconv_tune.planner.situation import START_S, Moment, may_be_followed, next_id, next_number, next_seed
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Confirm, Fitted, Purpose
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Fit, Trial, TrialRequest
from superconv_tune.verdict.ladder import best
from superconv_tune.verdict.verdict import demonstrating

Options = Mapping[str, object]

SHARE = 0.05  # of the worker-seconds of the whole budget, for options other than the defaults
FIRST_SHARE = 0.3  # of the time that is left, in which the fit of the defaults must have ended once a worker has begun
FIRST_TRIES = 2  # at the defaults: the first may have found a worker that was too late in starting
LONGER = 1.5  # times the longest fit of its family so far, that another one is expected to take
AROUND_S = 0.5  # seconds of a trial besides the fit

_SLOW: dict[str, object] = {"learning_rate": 0.05, "max_iter": 500, "early_stopping": True}
# Smaller steps with more trees, larger and smaller trees, and more regularisation, each of them with early stopping.
OPTIONS: Mapping[str, tuple[Options, ...]] = {
    "trees": (
        {},
        _SLOW,
        _SLOW | {"max_leaf_nodes": 8, "min_samples_leaf": 10},
        _SLOW | {"max_leaf_nodes": 15, "l2_regularization": 1.0},
        _SLOW | {"max_leaf_nodes": 63, "min_samples_leaf": 40},
        _SLOW | {"min_samples_leaf": 5, "l2_regularization": 10.0, "max_features": 0.5},
        _SLOW | {"max_leaf_nodes": 127, "min_samples_leaf": 10, "l2_regularization": 1.0, "max_features": 0.5},
        {"learning_rate": 0.02, "max_iter": 1000, "early_stopping": True, "max_leaf_nodes": 15, "max_features": 0.5},
    ),
    "linear": ({}, {"strength": 10.0}, {"strength": 100.0}, {"strength": 0.1}),
}


@dataclass(frozen=True)
class FitSteps(Moment):
    """The steps of the families that are fitted: each returns what to do next, or None."""

    @property
    def best(self) -> Trial | None:
        """The best fit so far, by the validation part, the first one of equals."""
        whole = [trial for trial in self.study.trials("fit") if trial.is_whole]
        return best(whole, self.brief.target.yardstick)

    def again(self) -> TrialRequest | None:
        """The next attempt of a fit that was lost with its worker."""
        for trial in self.study.lost():
            request = trial.request
            if isinstance(request.work, Fit) and self.study.losses[request.trial_id] < ATTEMPTS and self._has_time(0.0):
                return replace(request, attempt=request.attempt + 1, deadline=self.patient_with(self.limit - self.now))
        return None

    def defaults(self) -> TrialRequest | None:
        """The fit of a family with its default options, which was not asked for yet, or found no worker in time."""
        for name, arm in self._arms():
            is_begun = arm.running() or any(trial.outcome.status == "finished" for trial in arm.trials("fit"))
            if not is_begun and len(arm.asked("fit")) < FIRST_TRIES and self._has_time(0.0):
                deadline = self.now + START_S + FIRST_SHARE * (self.limit - self.now)
                return self._request(name, Fitted(), Fit(OPTIONS[_kind(name)][0]), min(self.limit, deadline))
        return None

    def further(self) -> TrialRequest | None:
        """A fit with other options, while all of them together take a small share of the budget."""
        if any(recipe.fit is None for recipe in self.study.recipes):
            return None
        for name, arm in self._arms():
            left = [options for options in OPTIONS[_kind(name)] if not _is_tried(arm, options)]
            seconds = self.seconds(name)
            if not left or seconds is None or not self._has_time(seconds):
                continue
            if self._spent_s() + seconds <= SHARE * self.study.worker_s(self.study.deadline):
                return self._request(name, Fitted(), Fit(left[0]), self.patient_with(seconds))
        return None

    def reached(self) -> Plan | Recipe | None:
        """The recipe, or before it the plan, of a fit that passes the target by more than noise explains.

        Where the noise is not known, the other options are tried first.
        """
        best, target, yardstick = self.best, self.brief.target.value, yardstick_of(self.study, self.brief)
        if best is None or target is None or not may_be_followed(self.study) or self.is_frozen(best):
            return None
        if yardstick.items is None and self.further() is not None:
            return None
        noise = yardstick.standard_error(best.value)
        return self.freeze(best) if self.worth(best.value) - self.worth(target) > SAFELY * noise else None

    def freeze(self, fit: Trial) -> Plan | Recipe:
        """The recipe of a fit; before it the plan, which says how many fresh ones confirm it."""
        name = fit.request.family
        if self.study.arms[name].plan is None:
            target = self.brief.target
            seeds = seeds_of(SEEDS if target.value is None else demonstrating(target), self.study.workers)
            return Plan((), seeds, (), family=name)
        return Recipe.of(fit, number=next_number(self.study))

    def is_frozen(self, fit: Trial) -> bool:
        """Whether there is a recipe of this fit."""
        return any(recipe.origin == fit.request.trial_id for recipe in self.study.recipes)

    def confirm(self) -> TrialRequest | None:
        """A fresh seed of the current recipe if it is a fit, up to the planned number and those that replace others."""
        recipe = self.study.recipe
        if recipe is None or recipe.fit is None:
            return None
        plan, asked = self.study.lead.plan, len(self.study.of_recipe("confirm"))
        seconds = self.seconds(recipe.family) or 0.0
        if plan is None or asked >= plan.confirm_seeds + replaced(self.study.lead) or not self._has_time(seconds):
            return None
        work = Fit(recipe.fit, reads_test=True)
        return self._request(recipe.family, Confirm(recipe.number), work, self.patient_with(seconds))

    def reserve_s(self) -> float:
        """Seconds on the clock that the confirmation of the best fit takes; 0 if it was asked for, or there is none."""
        best = self.best
        if best is None or self.is_frozen(best):
            return 0.0
        waves = math.ceil(seeds_of(demonstrating(self.brief.target), self.study.workers) / self.study.workers)
        return waves * (self.seconds(best.request.family) or 0.0)

    def seconds(self, family: str) -> float | None:
        """Seconds that another fit of a family is expected to take; None before one has ended whole."""
        taken = [trial.outcome.wall_s for trial in self.study.arms[family].trials() if trial.is_whole]
        return LONGER * max(taken) + AROUND_S if taken else None

    def _arms(self) -> Iterator[tuple[str, Study]]:
        return ((name, arm) for name, arm in self.study.arms.items() if arm.is_fitted)

    def _request(self, family: str, purpose: Purpose, work: Fit, deadline: float) -> TrialRequest:
        return TrialRequest(
            trial_id=next_id(self.study, purpose),
            attempt=1,
            purpose=purpose,
            work=work,
            params=self.brief.defaults,
            schedule=self.brief.schedule,
            seed=next_seed(self.study, self.brief),
            deadline=deadline,
            family=family,
        )

    def _spent_s(self) -> float:
        """Worker-seconds of all fits with other options than the defaults, those that run as predicted."""
        spent_s = 0.0
        for name, arm in self._arms():
            for trial_id, request in arm.asked("fit").items():
                outcome, is_default = arm.outcomes.get(trial_id), request.work == Fit()
                spent_s += 0.0 if is_default else outcome.wall_s if outcome else self.seconds(name) or 0.0
        return spent_s

    def _has_time(self, seconds: float) -> bool:
        return self.now + seconds < self.limit


def _is_tried(arm: Study, options: Options) -> bool:
    return any(request.work == Fit(options) for request in arm.asked("fit").values())


def _kind(family: str) -> str:
    """The family without the number by which two of a kind are told apart."""
    return family.partition(" ")[0]
