"""What is wrong is told in one message, with exit code 2, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.data import cache
from tests.end_to_end.conftest import Start
from tests.problems.test_bad_questions import CASES, written
from tests.samples import photos


def refused(start: Start, tmp_path: Path, *arguments: str) -> str:
    process = start("search", *arguments)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
    return err


def test_help_has_examples_and_answers_without_torch(start: Start) -> None:
    out, _ = start("search", "--help").communicate(timeout=30)
    assert "superconv-tune search --resume NAME" in out
    assert "130" in out


def test_a_target_in_percent_is_asked_back(start: Start, spec: Path, tmp_path: Path) -> None:
    assert "0.94" in refused(start, tmp_path, str(spec), "--target", "94")


def test_all_errors_of_a_file_come_at_once(start: Start, spec: Path, tmp_path: Path) -> None:
    spec.write_text(spec.read_text().replace("model:", "modell:").replace("0.4}", "1.4}"), encoding="utf-8")
    err = refused(start, tmp_path, str(spec))
    assert "modell" in err
    assert "split.test" in err


def test_a_missing_file_is_named(start: Start, tmp_path: Path) -> None:
    assert "nothing.yaml" in refused(start, tmp_path, "nothing.yaml")


def test_a_model_that_does_not_fit_is_found_before_anything_starts(start: Start, spec: Path, tmp_path: Path) -> None:
    spec.write_text(spec.read_text().replace("{name: mlp, width: 0.25}", "cnn1d"), encoding="utf-8")
    assert "cnn1d" in refused(start, tmp_path, str(spec))


@pytest.mark.parametrize("name", ["it raises", "NaN at once"])
def test_a_user_s_file_that_does_not_work(name: str, start: Start, tmp_path: Path) -> None:
    """A few of the corpus, through the command line; all of it stands in test_bad_questions."""
    case = CASES[name]
    err = refused(start, tmp_path, str(written(case, tmp_path)))
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for words in case.said:
        assert words in err


def test_resume_of_nothing(start: Start, tmp_path: Path) -> None:
    assert "no study 'no-such'" in refused(start, tmp_path, "--resume", "no-such")


@pytest.mark.parametrize("option", [("--target", "0.9"), ("--name", "other"), ("--dry-run",)])
def test_what_belongs_to_a_new_search_does_not_go_with_resume(
    start: Start, tmp_path: Path, option: tuple[str, ...]
) -> None:
    assert f"but got {option[0]} too" in refused(start, tmp_path, "--resume", "no-such", *option)


def test_a_folder_without_classes_is_told_and_nothing_is_kept(start: Start, tmp_path: Path) -> None:
    photos(tmp_path / "up" / "photos", per_class=5)
    err = refused(start, tmp_path, "--data", str(tmp_path / "up"))
    assert "one class folder only: photos" in err
    assert "ant, bee, cat" in err
    assert not list(cache.place().glob("*"))


def test_what_was_read_is_said_before_the_plan(start: Start, tmp_path: Path) -> None:
    photos(tmp_path / "photos", per_class=40)
    (tmp_path / "photos" / "ant" / "0.png").write_bytes(b"")
    process = start("search", "--data", str(tmp_path / "photos"), "--dry-run")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    first, *others = out.partition("Budget")[0].splitlines()
    assert first.startswith("data: image_folder ")
    assert "119 images of 3 classes, colour" in first
    assert any(line.startswith("warning: 1 of 120 files left out: 1 empty") for line in others)
