"""The journal and Optuna's study on a real PostgreSQL server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.servers.postgresql import Server
from superconv_tune.core.errors import UserError
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.journal.journal import Journal
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.events import Closed, Observed, Requested
from superconv_tune.record.purpose import Sampled
from superconv_tune.record.study import Study
from superconv_tune.study.places import places
from tests.journal.test_journal import EVENTS, OPENED, OUTCOME, REQUEST, kill_after, writer

SPACE: SearchSpace = {"weight_decay": Interval(1e-5, 1e-2, log=True), "batch_size": Choice((32, 64))}


@pytest.fixture
def url(postgresql: Server, tmp_path: Path) -> str:
    """As the program writes it: with the driver."""
    return places(tmp_path, "mine", postgresql.database(), None).storage.reveal()


def proposer(url: str) -> Proposer:
    return Proposer(url, "mine", SPACE, "max", "tpe", seed=1, expected_trials=20)


def test_every_event_comes_back_as_it_was(url: str) -> None:
    with Journal(url) as journal:
        for event in EVENTS:
            journal.append("mine", event)
        journal.append("other", OPENED)
    with Journal(url) as again:
        assert again.events("mine") == EVENTS
        assert again.names() == ["other", "mine"]
        with pytest.raises(UserError, match="'mine' exists") as refused:
            again.append("mine", OPENED)
    assert "***" in str(refused.value)


def test_drivers_that_start_at_once_race_for_the_tables_and_lose_nothing(url: str) -> None:
    processes = [writer(url, study) for study in ("a", "b", "c")]
    stored = [kill_after(process, appended=20) for process in processes]
    with Journal(url) as journal:
        for study, count in zip("abc", stored, strict=True):
            written = [event.at for event in journal.events(study) if isinstance(event, Closed)]
            assert written == list(map(float, range(len(written))))
            assert count <= len(written) <= count + 1  # at most the one that was killed on its way back


def test_a_server_that_restarts_between_two_trials_is_found_again(postgresql: Server, url: str) -> None:
    with Journal(url) as journal:
        journal.append("mine", OPENED)
        postgresql.stop()
        try:
            with pytest.raises(UserError, match="--resume mine") as lost:
                journal.append("mine", EVENTS[-1])
        finally:
            postgresql.start()
        assert postgresql.password not in str(lost.value)
        journal.append("mine", EVENTS[-1])
        assert journal.events("mine") == [OPENED, EVENTS[-1]]


def test_a_wrong_password_is_told_without_it(postgresql: Server, url: str) -> None:
    wrong = url.replace(postgresql.encoded, "guessed-it")
    with pytest.raises(UserError, match="authentication failed") as refused:
        Journal(wrong)
    assert "guessed-it" not in str(refused.value)
    assert "***" in str(refused.value)


def test_optuna_goes_on_in_the_same_database_where_a_driver_left_it(url: str) -> None:
    """A proposal that was never handed out fails; an outcome that was journalled and not told is told."""
    first = proposer(url)
    told, lost, untold = (first.ask("rung0").proposal for _ in range(3))
    first.tell(told, replace(OUTCOME, status="finished", objective=0.9))
    first.close()

    study = Study(OPENED)
    request = replace(REQUEST, trial_id="0003-search", purpose=Sampled(untold, 0.1))
    outcome = replace(OUTCOME, trial_id="0003-search", status="finished", objective=0.7)
    study.apply(Requested(3.0, request))
    study.apply(Observed(4.0, outcome))
    second = proposer(url)
    second.reconcile(study)
    fourth = second.ask("rung0").proposal
    assert (told.number, lost.number, untold.number, fourth.number) == (0, 1, 2, 3)
    states = {trial.number: (trial.state.name, trial.value) for trial in second._rungs["rung0"].get_trials()}
    assert states == {0: ("COMPLETE", 0.9), 1: ("FAIL", None), 2: ("COMPLETE", 0.7), 3: ("RUNNING", None)}
    second.close()
