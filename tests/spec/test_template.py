"""The file to begin with: it runs as it is, it is the shipped one, and it overwrites nothing."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from superconv_tune.commands.search import app
from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.template import CODE, SCHEMA, SPEC, write_task
from superconv_tune.study.question import ready


def test_what_is_written_runs_as_it_is(tmp_path: Path) -> None:
    code, spec = write_task(tmp_path / "my_problem.py")
    assert (code.name, spec.name) == ("my_problem.py", "my_problem.yaml")
    assert len(code.read_text(encoding="utf-8").splitlines()) < 40
    loaded = load_spec(spec, {})
    assert loaded.name == "my_problem"
    question = ready(loaded)
    assert question.card.classes == 2
    assert question.measured.step_s


def test_an_editor_finds_the_schema_of_what_is_written(tmp_path: Path) -> None:
    _, spec = write_task(tmp_path / "my_problem.py")
    first, *_ = spec.read_text(encoding="utf-8").splitlines()
    assert Path(first.removeprefix("# yaml-language-server: $schema=")).samefile(SCHEMA)


def test_it_is_the_shipped_one() -> None:
    shipped = Path("search_spaces")
    assert CODE.read_text(encoding="utf-8") == (shipped / "own_problem.py").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8").splitlines() for path in (SPEC, shipped / "own_problem.yaml")]
    assert texts[0][1:] == texts[1][1:]  # the first line names the schema, by its place beside the file


def test_what_was_measured_on_the_shipped_one_is_not_said_of_another(tmp_path: Path) -> None:
    code, spec = write_task(tmp_path / "my_problem.py")
    for file in (code, spec):
        text = file.read_text(encoding="utf-8")
        assert "Measured" not in text
        assert "own_problem" not in text


@pytest.mark.parametrize("existing", ["my_problem.py", "my_problem.yaml"])
def test_nothing_is_overwritten(existing: str, tmp_path: Path) -> None:
    (tmp_path / existing).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=f"{existing} exists"):
        write_task(tmp_path / "my_problem.py")
    assert [file.name for file in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "said"), [("my_problem", "Python file"), ("1.py", "Python file"), ("no/a.py", "no folder")]
)
def test_a_name_that_cannot_be_used(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        write_task(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_command_that_is_printed_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    (tmp_path / "my files").mkdir()
    done = CliRunner().invoke(app, ["--new-task", str(tmp_path / "my files" / "mine.py")])
    assert shlex.split(done.output.splitlines()[-1]) == [
        "python", "-m", "superconv_tune.search", str(tmp_path / "my files" / "mine.yaml"),
    ]  # fmt: skip
