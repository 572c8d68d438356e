"""The competitors' loop and diary, and the tables that are made of their runs."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.peers.competitors import NAMES, PEERS, Account, Delivery, _account
from benchmarks.peers.fastai import next_length, range_test
from benchmarks.peers.questions import SPECS, Question
from benchmarks.peers.report import report
from benchmarks.peers.training import Diary, Recipe, Task, Trainer, accuracy, read_diaries
from superconv_tune.spec.spec import ExperimentSpec


def line_separated(items: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(items, 2, generator=torch.Generator().manual_seed(seed))
    return inputs, (inputs.sum(dim=1) > 0).long()


QUESTION = Question(
    train=line_separated(512, 0),
    validation=line_separated(200, 1),
    test=line_separated(300, 2),
    make_model=lambda: nn.Linear(2, 2),
    batch_sizes=(32,),
    most_epochs=5,
)


def task(folder: Path) -> Task:
    now = time.time()
    return Task("unused", now, now + 60.0, seed=1, folder=str(folder))


@pytest.mark.parametrize("one_cycle", [False, True])
def test_the_loop_learns_and_its_rate_ends_at_the_bottom(*, one_cycle: bool) -> None:
    trainer = Trainer(QUESTION, Recipe(5, 0.1, 1e-4, 32, seed=0, one_cycle=one_cycle))
    found = [validation for _, _, validation in trainer.epochs(math.inf)]
    assert len(found) == 5
    assert found[-1] > 0.95
    assert trainer.optimizer.param_groups[0]["lr"] < 1e-4


def test_the_loop_stops_at_the_deadline() -> None:
    assert list(Trainer(QUESTION, Recipe(5, 0.1, 0.0, 32, seed=0)).epochs(time.time() - 1.0)) == []


def test_an_account_follows_the_diary(tmp_path: Path) -> None:
    told, diary = task(tmp_path), Diary(str(tmp_path))
    trainer = Trainer(QUESTION, Recipe(3, 0.1, 0.0, 32, seed=0))
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.zero_()
    diary.note(1.0, 0.5, accuracy(trainer.model, QUESTION.validation), trainer.model)
    diary.note(1.0, 0.5, 0.0, trainer.model)  # worse, so that it is not kept
    for _, _, validation in trainer.epochs(math.inf):
        diary.note(1.0, 0.5, validation, trainer.model)
    entries = read_diaries(tmp_path)
    account = _account("fastai", told, QUESTION, entries, wall_s=61.0)
    assert account.single == account.delivered == account.trace[-1].test
    assert account.trace[-1].test == pytest.approx(accuracy(trainer.model, QUESTION.test), abs=0.02)
    assert [each.validation for each in account.trace] == sorted({each.validation for each in account.trace})
    assert (account.training_s, account.evaluation_s) == (10.0, 5.0)  # two threads
    assert account.idle_s == pytest.approx(2 * 60.0 - 15.0)
    assert entries[1].model is None


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    Diary(str(tmp_path)).note(1.0, 0.0)
    file = next(tmp_path.glob("diary-*.jsonl"))
    file.write_text(file.read_text() + '{"at": 1.0, "tra')
    assert len(read_diaries(tmp_path)) == 1


@pytest.mark.parametrize(
    ("last", "fitting", "expected"), [(1, 100, 2), (8, 16, 16), (8, 11, 11), (8, 8, 0), (8, 0, 0), (1, -3, 0)]
)
def test_lengths_double_while_they_fit(last: int, fitting: int, expected: int) -> None:
    assert next_length(last, fitting) == expected


def test_the_range_test_by_hand_finds_a_rate_that_trains() -> None:
    lr = range_test(Question(**{**vars(QUESTION), "train": line_separated(6400, 0)}), seed=0)
    assert 1e-5 < lr < 1.0


@pytest.mark.parametrize("name", SPECS)
def test_every_question_is_a_spec_that_our_search_takes(name: str) -> None:
    assert ExperimentSpec.model_validate(SPECS[name]).target is None


def run_of(competitor: str, repeat: int, test: float, after_s: float) -> dict[str, Any]:
    account = Account(competitor, test, test, 1, (Delivery(after_s, test, test),), 60.0, 3.0, 80.0, 10.0, 30.0, "n")
    trace = [vars(each) for each in account.trace]
    return {
        "data": "mnist1d",
        "minutes": 1.0,
        "label": "",
        "repeat": repeat,
        "place": 0,
        **vars(account),
        "trace": trace,
    }


def test_the_tables_compare_repeat_by_repeat() -> None:
    accuracies = {"ours": 0.95, "ours_half": 0.93, "ray_asha": 0.92, "fastai": 0.94, "optuna_median": 0.96}
    assert set(accuracies) == set(NAMES)
    text = report([run_of(name, repeat, test, 40.0) for name, test in accuracies.items() for repeat in range(2)])
    words = {"ray_asha": "Ray Tune", "fastai": "fastai", "optuna_median": "Optuna TPE"}
    rows = [line for line in text.splitlines() if "of 2" in line]
    row = {peer: next(line for line in rows if word in line) for peer, word in words.items()}
    assert set(row) == set(PEERS)
    assert "+3.00 (+3.00, +3.00) | 2 of 2 | 2 of 2 | 40 s, 40 s | -, -" in row["ray_asha"]
    assert "+1.00 (+1.00, +1.00) | 2 of 2 | 0 of 2 | 40 s, 40 s | -, -" in row["fastai"]
    assert "-1.00 (-1.00, -1.00) | 0 of 2 | 0 of 2 | -, - | 40 s, 40 s" in row["optuna_median"]
