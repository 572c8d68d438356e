"""The recorded models on more and less data, and what verdicts say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.more_data.__main__ import LIBRARY, REPORT, TABLE
from benchmarks.more_data.judge import Question, answers, questions, table_of
from benchmarks.more_data.record import Cell, trained, wanted
from benchmarks.more_data.report import write_library
from benchmarks.more_data.tasks import TASKS
from benchmarks.rows import read
from superconv_tune.core.bits import unpack


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return list(questions(table_of(read(TABLE))))


def test_the_committed_library_is_what_the_recorded_models_say(asked: list[Question], tmp_path: Path) -> None:
    write_library(asked, tmp_path / "library.csv")
    assert (tmp_path / "library.csv").read_text(encoding="utf-8") == LIBRARY.read_text(encoding="utf-8")


def test_intervals_without_the_data_set_hold_as_often_as_they_say(asked: list[Question]) -> None:
    """Eighty to ninety-seven per cent, for every factor."""
    found = answers(asked)
    for times in (2.0, 4.0, 8.0):
        right = [each.is_right for each in found if each.question.times == times]
        assert len(right) >= 40
        assert 0.8 <= np.mean(right) <= 0.97
    assert 0.8 <= np.mean([each.knows_times for each in found]) <= 0.97
    page = REPORT.read_text(encoding="utf-8")
    assert f"| all | {len(found)} | {np.mean([each.is_right for each in found]):.2f} |" in page


def test_what_is_recorded_is_not_wanted_again(tmp_path: Path) -> None:
    known = {Cell.of(row) for row in read(TABLE)}
    lost = Cell("digits-sgd", 3, True, 1)
    assert lost in known
    assert list(wanted(known - {lost}, ["digits-sgd"], tmp_path)) == [lost]
    assert set(TASKS) >= {cell.task for cell in known}


@pytest.mark.slow
def test_a_model_trained_again_is_right_on_the_same_items(tmp_path: Path) -> None:
    (row,) = [row for row in read(TABLE) if Cell.of(row) == Cell("digits-sgd", 2, True, 0)]
    again = trained(Cell.of(row), tmp_path)
    assert again[:6] == [row["task"], 2, 1, 0, int(row["items"]), int(row["steps"])]
    then, now = unpack(row["correct"], int(row["judged"])), unpack(str(again[-1]), int(str(again[-2])))
    assert (then == now).mean() > 0.98  # another processor may round differently
