"""The files and the summary of a study once more."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.study.render import render
from tests.study.conftest import Workplace

WRITTEN = ("verdict.json", "report.html", "recipe.yaml", "trials.parquet")


def test_the_files_come_back_from_the_journal_and_say_the_same(finished: Workplace) -> None:
    before, folder = finished.verdict("done"), finished.folder / "runs" / "done"
    recipe = (folder / "recipe.yaml").read_text(encoding="utf-8")
    for name in WRITTEN:
        (folder / name).unlink()
    shown = Console(file=io.StringIO(), width=200)
    render("done", finished.output, None, shown)
    assert all((folder / name).exists() for name in WRITTEN)
    assert (folder / "recipe.yaml").read_text(encoding="utf-8") == recipe
    after = finished.verdict("done")
    assert {k: v for k, v in after.items() if k != "budget"} == {k: v for k, v in before.items() if k != "budget"}
    assert shown.file.getvalue().startswith("DEMONSTRATED")  # type: ignore[attr-defined]  # it is a StringIO


def test_a_folder_that_takes_no_files_is_told_and_the_journal_is_safe(finished: Workplace, tmp_path: Path) -> None:
    folder = finished.folder / "runs" / "done"
    aside = folder.rename(folder.with_name("aside"))
    folder.write_text("a file instead of the folder", encoding="utf-8")
    try:
        with pytest.raises(UserError, match="All results are in the journal"):
            render("done", finished.output, None, Console(file=io.StringIO()))
    finally:
        folder.unlink()
        aside.rename(folder)


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no study 'done'"):
        render("done", str(tmp_path), None, Console(file=io.StringIO()))
