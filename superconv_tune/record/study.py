"""A study as a fold over its events: what was asked, what came back, when it ends."""

from __future__ import annotations

from collections.abc import Iterable

from superconv_tune.record.events import Closed, Event, Frozen, Observed, Opened, Planned, Requested, Resized, Resumed
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Kind, Purpose
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import LOST, Trial, TrialOutcome, TrialRequest

Requests = dict[str, TrialRequest]


class Study:
    """The state of one study.

    Attributes:
        opened: how it began.
        deadline: Unix time by which it ends.
        workers: trials that run at once.
        plan: how the hour is divided; None until the speed is known.
        requests: the latest attempt of every trial, in the order of first asking.
        outcomes: the outcome of every trial that came back, by trial id; only of its latest attempt.
        recipes: every recipe that was frozen, the one that is confirmed now last.
        turnaround_s: seconds from asking for a trial until its outcome was here, by trial id, for each in `outcomes`.
        closed: why the driver stopped asking; None while it asks.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.deadline = opened.deadline
        self.workers = opened.workers
        self.plan: Plan | None = None
        self.requests: dict[str, TrialRequest] = {}
        self.outcomes: dict[str, TrialOutcome] = {}
        self.recipes: list[Recipe] = []
        self.turnaround_s: dict[str, float] = {}
        self.closed: Closed | None = None
        # What a decision needs of thousands of trials without a look at each, see `asked`, `running` and `lost`.
        self._asked: dict[Kind | type[Purpose], Requests] = {}
        self._asked_in_rung: dict[tuple[Kind, int], Requests] = {}
        self._running: Requests = {}
        self._lost: dict[str, None] = {}
        self._asked_at: dict[str, float] = {}

    @staticmethod
    def replay(events: Iterable[Event]) -> Study:
        """The state after all events; the first of them is `Opened`.

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
        """Take one more event in."""
        match event:
            case Requested(at=at, request=request):
                self._request(request, at)
            case Observed(at=at, outcome=outcome):
                self._observe(outcome, at)
            case Opened():
                raise ValueError("A study is opened once, but a second Opened event came.")
            case _:
                self._change(event)

    def _change(self, event: Planned | Frozen | Resumed | Resized | Closed) -> None:
        """Take in what happened to the study as a whole."""
        match event:
            case Planned(plan=plan):
                self.plan = plan
            case Frozen(recipe=recipe):
                self.recipes.append(recipe)
            case Resumed(deadline=deadline, workers=workers):
                self.deadline = deadline
                self.workers = workers
                self.closed = None
            case Resized(workers=workers):
                self.workers = workers
            case Closed():
                self.closed = event

    def trials(self, *kinds: Kind) -> list[Trial]:
        """Requests with their outcomes, of the given kinds (all if none is given), in the order of asking."""
        requests = self.asked(kinds[0]) if len(kinds) == 1 else self.requests
        return [
            Trial(request, self.outcomes[trial_id])
            for trial_id, request in requests.items()
            if trial_id in self.outcomes and (not kinds or request.kind in kinds)
        ]

    def trial(self, trial_id: str) -> Trial:
        """A trial that came back.

        Raises:
            KeyError: if it was never asked for, or has not come back.
        """
        return Trial(self.requests[trial_id], self.outcomes[trial_id])

    def came_back(self, requests: Iterable[TrialRequest]) -> list[Trial]:
        """Those of the requests that have an outcome, with it."""
        return [Trial(r, self.outcomes[r.trial_id]) for r in requests if r.trial_id in self.outcomes]

    def asked(self, kind: Kind, rung: int | None = None) -> Requests:
        """Requests of one kind, of one rung if it is given, by trial id and in the order of asking; only to be read."""
        if rung is None:
            return self._asked.get(kind, {})
        return self._asked_in_rung.get((kind, rung), {})

    def asked_for(self, purpose: type[Purpose]) -> Requests:
        """Requests of one purpose, by trial id and in the order of asking; only to be read."""
        return self._asked.get(purpose, {})

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that is confirmed now; None before one was frozen."""
        return self.recipes[-1] if self.recipes else None

    def of_recipe(self, kind: Kind) -> list[TrialRequest]:
        """Requests of a kind that train the recipe which is confirmed now, in the order of asking."""
        number = len(self.recipes)
        return [request for request in self.asked(kind).values() if request.recipe == number] if number else []

    def fresh_models(self) -> list[Trial]:
        """Fresh models of that recipe which trained the whole cycle and were judged."""
        return [trial for trial in self.came_back(self.of_recipe("confirm")) if trial.is_whole]

    def running(self) -> list[TrialRequest]:
        """Requests whose outcome has not come."""
        return list(self._running.values())

    def lost(self) -> list[Trial]:
        """Trials whose latest attempt was lost through no fault of its own."""
        return [self.trial(trial_id) for trial_id in self._lost]

    def _request(self, request: TrialRequest, at: float) -> None:
        trial_id = request.trial_id
        self._asked_at[trial_id] = at
        self.outcomes.pop(trial_id, None)
        self._lost.pop(trial_id, None)
        self.requests[trial_id] = self._running[trial_id] = request
        for key in (request.kind, type(request.purpose)):
            self._asked.setdefault(key, {})[trial_id] = request
        self._asked_in_rung.setdefault((request.kind, request.rung), {})[trial_id] = request

    def _observe(self, outcome: TrialOutcome, at: float) -> None:
        if self.requests[outcome.trial_id].attempt != outcome.attempt:
            return  # a late answer of an attempt that was already given up is not the trial's outcome
        self.outcomes[outcome.trial_id] = outcome
        self.turnaround_s[outcome.trial_id] = at - self._asked_at[outcome.trial_id]
        self._running.pop(outcome.trial_id, None)
        if outcome.status in LOST:
            self._lost[outcome.trial_id] = None
