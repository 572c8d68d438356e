"""The state of a study, computed from its events: what was asked for, what returned, when it ends."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace

from superconv_tune.record.events import (
    Closed,
    Dropped,
    Event,
    Family,
    Frozen,
    Looked,
    Observed,
    Opened,
    Planned,
    Requested,
    Resized,
    Resumed,
    Surveyed,
)
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Kind
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import LOST, Trial, TrialOutcome, TrialRequest

Requests = dict[str, TrialRequest]


class Study:
    """The state of one study.

    Attributes:
        opened: the event with which it began, with the landmarks that were found since.
        deadline: Unix time in seconds by which it ends.
        workers: number of trials that can run at once.
        plan: the division of the time budget; None until the speed is known.
        requests: the latest attempt of every trial, in the order of first asking.
        outcomes: outcome of the latest attempt of every trial that returned one, by trial id.
        recipes: every recipe that was frozen; the last one is the current one.
        looks: when its fresh models were judged on the test part.
        wrong: search trials that ended in a way that is evidence against their parameters, in the order of ending.
        losses: how often a trial was lost with its worker, by trial id; that a driver ended is not its fault.
        asked_at: Unix time in seconds of the request for the latest attempt, by trial id.
        turnaround_s: seconds from the request to the outcome, by trial id, for each trial in `outcomes`.
        closed: the event that ended it; None while the search goes on.
        surveyed_at: Unix time in seconds at which floors and ceilings were found; minus infinity before.
        seen_at: Unix time in seconds of the latest event, also of one that concerns other families.
        paused_s: seconds between the latest event of a driver and the command that resumed the study, all together.
        environment: what it is made of now: that of `opened`, until the user accepted a change.
        changes: every change of code, versions or device that the user accepted when the study was resumed.
        family: the family that this is the study of, where several compete; None for a whole study.
        arms: the study of each of several families, by its name, with the events that concern it; empty for a single
            network.
        is_dropped: whether the family lagged behind, and goes no further.
    """

    def __init__(self, opened: Opened, family: Family | None = None, whole: Study | None = None) -> None:
        self.opened = opened
        self.family = family
        self._whole = whole
        self.is_dropped = False
        self.arms: dict[str, Study] = {}
        if family is None:
            self.arms = {
                each.name: Study(replace(opened, measured=each.measured), each, self) for each in opened.families
            }
        self.deadline = opened.deadline
        self.workers = opened.workers
        self.plan: Plan | None = None
        self.requests: dict[str, TrialRequest] = {}
        self.outcomes: dict[str, TrialOutcome] = {}
        self.recipes: list[Recipe] = []
        self.losses: Counter[str] = Counter()
        self.looks: list[Looked] = []
        self.asked_at: dict[str, float] = {}
        self.turnaround_s: dict[str, float] = {}
        self.closed: Closed | None = None
        self.surveyed_at = -math.inf
        self.seen_at = opened.started_at
        self.paused_s = 0.0
        self.environment = opened.environment
        self.changes: tuple[str, ...] = ()
        # Indices for `asked`, `running` and `lost`, so that a decision need not go through thousands of trials.
        self._asked: dict[Kind, Requests] = {}
        self._asked_in_rung: dict[tuple[Kind, int], Requests] = {}
        self._running: Requests = {}
        self._lost: dict[str, None] = {}
        self._ranked: dict[int, list[tuple[float, str]]] = {}
        self.wrong: list[Trial] = []
        # Worker-seconds until there were as many workers as now, and since when that is so.
        self._worker_s, self._since = 0.0, opened.started_at

    @staticmethod
    def replay(events: Iterable[Event]) -> Study:
        """The state after all events, the first of which is `Opened`.

        Raises:
            ValueError: if there is no event, or the first is not `Opened`.
        """
        rest = iter(events)
        first = next(rest, None)
        if not isinstance(first, Opened):
            raise ValueError(f"A study begins with an Opened event, but got {first!r}.")
        study = Study(first)
        for event in rest:
            study.apply(event)
        return study

    def apply(self, event: Event) -> None:
        """Update the state with one more event."""
        for arm in self._arms_of(event):
            arm.apply(event)
        match event:
            case Requested(at=at, request=request):
                self._request(request, at)
            case Observed(at=at, outcome=outcome):
                self._observe(outcome, at)
            case Dropped():
                self.is_dropped = self.family is not None
            case Opened():
                raise ValueError("A study is opened once, but got a second Opened event.")
            case _:
                self._change(event)
        for study in (self, *self.arms.values()):
            study.seen_at = max(study.seen_at, event.at)

    def _arms_of(self, event: Event) -> Iterable[Study]:
        """The studies of the families that an event concerns."""
        match event:
            case Requested(request=request):
                name = request.family
            case Observed(outcome=outcome):
                name = self.requests[outcome.trial_id].family
            case Planned(plan=Plan(family=name)) | Frozen(recipe=Recipe(family=name)) | Dropped(family=name):
                pass
            case _:
                return self.arms.values()
        return [self.arms[name]] if name in self.arms else []

    def _change(self, event: Surveyed | Planned | Frozen | Looked | Resumed | Resized | Closed) -> None:
        """Update the state with an event that concerns the study as a whole."""
        match event:
            case Surveyed(at=at, landmarks=landmarks):
                self.surveyed_at = at
                self.opened = replace(self.opened, measured=replace(self.opened.measured, landmarks=landmarks))
            case Planned(plan=plan):
                self.plan = plan
            case Frozen(recipe=recipe):
                self.recipes.append(recipe)
            case Looked():
                self.looks.append(event)
            case Resumed():
                self.deadline = event.deadline
                self._resize(event.workers, self.seen_at, max(self.seen_at, event.started_at or event.at))
                self.environment = event.environment or self.environment
                self.changes += event.changes
                self.closed = None
            case Resized(at=at, workers=workers):
                self._resize(workers, at, at)
            case Closed():
                self.closed = event

    def _resize(self, workers: int, ended_at: float, began_at: float) -> None:
        """Another number of workers from one time on, after those before were there until the other."""
        self._worker_s = self.worker_s(ended_at)
        self.paused_s += began_at - ended_at
        self.workers, self._since = workers, began_at

    def trials(self, *kinds: Kind) -> list[Trial]:
        """Requests with their outcomes, of the given kinds (all if none is given), in the order of asking."""
        requests = self.asked(kinds[0]) if len(kinds) == 1 else self.requests
        return [
            Trial(request, self.outcomes[trial_id])
            for trial_id, request in requests.items()
            if trial_id in self.outcomes and (not kinds or request.kind in kinds)
        ]

    def trial(self, trial_id: str) -> Trial:
        """The trial with this id, which has returned an outcome.

        Raises:
            KeyError: if it was never asked for, or has no outcome yet.
        """
        return Trial(self.requests[trial_id], self.outcomes[trial_id])

    def came_back(self, requests: Iterable[TrialRequest]) -> list[Trial]:
        """The trials of those requests that have an outcome."""
        return [Trial(r, self.outcomes[r.trial_id]) for r in requests if r.trial_id in self.outcomes]

    def asked(self, kind: Kind, rung: int | None = None) -> Requests:
        """Requests of one kind, optionally of one rung, by trial id in the order of asking; do not modify it."""
        if rung is None:
            return self._asked.get(kind, {})
        return self._asked_in_rung.get((kind, rung), {})

    @property
    def budget_s(self) -> float:
        """Seconds from the command to the deadline, without pauses."""
        return self.deadline - self.opened.started_at - self.paused_s

    def worker_s(self, until: float) -> float:
        """Worker-seconds from the command to a time from the latest event on, without pauses."""
        return self._worker_s + self.workers * max(0.0, until - self._since)

    @property
    def recipe(self) -> Recipe | None:
        """The current recipe; None before one was frozen."""
        return self.recipes[-1] if self.recipes else None

    def of_recipe(self, kind: Kind, number: int | None = None) -> list[TrialRequest]:
        """Requests of one kind that train a recipe, in the order of asking; without a number it is the current one."""
        if number is None and self.recipe is not None:
            number = self.recipe.number
        return [] if number is None else [r for r in self.asked(kind).values() if r.recipe == number]

    @property
    def lead(self) -> Study:
        """The study of the current recipe's family, which the answer is about; itself before a recipe was frozen."""
        return self.arms.get(self.recipe.family, self) if self.recipe else self

    @property
    def rivals(self) -> Mapping[str, Study]:
        """The studies of the other families that this one competes with, by name."""
        arms = self._whole.arms if self._whole else {}
        return {name: arm for name, arm in arms.items() if self.family is None or name != self.family.name}

    @property
    def is_fitted(self) -> bool:
        """Whether this is the study of a family that is fitted and not trained in cycles."""
        return self.family is not None and self.family.is_fitted

    def until(self, deadline: float) -> Study:
        """This study with an earlier deadline: a view of it, which later events do not reach."""
        view = copy(self)
        view.deadline = min(self.deadline, deadline)
        return view

    def fresh_models(self) -> list[Trial]:
        """Fresh models of the current recipe that trained the whole cycle and were evaluated."""
        return [trial for trial in self.came_back(self.of_recipe("confirm")) if trial.is_whole]

    def ranked(self, rung: int) -> Sequence[tuple[float, str]]:
        """Metric and id of every search trial of a rung that says something about its parameters, the lowest first.

        Those are the complete cycles, and those that went wrong; do not modify it.
        """
        return self._ranked.get(rung, ())

    def running(self) -> list[TrialRequest]:
        """Requests that have no outcome yet."""
        return list(self._running.values())

    def lost(self) -> list[Trial]:
        """Trials whose latest attempt was lost through no fault of its own."""
        return [self.trial(trial_id) for trial_id in self._lost]

    def _request(self, request: TrialRequest, at: float) -> None:
        trial_id = request.trial_id
        self.asked_at[trial_id] = at
        self.outcomes.pop(trial_id, None)
        self._lost.pop(trial_id, None)
        self.requests[trial_id] = self._running[trial_id] = request
        self._asked.setdefault(request.kind, {})[trial_id] = request
        self._asked_in_rung.setdefault((request.kind, request.rung), {})[trial_id] = request

    def _observe(self, outcome: TrialOutcome, at: float) -> None:
        if self.requests[outcome.trial_id].attempt != outcome.attempt:
            return  # a late outcome of an attempt that was given up is ignored
        self.outcomes[outcome.trial_id] = outcome
        self.turnaround_s[outcome.trial_id] = at - self.asked_at[outcome.trial_id]
        self._running.pop(outcome.trial_id, None)
        if outcome.status in LOST:
            self._lost[outcome.trial_id] = None
            self.losses[outcome.trial_id] += outcome.status == "preempted"
        trial = self.trial(outcome.trial_id)
        if trial.request.kind == "search":
            self._rank(trial)

    def _rank(self, trial: Trial) -> None:
        if trial.went_wrong:
            self.wrong.append(trial)
        if trial.is_whole or (trial.went_wrong and not trial.outcome.shortened):
            insort(self._ranked.setdefault(trial.request.rung, []), (trial.value, trial.request.trial_id))
