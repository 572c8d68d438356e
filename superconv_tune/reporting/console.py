"""What the terminal shows while a search runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from superconv_tune.core.errors import one_line
from superconv_tune.core.words import number, percent
from superconv_tune.record.events import Closed
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, Trial, TrialRequest
from superconv_tune.reporting.in_place import InPlace, in_notebook
from superconv_tune.reporting.sentences import ending_words
from superconv_tune.reporting.trial_words import what, why
from superconv_tune.verdict.statistics import LEVEL, wilson
from superconv_tune.verdict.verdict import Target, Verdict

EVENTS_SHOWN = 4
RUNNING_SHOWN = 4
REFRESHES_PER_S = 4.0

# Failures of the machine or of the code; a divergence or a deadline is an ordinary result.
FAILED: frozenset[Status] = frozenset({"oom", "preempted", "data_error", "code_error"})

# Why a search ends, by the reason in the journal.
ENDS = {
    "decided": "the question is decided",
    "exhausted": "nothing that could change the answer fits into the time left",
    "deadline": "the deadline is reached",
    "interrupted": "interrupted",
}

# What a phase is for, by its name.
PHASES = {
    "range test": "which learning rates the first cycles try",
    "fits": "families that are fitted in seconds, such as trees",
    "search": "complete cycles, short ones first, the learning rate bracketed at every length",
    "confirmation": "fresh models of one recipe, for the verdict",
    "scaling": "the recipe at other lengths and on less data",
    "baselines": "the recipe with other learning-rate policies",
    "report": "the verdict and the files",
}


@dataclass(frozen=True)
class Snapshot:
    """What the panel shows; replaced as a whole, so that the drawing thread never sees part of an update.

    Attributes:
        phase: name of the present phase, and what it is for.
        limit_s: seconds from the command to the deadline.
        deadline: Unix time of the deadline; None until it is known.
        done: number of trials that have ended.
        running: number of trials that are running.
        failed: number of trials that failed.
        trials: what the running trials train and why, in words.
        best: best metric so far, in words.
        ending: what the verdict would be now, in words.
        events: the latest events, in words.
    """

    phase: str = "starting"
    limit_s: float = 0.0
    deadline: float | None = None
    done: int = 0
    running: int = 0
    failed: int = 0
    trials: tuple[str, ...] = ()
    best: str = "none yet"
    ending: str = ""
    events: tuple[str, ...] = ()


class LiveView:
    """One compact panel on a terminal or in a notebook; a line per noteworthy event elsewhere.

    Use as a context manager, and call `update` from one thread after every event. The panel redraws itself, so that the
    time left is current between events; leaving the context, even by an exception, restores the terminal.

    Args:
        console: where it is shown.
        clock: Unix time in seconds.
        question: what the study asks, in one line.
        target: metric, direction and value of the question.
        judge: the verdict on a study as it is; asked after each trial that may change it. None shows none.
        items: number of validation items, if the metric is a mean over them; outcomes say what groups are worth.
        verbose: print a line for every trial that ended, and no panel on a terminal, where it would be drawn over the
            prompt of a debugger.
    """

    def __init__(  # noqa: PLR0913 - the last three are for whoever has them
        self,
        console: Console,
        clock: Callable[[], float],
        question: str,
        target: Target,
        *,
        judge: Callable[[Study], Verdict] | None = None,
        items: int | None = None,
        verbose: bool = False,
    ) -> None:
        self._console = console
        self._clock = clock
        self._question = one_line(question)
        self._target = target
        self._judge = judge
        self._items = items
        self._verbose = verbose
        is_in_place = in_notebook() and not console.quiet
        self._has_panel = (console.is_terminal or is_in_place) and not verbose
        self._snapshot = Snapshot()
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._seen: set[tuple[str, int]] = set()
        self._best: float | None = None
        self._best_items: float | None = None
        self._failed = 0
        self._phase = ""
        unconfirmed = Verdict(None if target.value is None else "undecided", None, None)
        self._ending = "" if judge is None else ending_words(unconfirmed, target, models=0)
        self._judged = (0, 0)  # number of recipes, and of trials that bear on the verdict
        self._reasons: dict[tuple[str, int], str] = {}
        self._shown: set[str] = set()
        self._live: Live | InPlace = (
            InPlace(self._panel)
            if is_in_place
            else Live(get_renderable=self._panel, console=console, refresh_per_second=REFRESHES_PER_S, transient=True)
        )

    def __enter__(self) -> Self:
        if self._has_panel:
            self._live.start(refresh=True)
        else:
            self._print(self._question)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def update(self, study: Study, phase: str) -> None:
        """Show what happened since the last call; takes time only for new events."""
        fresh = self._fresh(study)
        news = [event for trial in fresh if (event := self._learn(trial))]
        marks = [
            words for mark in study.opened.measured.landmarks if self._is_new(words := f"{mark.kind}: {mark.words}")
        ]
        if self._snapshot.deadline is not None:
            news += marks
        elif fresh:
            news = [f"{len(fresh)} trials are already done"]  # a resumed study does not repeat its old events
        if phase != self._phase:
            self._phase = phase
            news.insert(0, f"phase: {_phase_words(phase)}")
        if (ending := self._ending_words(study)) != self._ending:
            self._ending = ending
            news += [] if self._has_panel else [f"if it ended now: {ending}"]  # the panel has a row for it
        if study.closed is not None and self._is_new(closing := f"no further trials: {_end(study.closed)}"):
            news.append(closing)
        for event in news:
            self._add_event(event, study.deadline)
        self._snapshot = Snapshot(
            phase=_phase_words(phase),
            limit_s=study.budget_s,
            deadline=study.deadline,
            done=len(study.outcomes),
            running=len(study.requests) - len(study.outcomes),
            failed=self._failed,
            trials=self._running(study),
            best=self._best_words(),
            ending=self._ending,
            events=tuple(self._events),
        )
        if isinstance(self._live, InPlace):
            self._live.refresh()

    def _running(self, study: Study) -> tuple[str, ...]:
        """What runs now and why; the reason is as it was when a trial was asked for."""
        running = study.running()
        for request in running:
            key = (request.trial_id, request.attempt)
            if key not in self._reasons:
                self._reasons[key] = self._reason(study, request)
        keys = [(request.trial_id, request.attempt) for request in running]
        self._reasons = {key: self._reasons[key] for key in keys}
        shown = [self._reasons[key] for key in keys[:RUNNING_SHOWN]]
        more = len(running) - len(shown)
        return (*shown, *([f"and {more} more"] if more else []))

    def _reason(self, study: Study, request: TrialRequest) -> str:
        reason = why(study, request, higher_is_better=self._target.yardstick.higher_is_better)
        return f"{reason} ({trained})" if (trained := what(request)) else reason

    def _ending_words(self, study: Study) -> str:
        """What the verdict would be now; computed only when a trial has ended that may change it."""
        if self._judge is None:
            return ""
        bearing = study.came_back([*study.asked("confirm").values(), *study.asked("scaling").values()])
        seen = (len(study.recipes), len(bearing))
        if seen == self._judged:
            return self._ending
        self._judged = seen
        return ending_words(self._judge(study), self._target, len(study.fresh_models()))

    def _fresh(self, study: Study) -> list[Trial]:
        """Trials with outcomes not seen before, in order; they are the last of ``study.outcomes``."""
        fresh: list[Trial] = []
        for outcome in reversed(study.outcomes.values()):
            attempt = (outcome.trial_id, outcome.attempt)
            if attempt in self._seen:
                break
            self._seen.add(attempt)
            fresh.append(Trial(study.requests[outcome.trial_id], outcome))
        return fresh[::-1]

    def _learn(self, trial: Trial) -> str | None:
        """Take in one outcome; returns a sentence about it, or None if it is not noteworthy."""
        request, outcome = trial.request, trial.outcome
        if outcome.status in FAILED:
            self._failed += 1
            event = f"{outcome.status}: {outcome.reason or 'no reason given'}"
            return event if self._is_new(event) else None
        if request.kind == "confirm" and outcome.test is not None:
            return f"fresh seed {request.seed}: {self._metric(outcome.test)} on the test part"
        if request.kind in ("search", "fit") and outcome.validation is not None and self._improves(outcome.validation):
            self._best, self._best_items = outcome.validation, outcome.validation_worth or self._items
            return f"best so far: {self._metric(outcome.validation)} {_how(trial)}"
        return f"{request.trial_id}: {outcome.status} {outcome.reason}".rstrip() if self._verbose else None

    def _improves(self, value: float) -> bool:
        return self._best is None or self._target.yardstick.is_better(value, self._best)

    def _metric(self, value: float) -> str:
        return f"{self._target.metric} {number(value)}"

    def _best_words(self) -> str:
        target = "" if self._target.value is None else f", target {number(self._target.value)}"
        if self._best is None:
            return f"none yet{target}"
        within = ""
        if self._best_items:
            low, high = wilson(self._best, self._best_items, LEVEL)
            within = f" ({percent(LEVEL)} interval {number(low)} to {number(high)})"
        return f"{self._metric(self._best)}{within} on validation{target}"

    def _is_new(self, event: str) -> bool:
        """Whether this event was not shown before: of a hundred equal failures only the first is shown."""
        new = event not in self._shown
        self._shown.add(event)
        return new

    def _add_event(self, event: str, deadline: float) -> None:
        line = f"{clock_words(deadline - self._clock())} left  {one_line(event)}"
        self._events.append(line)
        if not self._has_panel:
            self._print(line)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True, emoji=False)

    def _panel(self) -> RenderableType:
        seen = self._snapshot
        left = "not known yet"
        if seen.deadline is not None:
            left = f"{clock_words(seen.deadline - self._clock())} of {clock_words(seen.limit_s)}"
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim")
        facts.add_column()
        facts.add_row("time left", Text(left, style="bold"))
        facts.add_row("phase", Text(one_line(seen.phase)))
        facts.add_row("trials", _counts(seen))
        facts.add_row("running", Text("\n".join(map(one_line, seen.trials)) or "none"))
        facts.add_row("best so far", Text(one_line(seen.best)))
        if seen.ending:
            facts.add_row("if it ended now", Text(one_line(seen.ending)))
        events = Text("\n".join(seen.events), style="dim", no_wrap=True, overflow="ellipsis")
        body: RenderableType = Group(facts, events) if seen.events else facts
        return Panel(body, title=Text(self._question, no_wrap=True, overflow="ellipsis"), title_align="left")


def _how(trial: Trial) -> str:
    """How a trial came to its value."""
    request, outcome = trial.request, trial.outcome
    of = f" of {request.family}" if request.family else ""
    shortened = ", shortened to end in time" if outcome.shortened else ""
    return f"by a fit{of}" if request.kind == "fit" else f"after {number(outcome.epochs)} epochs{of}{shortened}"


def _phase_words(phase: str) -> str:
    return f"{phase} ({PHASES[phase]})" if phase in PHASES else phase


def _end(closed: Closed) -> str:
    """Why a search ended, in words."""
    return ENDS.get(closed.reason, closed.reason)


def _counts(seen: Snapshot) -> Text:
    counts = Text(f"{seen.done} done, {seen.running} running")
    return counts.append(f", {seen.failed} failed", style="red") if seen.failed else counts


def clock_words(seconds: float) -> str:
    """``9:05`` or ``1:02:03``; never below zero."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
