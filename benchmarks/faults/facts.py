"""What has to be true of a search after a fault, read from its journal, from Optuna and from MLflow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import optuna
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState

from benchmarks.searching import NAME, Search, completed, lost
from superconv_tune.record.events import Event, Observed, Opened, Requested, Resumed
from superconv_tune.record.trial import LOST, TrialOutcome
from superconv_tune.study.places import places
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.series import MAX_POINTS

WORDS = ("demonstrated", "likely", "undecided", "infeasible")
LEAST_OVERRUN_S, OVERRUN_SHARE = 5.0, 0.01


@dataclass(frozen=True)
class Facts:
    """A row of the table.

    Attributes:
        before: trials completed when the fault struck.
        after: trials completed at the end.
        lost: attempts that the fault took.
        resumed: how often a new driver took over; 0 where the search went on by itself.
        twice: completed trials that were asked for again.
        runs: of MLflow, children of the study.
        repeated: steps that a series of a run has twice.
        running: runs that MLflow still calls running.
        ghosts: trials that Optuna still calls running.
        late_s: seconds from the deadline to the end of the driver; negative if there was time left.
        budget_s: seconds from the command to the deadline.
        verdict: its word.
        wrong: everything that should not be, in words.
    """

    before: int
    after: int
    lost: int
    resumed: int
    twice: int
    runs: int
    repeated: int
    running: int
    ghosts: int
    late_s: float
    budget_s: float
    verdict: str
    wrong: tuple[str, ...]


def examine(search: Search, before: list[Event], exit_code: int) -> Facts:
    """Check everything after the search has ended.

    Args:
        search: with its services up again.
        before: its journal when the fault struck.
        exit_code: of its last command.
    """
    events = search.events()
    opened = events[0]
    assert isinstance(opened, Opened)
    runs = children(search, opened)
    client = connect(opened_uri(search))
    again = trained_again(events)
    repeated = sum(repeats(client, run) for run in runs)
    running = [run.info.run_name for run in [*runs, client.get_run(opened.mlflow["run_id"])] if is_running(run)]
    ghosts = running_in_optuna(search)
    verdict = search.verdict()
    late_s, budget_s = search.ended_at - opened.deadline, opened.deadline - opened.started_at
    twice = asked_twice(events)
    checks = {
        f"the exit code is {exit_code}": exit_code == 0,
        "the journal lost events": events[: len(before)] == before,
        f"trained again: {sorted(again)}": not again,
        f"steps twice in MLflow: {repeated}": repeated == 0,
        f"running in MLflow: {running}": not running,
        f"running in Optuna: {ghosts}": not ghosts,
        "the deadline moved": all(e.deadline == opened.deadline for e in events if isinstance(e, Resumed)),
        "no verdict": verdict.get("verdict") in WORDS,
        "the verdict counts other trials": verdict.get("trials", {}).get("finished") == finished(events),
        f"{late_s:.1f} s late": late_s <= max(LEAST_OVERRUN_S, OVERRUN_SHARE * budget_s),
        f"asked for twice: {twice}": not twice,
        f"outlived the driver: {search.outlived}": not search.outlived,
        "a traceback": "Traceback" not in search.said(),
    }
    wrong = [words for words, is_right in checks.items() if not is_right]
    wrong += [words for outcome in outcomes(events) for words in missing(client, runs, outcome)]
    return Facts(
        before=len(completed(before)),
        after=len(completed(events)),
        lost=lost(events),
        resumed=sum(isinstance(e, Resumed) for e in events),
        twice=len(again),
        runs=len(runs),
        repeated=repeated,
        running=len(running),
        ghosts=len(ghosts),
        late_s=late_s,
        budget_s=budget_s,
        verdict=str(verdict.get("verdict")),
        wrong=tuple(wrong),
    )


def outcomes(events: list[Event]) -> list[TrialOutcome]:
    """Of all trials that came back."""
    return [e.outcome for e in events if isinstance(e, Observed) and e.outcome.status not in LOST]


def finished(events: list[Event]) -> int:
    """Trials that came to their end, of all kinds."""
    return sum(outcome.status == "finished" for outcome in outcomes(events))


def trained_again(events: list[Event]) -> set[str]:
    """Trials that were requested again although they had come back."""
    done: set[str] = set()
    again = set()
    for event in events:
        match event:
            case Requested(request=request) if request.trial_id in done:
                again.add(request.trial_id)
            case Observed(outcome=outcome) if outcome.status not in LOST:
                done.add(outcome.trial_id)
    return again


def asked_twice(events: list[Event]) -> list[tuple[str, int]]:
    """Attempts of trials that were handed out more than once."""
    counts = Counter((e.request.trial_id, e.request.attempt) for e in events if isinstance(e, Requested))
    return [attempt for attempt, count in counts.items() if count > 1]


def running_in_optuna(search: Search) -> list[str]:
    """Trials of the search that Optuna still has as running."""
    storage = places(search.folder / "runs", NAME, search.storage, None).storage.reveal()
    names = [name for name in optuna.get_all_study_names(storage) if name.startswith(f"{NAME}/")]
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    return [f"{s.study_name} #{t.number}" for s in studies for t in s.get_trials(states=(TrialState.RUNNING,))]


def opened_uri(search: Search) -> str:
    """Where the runs of a search are."""
    return search.tracking_uri or f"sqlite:///{search.folder / 'runs' / 'mlflow.db'}"


def children(search: Search, opened: Opened) -> list[Run]:
    """The runs of all attempts."""
    client, found, token = connect(opened_uri(search)), [], None
    where = f"tags.`mlflow.parentRunId` = '{opened.mlflow['run_id']}'"
    while True:
        page = client.search_runs([opened.mlflow["experiment_id"]], where, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def is_running(run: Run) -> bool:
    """Whether MLflow still has it as running."""
    return bool(run.info.status == "RUNNING")


def repeats(client: MlflowClient, run: Run) -> int:
    """Steps that one of the run's series has more than once."""
    histories = [client.get_metric_history(run.info.run_id, key) for key in run.data.metrics]
    counts = [Counter(point.step for point in history) for history in histories]
    return sum(number - 1 for count in counts for number in count.values())


def missing(client: MlflowClient, runs: list[Run], outcome: TrialOutcome) -> list[str]:
    """What is missing in MLflow of a trial that came back: its one valid run, or steps of the curve in it."""
    own = [run for run in runs if run.data.tags["trial_id"] == outcome.trial_id]
    whole = [
        run
        for run in own
        if int(run.data.tags["attempt"]) == outcome.attempt and run.data.tags["status"] == outcome.status
    ]
    if len(whole) != 1:
        return [f"{outcome.trial_id} has {len(whole)} runs in MLflow"]
    steps = len(client.get_metric_history(whole[0].info.run_id, "cycle/loss"))
    if steps < (outcome.steps if outcome.steps <= MAX_POINTS else MAX_POINTS // 2):
        return [f"{outcome.trial_id} has {steps} of {outcome.steps} steps in MLflow"]
    return []
