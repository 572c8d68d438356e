"""Optuna behind ask and tell: what is told, what is inherited, and what a crash leaves."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from superconv_tune.core.errors import StorageError, UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.journal.journal import Journal
from superconv_tune.lr.schedule import Schedule
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.events import Event, Observed, Opened, Requested
from superconv_tune.record.purpose import Probe, Proposal, Purpose, Sampled
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Status, TrialOutcome, TrialRequest
from tests.proposer.blank import blank_storage

SPACE: SearchSpace = {
    "cycle_epochs": Interval(1.0, 30.0, log=True),
    "lr_multiplier": Interval(0.35, 2.0, log=True),
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "batch_size": Choice((64, 128, 256)),
}


class Open(Protocol):
    def __call__(self, space: SearchSpace = ..., direction: str = ..., sampler: str = ...) -> Proposer: ...


@pytest.fixture
def url(tmp_path: Path) -> str:
    return blank_storage(tmp_path / "studies.db")


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(space: SearchSpace = SPACE, direction: str = "max", sampler: str = "qmc") -> Proposer:
            made = Proposer(url, "mine", space, direction, sampler, seed=0, expected_trials=50)
            stack.callback(made.close)
            return made

        yield make


def outcome(status: Status = "finished", objective: float = 0.5, **more: object) -> TrialOutcome:
    return TrialOutcome("0001-search", 1, status, objective, **more)  # type: ignore[arg-type]


def trials(url: str, rung: str = "rung0") -> list[FrozenTrial]:
    """What Optuna has, read as the dashboard does: from the URL, by the study's name."""
    return optuna.load_study(study_name=f"mine/{rung}", storage=url).get_trials()


def in_order(made: Proposer, rung: str, values: list[float]) -> None:
    for value in values:
        made.tell(made.ask(rung, {"cycle_epochs": 3.0}).proposal, outcome(objective=value))


def test_a_finished_cycle_tells_its_raw_metric(opened: Open, url: str) -> None:
    made = opened()
    proposed = made.ask("rung0")
    made.tell(proposed.proposal, outcome(objective=0.9321))
    (trial,) = trials(url)
    assert (trial.state, trial.value, trial.params) == (TrialState.COMPLETE, 0.9321, proposed.params)
    assert trial.user_attrs == {"trial_id": "0001-search", "status": "finished"}
    assert all(value <= 0 for value in trial.constraints.values())


@pytest.mark.parametrize("status", ["diverged", "nan", "no_lr"])
def test_parameters_that_do_not_train_break_the_constraint(opened: Open, url: str, status: Status) -> None:
    made = opened()
    made.tell(made.ask("rung0").proposal, outcome(status, 0.1, reason="loss grew"))
    (trial,) = trials(url)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.1)
    assert any(value > 0 for value in trial.constraints.values())
    assert trial.user_attrs["reason"] == "loss grew"


@pytest.mark.parametrize(
    "told",
    [
        *(
            outcome(status, 0.1)
            for status in ("oom", "preempted", "data_error", "code_error", "interrupted", "deadline")
        ),
        outcome(objective=0.6, shortened=True),  # the metric of a cycle of another length
        outcome(objective=math.nan),
    ],
)
def test_what_the_parameters_are_not_to_blame_for_fails_and_teaches_nothing(
    opened: Open, url: str, told: TrialOutcome
) -> None:
    made = opened()
    made.tell(made.ask("rung0").proposal, told)
    (trial,) = trials(url)
    assert (trial.state, trial.value, trial.constraints) == (TrialState.FAIL, None, {})
    assert trial.user_attrs["status"] == told.status


def test_a_second_telling_changes_nothing(opened: Open, url: str) -> None:
    made = opened()
    proposal = made.ask("rung0").proposal
    made.tell(proposal, outcome(objective=0.7))
    made.tell(proposal, outcome("oom", 0.1))
    assert trials(url)[0].value == 0.7


def test_a_proposal_is_told_by_study_and_number_alone(opened: Open, url: str) -> None:
    assert opened().ask("rung0").proposal == Proposal("rung0", 0)
    opened().tell(Proposal("rung0", 0), outcome(objective=0.8))
    assert [(t.number, t.value) for t in trials(url)] == [(0, 0.8)]


def test_fixed_parameters_come_back_as_they_are_even_outside_the_space(opened: Open, url: str) -> None:
    choices: SearchSpace = {**SPACE, "cycle_epochs": Choice((1, 3, 10))}
    made = opened(choices)
    everything = {"cycle_epochs": 3, "lr_multiplier": 1.5, "weight_decay": 1e-4, "batch_size": 128}
    assert made.ask("rung0", everything).params == everything
    between = made.ask("rung0", {"cycle_epochs": 9.0, "seed": 1.0}).params
    assert (between["cycle_epochs"], between["seed"]) == (9.0, 1.0)
    assert between.keys() == {*SPACE, "seed"}
    assert trials(url)[1].user_attrs == {"cycle_epochs": 9.0, "seed": 1.0}


@pytest.mark.parametrize("sampler", ["auto", "tpe"])
def test_a_trial_without_one_dimension_does_not_stop_the_model(opened: Open, sampler: str) -> None:
    made = opened({**SPACE, "cycle_epochs": Choice((1, 3, 10))}, sampler=sampler)
    for number in range(9):
        made.tell(made.ask("rung0", {"cycle_epochs": 9.0}).proposal, outcome(objective=0.1 * number))
    assert made.ask("rung0").params["cycle_epochs"] in (1, 3, 10)


def test_a_sobol_start_fills_every_dimension_from_the_first_trial(opened: Open) -> None:
    made = opened(sampler="auto")
    drawn = [made.ask("rung0").params for _ in range(8)]
    for name in ("lr_multiplier", "weight_decay"):
        dimension = SPACE[name]
        assert isinstance(dimension, Interval)
        span = math.log(dimension.high / dimension.low)
        eighths = {int(8 * math.log(params[name] / dimension.low) / span) for params in drawn}
        assert eighths == set(range(8))  # a Sobol sequence has one of eight points in each eighth


def test_a_resumed_sobol_sequence_goes_on(opened: Open) -> None:
    before = [opened().ask("rung0").params["lr_multiplier"] for _ in range(4)]
    assert len(set(before)) == 4


def test_a_rung_learns_from_the_one_below_at_its_own_level(opened: Open, url: str) -> None:
    made = opened()
    in_order(made, "rung0", [0.5, 0.8, 0.7])
    made.tell(made.ask("rung0").proposal, outcome("diverged", 0.1))
    made.tell(made.ask("rung0").proposal, outcome("oom", 0.1))
    made.warm_start("rung1", "rung0")
    everything = {"cycle_epochs": 9.0, "lr_multiplier": 1.0, "weight_decay": 1e-4, "batch_size": 128}
    for value in (0.9, 0.84):  # what the two best of the rung below reach here: 0.12 more on average
        made.tell(made.ask("rung1", everything).proposal, outcome(objective=value))
    assert len(trials(url, "rung1")) == 2
    for _ in range(2):  # it is done once
        made.ask("rung1", {"cycle_epochs": 9.0})
    inherited = [t for t in trials(url, "rung1") if "inherited_from" in t.user_attrs]
    assert [t.value for t in inherited] == pytest.approx([0.62, 0.92, 0.82, 0.1])
    assert [t.params for t in inherited] == [t.params for t in trials(url)[:4]]
    assert inherited[3].constraints["did_not_train"] > 0
    assert inherited[0].user_attrs["inherited_from"] == "mine/rung0 #0"


def test_for_a_metric_to_be_low_the_best_are_the_lowest(opened: Open, url: str) -> None:
    made = opened(direction="min")
    in_order(made, "rung0", [5.0, 2.0])
    made.warm_start("rung1", "rung0")
    everything = {"cycle_epochs": 9.0, "lr_multiplier": 1.0, "weight_decay": 1e-4, "batch_size": 128}
    made.tell(made.ask("rung1", everything).proposal, outcome(objective=1.5))
    made.ask("rung1", {"cycle_epochs": 9.0})
    values = [t.value for t in trials(url, "rung1") if "inherited_from" in t.user_attrs]
    assert values == pytest.approx([4.5, 1.5])


def test_a_rung_without_a_value_of_its_own_takes_values_as_they_are(opened: Open, url: str) -> None:
    made = opened()
    in_order(made, "rung0", [0.5, 0.8])
    made.warm_start("rung1", "rung0")
    made.ask("rung1", {"cycle_epochs": 9.0})
    assert [t.value for t in trials(url, "rung1")] == [0.5, 0.8, None]


def test_an_inherited_model_is_used_at_once(opened: Open) -> None:
    made = opened({"lr_multiplier": Interval(0.1, 10.0, log=True)}, sampler="auto")
    for _ in range(9):
        proposed = made.ask("rung0")
        value = 1.0 - math.log10(proposed.params["lr_multiplier"] / 4.0) ** 2
        made.tell(proposed.proposal, outcome(objective=value))
    made.warm_start("rung1", "rung0")
    made.warm_start("rung2", "of which nobody knows")
    found = [made.ask("rung1").params["lr_multiplier"] for _ in range(2)]
    assert all(multiplier > 1.0 for multiplier in found)
    assert 0.1 <= made.ask("rung2").params["lr_multiplier"] <= 10.0


def request(trial_id: str, proposal: Proposal | None) -> TrialRequest:
    purpose: Purpose = Probe(0.1) if proposal is None else Sampled(proposal, 0.1)
    return TrialRequest(
        trial_id, 1, purpose, Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=0, deadline=1e9, rung=0
    )


def test_after_a_crash_the_journal_decides(opened: Open, url: str) -> None:
    """One database for both, as in a search: a kill between any two writes leaves nothing RUNNING for ever."""
    made = opened()
    told, untold, never_handed_out, running = (made.ask("rung0").proposal for _ in range(4))
    events: list[Event] = [
        Opened("mine", 0.0, 60.0, 2, {}),
        Requested(1.0, request("a", told)),
        Observed(2.0, TrialOutcome("a", 1, "finished", 0.6)),
        Requested(1.0, request("b", untold)),
        Observed(2.0, TrialOutcome("b", 1, "diverged", 0.1, "loss grew")),
        Requested(3.0, request("c", running)),
        Requested(3.0, request("d", None)),
    ]
    with Journal(url) as journal:
        for event in events:
            journal.append("mine", event)
        made.tell(told, outcome(objective=0.6))
        resumed = opened()
        study = Study.replay(journal.events("mine"))
        resumed.reconcile(study)
        resumed.reconcile(study)
    found = {t.number: (t.state, t.value) for t in trials(url)}
    assert found == {
        told.number: (TrialState.COMPLETE, 0.6),
        untold.number: (TrialState.COMPLETE, 0.1),
        never_handed_out.number: (TrialState.FAIL, None),
        running.number: (TrialState.RUNNING, None),
    }
    assert "before the trial was handed out" in trials(url)[never_handed_out.number].user_attrs["reason"]
    resumed.tell(running, outcome("interrupted", 0.1))
    assert all(t.state.is_finished() for t in trials(url))


def test_a_tell_that_a_crash_cut_in_two_is_told_again(opened: Open, url: str) -> None:
    proposal = opened().ask("rung0").proposal
    study = optuna.load_study(study_name="mine/rung0", storage=url)
    half = optuna.trial.Trial(study, study.trials[0]._trial_id)
    half.set_user_attr("trial_id", "0001-search")
    half.set_constraint("did_not_train", -1.0)
    opened().tell(proposal, outcome(objective=0.4))
    assert trials(url)[0].value == 0.4


def test_a_changed_space_is_refused_and_every_change_named(opened: Open) -> None:
    opened().ask("rung0")
    opened().ask("rung0")  # the same space goes on
    changed: SearchSpace = {**SPACE, "lr_multiplier": Interval(0.2, 2.0, log=True), "pct_start": Interval(0.1, 0.5)}
    with pytest.raises(UserError) as raised:
        opened(changed, direction="min")
    assert [message.split(" = ")[0].split()[-1] for message in raised.value.messages] == [
        "direction",
        "space.lr_multiplier",
        "space.pct_start",
    ]


def test_another_search_in_the_same_database_is_apart(opened: Open, url: str) -> None:
    opened().ask("rung0")
    other = Proposer(url, "min", {"pct_start": Interval(0.1, 0.5)}, "min", "random", 0, 10)  # a prefix of "mine"
    found = other.ask("rung0")
    other.close()
    assert (found.proposal.number, list(found.params)) == (0, ["pct_start"])
    assert len(trials(url)) == 1


def test_how_it_was_drawn_is_on_record(opened: Open, url: str) -> None:
    opened(sampler="tpe").ask("rung0")
    attributes = optuna.load_study(study_name="mine/rung0", storage=url).user_attrs
    assert (attributes["sampler"], attributes["seed"], attributes["direction"]) == ("tpe", 0, "max")
    assert attributes["space"]["batch_size"] == {"values": [64, 128, 256]}


def test_importance_finds_the_parameter_that_matters(opened: Open) -> None:
    made = opened(sampler="random")
    assert made.importance("rung0") == {}
    for number in range(32):
        proposed = made.ask("rung0", {"cycle_epochs": 3.0})
        value = -abs(math.log(proposed.params["lr_multiplier"]))
        made.tell(proposed.proposal, outcome(objective=value) if number % 8 else outcome("diverged", -2.0))
        if number == 10:
            assert made.importance("rung0") == {}
    shares = made.importance("rung0")
    assert max(shares, key=shares.__getitem__) == "lr_multiplier"
    assert sum(shares.values()) == pytest.approx(1.0)
    assert "cycle_epochs" not in shares  # the rung fixes it


def test_importance_says_nothing_of_equal_trials(opened: Open) -> None:
    made = opened(sampler="random")
    in_order(made, "rung0", [0.5] * 20)
    assert made.importance("rung0") == {}


def test_optuna_is_logged_and_not_printed(
    opened: Open, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="optuna"):
        opened().ask("rung0")
    assert any(record.name.startswith("optuna") for record in caplog.records)
    assert capfd.readouterr() == ("", "")


def test_a_random_walk_of_outcomes_leaves_no_trial_running(opened: Open, url: str) -> None:
    made = opened(sampler="random")
    statuses: list[Status] = ["finished", "diverged", "oom", "deadline", "nan", "code_error"]
    chance = random.Random(0)
    pending: list[Proposal] = []
    for _ in range(12):
        pending.append(made.ask("rung0").proposal)
        if len(pending) == 4:
            made.tell(pending.pop(chance.randrange(4)), outcome(chance.choice(statuses), chance.random()))
    for proposal in pending:
        made.tell(proposal, outcome("interrupted", 0.1))
    assert {t.state for t in trials(url)} == {TrialState.COMPLETE, TrialState.FAIL}


def test_a_password_is_not_repeated_when_the_database_takes_no_more(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = opened()

    def fail(*_: object, **__: object) -> None:
        raise StorageInternalError("lost") from OSError("no answer from postgresql://me:se@cret@host/db\nat all")

    monkeypatch.setattr(optuna.Study, "ask", fail)
    with pytest.raises(StorageError, match=r"no answer from postgresql://me:\*\*\*@host/db\.") as away:
        made.ask("rung0")
    assert "cret" not in str(away.value)
