"""Journals written by version 0.1.0, read by the real journal and converted to the current version."""

from __future__ import annotations

import json
import lzma
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import InProcessCluster
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.journal.journal import EVENTS, KINDS, Journal
from superconv_tune.journal.memory import MemoryJournal
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import confirmed, verdict_of
from superconv_tune.proposer.at_random import RandomProposer
from superconv_tune.record.events import Closed, Event, Frozen, Observed, Requested, Resumed
from superconv_tune.record.purpose import Baseline, Confirm, Probe, RangeTest, RunOff, Sampled, Scaling
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Ramps, TrialRequest
from superconv_tune.record.versions import KEY, VERSION, NewerVersionError, stamped, upgraded, upgraded_request
from superconv_tune.study.conductor import StudyConductor
from tests.record.story import asked_for
from tests.simulated import Workers, World, brief

JOURNALS = Path(__file__).parent.parent / "golden" / "journal_v1.json.xz"
Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Written:
    """A journal of version 0.1.0, with the results that version reported."""

    rows: list[Row]
    reported: dict[str, Any]
    name: str

    def requests(self, kind: str) -> dict[str, dict[str, Any]]:
        """The stored requests of the latest attempts, by id."""
        found = (value["request"] for name, value in self.rows if name == "Requested")
        return {request["trial_id"]: request for request in found if request["kind"] == kind}

    def searched(self, *, is_proposed: bool, is_lowest: bool) -> set[str]:
        """Ids of search trials, by the fields from which version 1 inferred their purpose."""
        return {
            trial_id
            for trial_id, request in self.requests("search").items()
            if (request["proposal"] is not None) == is_proposed and (is_proposed or (request["rung"] == 0) == is_lowest)
        }


def journals() -> dict[str, Written]:
    content = json.loads(lzma.decompress(JOURNALS.read_bytes()))
    return {key: written(reported) for key, reported in content.items()}


def written(reported: dict[str, Any]) -> Written:
    rows = [(kind, json.loads(payload)) for kind, payload in reported["events"]]
    return Written(rows, reported, rows[0][1]["name"])


def stored(path: Path, of: Written, rows: Iterable[Row]) -> str:
    """Create a database with these rows, as that version wrote them, and return its URL."""
    url = f"sqlite:///{path}"
    Journal(url).close()
    with sqlite3.connect(path) as database:
        database.executemany(
            f"INSERT INTO {EVENTS.name} (study, kind, payload) VALUES (?, ?, ?)",
            [(of.name, kind, json.dumps(value)) for kind, value in rows],
        )
    database.close()
    return url


def through_the_journal(of: Written, folder: Path) -> list[Event]:
    with Journal(stored(folder / "studies.db", of, of.rows)) as journal:
        return journal.events(of.name)


def through_upgraded(of: Written, folder: Path) -> list[Event]:
    return [decode(KINDS[kind], value) for kind, value in upgraded(of.rows)]


READERS = pytest.mark.parametrize("read", [through_the_journal, through_upgraded])


@READERS
def test_a_simulated_search_keeps_its_verdict_and_recipes(tmp_path: Path, read: Any) -> None:
    of = journals()["simulated"]
    study, reported = Study.replay(read(of, tmp_path)), of.reported
    verdict = verdict_of(study, brief(0.99, seed=3))
    assert verdict.estimate is not None
    assert verdict.word == reported["word"]
    assert verdict.probability is not None
    # 0.1.0 cut off what follows a steep step in length, and had another library.
    assert reported["probability"] <= verdict.probability <= 0.1
    assert verdict.estimate.value == reported["estimate"]
    assert [recipe.number for recipe in study.recipes] == list(range(1, reported["recipes"] + 1))
    assert study.recipes[-1].max_lr == reported["recipe_max_lr"]
    assert len(study.of_recipe("confirm")) == reported["confirm"]
    assert len(study.of_recipe("scaling")) == reported["scaling"]


@READERS
def test_a_search_on_digits_has_the_verdict_of_its_file(tmp_path: Path, read: Any) -> None:
    of = journals()["digits"]
    study, reported = Study.replay(read(of, tmp_path)), of.reported["verdict"]
    verdict = verdict_of(study, brief(reported["question"]["target"]))
    assert verdict.estimate is not None
    assert (verdict.word, verdict.probability) == (reported["verdict"], reported["probability"])
    estimate = {name: getattr(verdict.estimate, name) for name in reported["estimate"]}
    assert estimate == pytest.approx(reported["estimate"])
    (recipe,) = study.recipes
    assert recipe.origin == reported["best"]["trial"]
    assert recipe.max_lr == reported["best"]["params"]["max_lr"]
    kept = {name: value for name, value in reported["best"]["params"].items() if hasattr(recipe.params, name)}
    assert {**kept, "lr_multiplier": 1.0} == {name: getattr(recipe.params, name) for name in kept}
    trials = [(trial.request.seed, trial.outcome.validation, trial.outcome.test) for trial in confirmed(study)]
    assert trials == [(seed["seed"], seed["validation"], seed["test"]) for seed in reported["confirmation"]]


@pytest.mark.parametrize("of", journals().values(), ids=journals())
def test_every_trial_has_the_purpose_that_version_1_inferred_from_empty_fields(tmp_path: Path, of: Written) -> None:
    study = Study.replay(through_the_journal(of, tmp_path))
    assert asked_for(study, Probe).keys() == of.searched(is_proposed=False, is_lowest=True)
    assert asked_for(study, Sampled).keys() == of.searched(is_proposed=True, is_lowest=False)
    assert asked_for(study, RunOff).keys() == of.searched(is_proposed=False, is_lowest=False)
    assert asked_for(study, RangeTest).keys() == of.requests("range_test").keys()
    assert asked_for(study, Scaling).keys() == of.requests("scaling").keys()
    assert asked_for(study, Baseline).keys() == of.requests("baseline").keys()
    peaks = list(dict.fromkeys(request["pick_lr"] for request in of.requests("confirm").values()))
    for trial_id, old in of.requests("confirm").items():
        assert study.requests[trial_id].purpose == Confirm(peaks.index(old["pick_lr"]) + 1)
    for trial_id, old in of.requests("search").items():
        request = study.requests[trial_id]
        assert (request.pick_lr, request.seed, request.rung) == (old["pick_lr"], old["seed"], old["rung"])
        proposal = None if request.proposal is None else [request.proposal.study, request.proposal.number]
        assert proposal == old["proposal"]


@pytest.mark.parametrize("of", journals().values(), ids=journals())
def test_the_work_of_every_trial_is_unchanged(tmp_path: Path, of: Written) -> None:
    study = Study.replay(through_the_journal(of, tmp_path))
    for request in study.requests.values():
        old = of.requests(request.kind)[request.trial_id]
        if isinstance(request.work, Ramps):
            assert [request.work.low, request.work.high] == old["ramp"]
            assert (request.work.steps, request.work.is_centred) == (old["ramp_steps"], old["ramp_centred"])
            continue
        assert request.cycle.max_lr == old["pick_lr"] * old["params"]["lr_multiplier"]
        assert request.cycle.reads_test == (request.kind == "confirm")
        assert request.cycle.data_share == old["data_share"]


def test_a_cycle_that_began_with_a_ramp_keeps_its_peak_and_what_the_ramp_said(tmp_path: Path) -> None:
    of = journals()["digits"]
    study = Study.replay(through_the_journal(of, tmp_path))
    returned = [value["outcome"] for kind, value in of.rows if kind == "Observed"]
    ramped = {trial_id for trial_id, old in of.requests("search").items() if old["ramp"] is not None}
    seen = [outcome for outcome in returned if outcome["trial_id"] in ramped]
    assert len(seen) == 3
    for outcome in seen:
        read = study.outcomes[outcome["trial_id"]]
        assert (read.max_lr, read.range_test_s) == (outcome["max_lr"], outcome["range_test_s"])
        assert read.range_test == decode(RangeTestResult, outcome["range_test"])


def test_a_cycle_of_version_2_that_asks_for_a_ramp_is_read_without_it() -> None:
    request = TrialRequest(
        "a",
        1,
        Probe(0.1),
        Cycle(0.1, data_share=0.5),
        params=Hyperparameters(),
        schedule=Schedule(),
        seed=3,
        deadline=10.0,
    )
    event = Requested(1.0, request)
    value = stamped(encode(event))
    value["request"]["work"]["own_ramp"] = {"low": 1e-3, "high": 1.0, "steps": 40}
    ((kind, read),) = upgraded([("Requested", value)])
    assert decode(KINDS[kind], read) == event


@pytest.mark.parametrize("of", journals().values(), ids=journals())
def test_recipes_and_run_offs_refer_to_the_trial_that_they_repeat(tmp_path: Path, of: Written) -> None:
    study = Study.replay(through_the_journal(of, tmp_path))
    pairs = [(study.trial(recipe.origin), recipe.max_lr, recipe.params) for recipe in study.recipes]
    for request in asked_for(study, RunOff).values():
        assert isinstance(request.purpose, RunOff)
        first = study.trial(request.purpose.parent)
        assert first.request.rung == request.rung
        pairs.append((first, request.cycle.max_lr, request.params))
    assert len(pairs) >= 2
    for first, max_lr, params in pairs:
        assert isinstance(first.request.purpose, Sampled)
        assert first.max_lr == max_lr
        assert first.request.params.weight_decay == params.weight_decay
        assert first.request.params.base_momentum == params.base_momentum


def test_a_recipe_is_frozen_just_before_its_first_fresh_seed(tmp_path: Path) -> None:
    events = through_the_journal(journals()["simulated"], tmp_path)
    frozen = [place for place, event in enumerate(events) if isinstance(event, Frozen)]
    assert len(frozen) == 2
    for number, place in enumerate(frozen, start=1):
        following = events[place + 1]
        assert isinstance(following, Requested)
        assert following.request.purpose == Confirm(number)
        assert following.at == events[place].at


@pytest.mark.parametrize("note", ["", "The budget has room for too few cycles of even 1 epochs (9.0 s each)."])
def test_a_plan_with_a_note_becomes_a_plan_of_too_small_a_budget(tmp_path: Path, note: str) -> None:
    of = journals()["simulated"]
    place = next(place for place, (kind, _) in enumerate(of.rows) if kind == "Planned")
    planned = of.rows[place][1]
    rows = [*of.rows[:place], ("Planned", {**planned, "plan": {**planned["plan"], "note": note}})]
    with Journal(stored(tmp_path / "studies.db", of, rows)) as journal:
        plan = Study.replay(journal.events(of.name)).plan
    assert plan is not None
    assert plan.is_too_small == bool(note)
    assert plan.confirm_seeds == planned["plan"]["confirm_seeds"]


def test_a_single_request_is_converted_and_a_current_one_is_unchanged() -> None:
    for of in journals().values():
        for kind in ("range_test", "search", "confirm", "scaling", "baseline"):
            for trial_id, old in of.requests(kind).items():
                request = decode(TrialRequest, upgraded_request(old))
                assert (request.trial_id, request.kind) == (trial_id, kind)
    new = {"trial_id": "a", "purpose": {"name": "smoke"}}
    assert upgraded_request(new) is new


def cut(of: Written, at: int) -> list[Row]:
    """The rows before confirmation number ``at`` was requested, as if the driver had been killed there."""
    asked = [
        place
        for place, (kind, value) in enumerate(of.rows)
        if kind == "Requested" and value["request"]["kind"] == "confirm"
    ]
    return of.rows[: asked[at]]


def resumed(study: Study, how: Brief) -> list[Event]:
    """The events that the current driver adds to a study that was interrupted."""
    now = max(study.opened.started_at + 30.0, max(r.deadline for r in study.requests.values()))
    clock, journal, proposer = VirtualClock(now), MemoryJournal(), RandomProposer(how.space, how.seed)
    proposer.reconcile(study)
    conductor = StudyConductor(study, how, journal, proposer, clock, on_event=lambda: None)
    conductor.record(Resumed(now, now + 900.0, 4))
    conductor.give_up_unfinished()
    InProcessCluster(Workers(World()), clock, 4).run(conductor)
    conductor.close()
    return list(journal.events(study.opened.name))


@pytest.mark.parametrize("at", [0, 2, 6])
def test_an_old_search_can_be_resumed_and_read_again(tmp_path: Path, at: int) -> None:
    """Interrupted before the first fresh seed, and among the fresh seeds of the first and of the second recipe."""
    of, how = journals()["simulated"], brief(0.99, seed=3)
    rows = cut(of, at)
    with Journal(stored(tmp_path / "studies.db", of, rows)) as journal:
        before = journal.events(of.name)
        study = Study.replay(before)
        recipes = list(study.recipes)
        added = resumed(study, how)
        journal.take_over(of.name)
        for event in added:
            journal.append(of.name, event)
        after = journal.events(of.name)
    assert after == [*before, *added]
    read = Study.replay(after)
    assert read.outcomes == study.outcomes
    assert read.recipes == study.recipes
    assert [recipe.number for recipe in read.recipes] == list(range(1, len(read.recipes) + 1))
    assert read.recipes[: len(recipes)] == recipes
    assert len(confirmed(read)) >= 3
    assert verdict_of(read, how).word is not None
    assert any(isinstance(event, Observed) for event in added)


def test_every_event_is_written_with_the_version(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with Journal(f"sqlite:///{path}") as journal:
        journal.take_over("mine")
        journal.append("mine", Closed(1.0, "decided"))
    with sqlite3.connect(path) as database:
        ((payload,),) = database.execute(f"SELECT payload FROM {EVENTS.name}").fetchall()
    database.close()
    assert json.loads(payload) == {KEY: VERSION, "at": 1.0, "reason": "decided"}


def test_a_journal_of_a_newer_version_is_refused_with_one_clear_message(tmp_path: Path) -> None:
    of = journals()["digits"]
    newer = ("Closed", {"at": 1.0, "reason": "decided", "why": "a field of tomorrow", KEY: VERSION + 1})
    with pytest.raises(NewerVersionError):
        list(upgraded([*of.rows, newer]))
    with (
        Journal(stored(tmp_path / "studies.db", of, [*of.rows, newer])) as journal,
        pytest.raises(UserError) as refused,
    ):
        journal.events(of.name)
    (message,) = refused.value.messages
    assert f"Event {len(of.rows) + 1} of study '{of.name}'" in message
    assert f"version {VERSION + 1} of the journal, and this program reads up to {VERSION}" in message
    assert "Read the study with the version that wrote it" in message
    assert "Restore" not in message


def test_a_stamp_only_adds_the_version() -> None:
    assert stamped({"at": 1.0}) == {KEY: VERSION, "at": 1.0}
