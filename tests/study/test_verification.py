"""The confirmation of a study once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.study.verification import FILE, Repetition, Verification
from tests.study.conftest import Workplace


def test_a_seed_of_the_study_gives_the_same_and_fresh_ones_agree(finished: Workplace) -> None:
    verification = Verification("done", finished.output, None)
    first, *fresh = list(verification.repetitions(2))
    assert not first.is_fresh
    assert first.test == first.recorded
    assert [repetition.is_fresh for repetition in fresh] == [True, True]
    assert len({first.seed, *(repetition.seed for repetition in fresh)}) == 3
    agreement = verification.judge([first, *fresh])
    verification.write(agreement)
    assert agreement.agrees
    assert agreement.same_seed == 0.0
    assert agreement.low <= agreement.difference <= agreement.high
    written = json.loads((finished.folder / "runs" / "done" / FILE).read_text(encoding="utf-8"))
    assert written["fresh"] == [repetition.test for repetition in fresh]


def test_other_data_have_nothing_to_repeat(finished: Workplace) -> None:
    (finished.folder / "seed").write_text("1", encoding="utf-8")
    try:
        with pytest.raises(UserError, match="have changed since the search"):
            Verification("done", finished.output, None)
    finally:
        (finished.folder / "seed").write_text("0", encoding="utf-8")


def test_changed_code_is_verified_only_where_the_user_accepts_it(finished: Workplace) -> None:
    text = finished.task.read_text(encoding="utf-8")
    finished.task.write_text(f"{text}\n# a word more\n", encoding="utf-8")
    try:
        with pytest.raises(UserError, match=r"'done' is no longer what it was: clouds\.py has changed"):
            Verification("done", finished.output, None)
        verification = Verification("done", finished.output, None, accept_changes=True)
        agreement = verification.judge(list(verification.repetitions(2)))
        verification.write(agreement)
    finally:
        finished.task.write_text(text, encoding="utf-8")
    assert agreement.changes == ("clouds.py has changed",)
    written = json.loads((finished.folder / "runs" / "done" / FILE).read_text(encoding="utf-8"))
    assert written["changes"] == ["clouds.py has changed"]


def test_without_confirmed_models_there_is_nothing_to_compare_with(workplace: Workplace) -> None:
    (workplace.folder / "interrupt").touch()
    workplace.begin("cut")
    with pytest.raises(UserError, match="0 confirmed models"):
        Verification("cut", workplace.output, None)


def test_a_verdict_is_written_where_only_the_journal_is_here(finished: Workplace, tmp_path: Path) -> None:
    """As on another machine, with the journal in a database server."""
    storage = f"sqlite:///{finished.folder / 'runs' / 'studies.db'}"
    verification = Verification("done", str(tmp_path / "here"), storage)
    repeated = [Repetition(number, is_fresh=number > 0, test=0.9, recorded=0.9) for number in range(3)]
    verification.write(verification.judge(repeated))
    assert (tmp_path / "here" / "done" / FILE).exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(
    finished: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    storage = f"sqlite:///{finished.folder / 'runs' / 'studies.db'}"
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        Verification("done", str(tmp_path / "file"), storage)
