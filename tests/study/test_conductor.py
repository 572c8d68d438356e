"""The conductor on the real journal and the real proposer, over a simulated cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from optuna.trial import TrialState

from benchmarks.servers.postgresql import Server
from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import InProcessCluster
from superconv_tune.core.errors import StorageError, TakenOverError, UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.memory import MemoryJournal
from superconv_tune.planner.ask import Draw
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.decide import decide
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.proposer.at_random import RandomProposer
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.conductor import Signal
from superconv_tune.record.events import Closed, Event, Observed
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.study.conductor import StudyConductor
from superconv_tune.study.places import places
from tests.simulated import SPACE, WatchedConductor, Workers, World, brief, opened


def conducted(
    storage: Address | str, how: Brief, clock: VirtualClock, study: Study, journal: Journal
) -> StudyConductor:
    proposer = Proposer(storage, "simulated", SPACE, "max", "random", 0, 20, journal.options)
    proposer.reconcile(study)
    conductor = StudyConductor(study, how, journal, proposer, clock, lambda: None)
    conductor.give_up_unfinished()
    return conductor


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'studies.db'}"


def test_an_hour_is_journalled_replayed_and_resumed_without_training_twice(tmp_path: Path) -> None:
    how = brief(0.85, trials=12)
    start = opened(600.0, 2)
    clock = VirtualClock(start.started_at + 30.0)
    with Journal(f"sqlite:///{tmp_path / 'studies.db'}") as journal:
        journal.append("simulated", start)
        conductor = conducted(sqlite(tmp_path), how, clock, Study(start), journal)
        for _ in range(3):  # the driver dies with one trial running
            request = conductor.next()
            conductor.observe(World().run(request, clock.now)[0])  # type: ignore[arg-type]
        conductor.next()
        done = set(conductor.study.outcomes)

        again = Study.replay(journal.events("simulated"))
        assert set(again.outcomes) == done
        assert len(again.running()) == 1
        resumed = conducted(sqlite(tmp_path), how, clock, again, journal)
        InProcessCluster(Workers(World()), clock, 2).run(resumed)
        resumed.close()

        final = Study.replay(journal.events("simulated"))
        assert isinstance(final.closed, Closed)
        assert final.closed.reason == "decided"
        assert verdict_of(final, how).word == "demonstrated"
        attempts = [request.attempt for trial_id, request in final.requests.items() if trial_id in done]
        assert set(attempts) == {1}
        assert {request.attempt for request in final.requests.values()} == {1, 2}


def test_an_interrupted_search_asks_for_nothing_more(tmp_path: Path) -> None:
    start = opened(600.0, 2)
    clock = VirtualClock(start.started_at + 30.0)
    with Journal(f"sqlite:///{tmp_path / 'studies.db'}") as journal:
        journal.append("simulated", start)
        conductor = conducted(sqlite(tmp_path), brief(), clock, Study(start), journal)
        conductor.next()
        conductor.interrupt()
        assert conductor.should_stop()
        InProcessCluster(Workers(World()), clock, 2).run(conductor)
        conductor.close()
        final = Study.replay(journal.events("simulated"))
        assert final.closed is not None
        assert final.closed.reason == "interrupted"
        assert [outcome.status for outcome in final.outcomes.values()] == ["interrupted"]


def test_a_recipe_that_had_no_time_is_taken_up_again_when_the_search_goes_on() -> None:
    """A longer recipe follows one that fell short; the interruption leaves the first one's answer, and resuming not."""

    class Interrupting(World):
        def run(self, request: TrialRequest, now: float, slowness: float = 1.0) -> tuple[TrialOutcome, float]:
            if request.kind == "confirm" and request.recipe == 2:
                conductor.interrupt()
            return super().run(request, now, slowness)

    start, how = opened(1800.0, 2, 0.03), brief(0.9, baselines=())
    clock = VirtualClock(start.started_at + 30.0)
    conductor = WatchedConductor(start, how, clock)
    InProcessCluster(Workers(Interrupting(step_s=0.03, flattery=0.1)), clock, 2).run(conductor)
    conductor.close()
    assert [recipe.number for recipe in conductor.study.recipes] == [1, 2, 1]
    conductor.give_up_unfinished()
    assert conductor.study.recipe is not None
    assert conductor.study.recipe.number == 2


def test_a_database_that_restarts_is_waited_for_and_has_everything_once(postgresql: Server, tmp_path: Path) -> None:
    """The server is killed and away while a trial is asked for, and again while its outcome is told."""
    how, start = brief(0.85, trials=12), opened(600.0, 2)
    storage = places(tmp_path, "simulated", postgresql.database(), None).storage
    clock = VirtualClock(start.started_at + 30.0)
    with Journal(storage) as journal:
        journal.append("simulated", start)
        conductor = conducted(storage, how, clock, Study(start), journal)
        while not isinstance(request := conductor.next(), Signal) and request.proposal is None:
            conductor.observe(World().run(request, clock.now)[0])
        assert isinstance(request, TrialRequest)
        for step in (conductor.next, lambda: conductor.observe(World().run(request, clock.now)[0])):
            postgresql.stop()
            comes_back = Timer(1.5, postgresql.start)
            comes_back.start()
            step()
            comes_back.join()
        conductor.close()
        replayed = journal.events("simulated")
    assert Study.replay(replayed).outcomes == conductor.study.outcomes
    assert len(replayed) == len({repr(event) for event in replayed})
    assert isinstance(conductor._proposer, Proposer)
    conductor._proposer.close()
    again = Proposer(storage, "simulated", SPACE, "max", "random", 0, 20)
    again.reconcile(conductor.study)
    states = [trial.state for rung in again._rungs.values() for trial in rung.get_trials()]
    again.close()
    assert states.count(TrialState.COMPLETE) == 1
    assert states.count(TrialState.RUNNING) == 0


def test_a_trial_that_hung_until_its_worker_ended_is_not_asked_for_again(tmp_path: Path) -> None:
    start = opened(3600.0, 1)
    world = World(hangs=lambda request: request.kind == "search" and request.seed % 4 == 0)
    clock = VirtualClock(start.started_at + 30.0)
    with Journal(sqlite(tmp_path)) as journal:
        journal.append("simulated", start)
        conductor = conducted(sqlite(tmp_path), brief(0.85, trials=16), clock, Study(start), journal)
        InProcessCluster(Workers(world), clock, 1).run(conductor)
        hung = [trial.request for trial in conductor.study.trials("search") if trial.outcome.status == "deadline"]
        assert hung
        assert all(request.attempt == 1 for request in hung)
        assert all(request.deadline < conductor.study.deadline - 1000.0 for request in hung)
        assert verdict_of(conductor.study, brief(0.85)).word == "demonstrated"


def test_landmarks_are_recorded_once_when_they_are_there(tmp_path: Path) -> None:
    start = opened(600.0, 2)
    clock = VirtualClock(start.started_at + 30.0)
    mark = Landmark("a linear model", "floor", 0.8, "a linear model reaches 0.8.")
    answers = iter([None, None, (mark,)])
    waited = []

    def landmarks(wait_s: float) -> tuple[Landmark, ...] | None:
        waited.append(wait_s)
        return next(answers)

    with Journal(sqlite(tmp_path)) as journal:
        journal.append("simulated", start)
        proposer = Proposer(sqlite(tmp_path), "simulated", SPACE, "max", "random", 0, 20)
        conductor = StudyConductor(Study(start), brief(), journal, proposer, clock, lambda: None, landmarks)
        for _ in range(4):
            request = conductor.next()
            assert isinstance(request, TrialRequest)
            conductor.observe(World().run(request, clock.now)[0])
        assert waited == [0.0] * 3
        assert Study.replay(journal.events("simulated")).opened.measured.landmarks == (mark,)


def test_an_early_end_waits_a_little_for_the_landmarks_and_an_interruption_does_not(tmp_path: Path) -> None:
    for name, is_interrupted in (("a", False), ("b", True)):
        start = replace(opened(600.0, 2), name=name)
        waited: list[float] = []
        with Journal(sqlite(tmp_path)) as journal:
            journal.append(name, start)
            proposer = Proposer(sqlite(tmp_path), name, SPACE, "max", "random", 0, 20)
            clock = VirtualClock(start.started_at + 30.0)
            conductor = StudyConductor(Study(start), brief(), journal, proposer, clock, lambda: None, waited.append)
            if is_interrupted:
                conductor.interrupt()
            conductor.close()
        assert [wait_s > 0.0 for wait_s in waited] == [not is_interrupted]


class Failing(MemoryJournal):
    """A journal whose database can go away, or to another driver."""

    error: type[UserError] | None = None

    def append(self, study: str, event: Event, *, again: bool = False) -> None:
        if self.error is not None:
            raise self.error("gone")
        super().append(study, event, again=again)


def in_memory() -> tuple[StudyConductor, Failing, VirtualClock]:
    start = opened(600.0, 2)
    clock, journal = VirtualClock(start.started_at + 30.0), Failing()
    journal.append("simulated", start)
    return StudyConductor(Study(start), brief(), journal, RandomProposer(SPACE, 0), clock, lambda: None), journal, clock


def asked(conductor: StudyConductor) -> TrialRequest:
    request = conductor.next()
    assert isinstance(request, TrialRequest)
    return request


@pytest.mark.parametrize("ends", ["deadline", "interrupted"])
def test_once_the_search_is_over_a_database_that_is_away_holds_up_nothing(ends: str) -> None:
    conductor, journal, clock = in_memory()
    request, left = asked(conductor), asked(conductor)
    stored = len(journal.events("simulated"))
    if ends == "deadline":
        clock.now = conductor.study.deadline - 3.0
    else:
        conductor.interrupt()
    journal.error = StorageError
    conductor.observe(World().run(request, clock.now)[0])
    assert conductor.should_stop()
    assert conductor.next() is Signal.DONE
    journal.error = None  # too late: what came first would be missing
    conductor.close()
    assert len(journal.events("simulated")) == stored
    assert [type(event) for event in conductor.unstored] == [Observed, Observed, Closed]
    assert conductor.study.outcomes[request.trial_id].status == "finished"
    assert conductor.study.outcomes[left.trial_id].status == "interrupted"
    assert conductor.study.closed is not None
    assert conductor.study.closed.reason == ends
    whole = Study.replay([*journal.events("simulated"), *conductor.unstored])
    assert whole.outcomes == conductor.study.outcomes


def test_a_search_that_ends_early_is_closed_from_memory_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("superconv_tune.study.conductor.STORAGE_PATIENCE_S", -1.0)
    conductor, journal, clock = in_memory()
    journal.error = StorageError
    conductor.close()
    assert clock.now < conductor._last_moment
    assert list(conductor.unstored) == [Closed(clock.now, "exhausted")]


def test_in_the_middle_of_a_search_a_database_that_stays_away_ends_it_and_the_last_outcome_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conductor, journal, clock = in_memory()
    request = asked(conductor)
    journal.error = StorageError
    monkeypatch.setattr("superconv_tune.study.conductor.STORAGE_PATIENCE_S", -1.0)
    outcome = World().run(request, clock.now)[0]
    assert outcome is not None
    with pytest.raises(StorageError):
        conductor.observe(outcome)
    assert [event.outcome for event in conductor.unstored if isinstance(event, Observed)] == [outcome]


def test_a_trial_that_could_not_be_stored_is_not_handed_out() -> None:
    conductor, journal, clock = in_memory()
    conductor.observe(World().run(asked(conductor), clock.now)[0])
    journal.error = StorageError
    clock.now = conductor.study.deadline - conductor._brief.report_s  # nothing fits; but a plan may still be asked for
    assert conductor.next() is Signal.DONE


def test_a_driver_that_lost_the_study_forgets_the_proposal_that_it_could_not_hand_out(tmp_path: Path) -> None:
    start = opened(600.0, 2)
    clock = VirtualClock(start.started_at + 30.0)
    with Journal(sqlite(tmp_path)) as journal, Journal(sqlite(tmp_path)) as other:
        journal.append("simulated", start)
        conductor = conducted(sqlite(tmp_path), brief(0.85, trials=12), clock, Study(start), journal)
        while not isinstance(draw := decide(conductor.study, conductor._brief, clock.now), Draw):
            conductor.observe(World().run(asked(conductor), clock.now)[0])
        other.take_over("simulated")
        with pytest.raises(TakenOverError):
            conductor.next()
        assert isinstance(conductor._proposer, Proposer)
        (trial,) = conductor._proposer._rungs[draw.study].get_trials()[-1:]
        assert trial.state == TrialState.FAIL
        assert not conductor.unstored


@pytest.mark.parametrize(("stood_still", "status"), [(True, "interrupted"), (False, "deadline")])
def test_time_in_which_the_driver_stood_still_does_not_count_against_a_trial(stood_still: bool, status: str) -> None:
    conductor, _, clock = in_memory()
    request = asked(conductor)
    late = request.deadline + 20.0
    while clock.now < late:
        clock.now = late if stood_still else clock.now + 1.0
        conductor.should_stop()
    conductor.lost(request.trial_id, "the worker process ended")
    assert conductor.study.outcomes[request.trial_id].status == status
