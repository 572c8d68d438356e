"""One command for all: its commands, their examples, and what they do not import."""

from __future__ import annotations

import builtins
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from superconv_tune.commands.main import app
from superconv_tune.lr.lr_range import HALF_LIFE_SHARE

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]
EXAMPLE = re.compile(r"^ +superconv-tune (?P<words>.+?)(?: {2,}.*)?$", re.MULTILINE)
# What takes a noticeable part of half a second to import; Typer itself imports pydantic.
SLOW = ("numpy", "yaml", "rich", "torch", "ray", "mlflow", "optuna", "sqlalchemy", "scipy", "sklearn")


def module_of(command: str) -> str:
    return command.replace("-", "_")


def test_every_module_that_is_run_with_m_is_a_command() -> None:
    shims = {file.stem for file in Path("superconv_tune").glob("*.py")} - {"__init__"}
    assert shims == set(map(module_of, COMMANDS))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_that_are_parsed(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], terminal_width=200).output
    examples = [shlex.split(match["words"]) for match in EXAMPLE.finditer(shown)]
    assert len(examples) >= 2
    for name, *words in examples:
        assert name == command
        found = GROUP.get_command(typer.Context(GROUP), name)  # type: ignore[attr-defined]
        found.make_context(name, words).close()  # checks names, numbers and choices, and runs nothing


def test_help_imports_nothing_slow() -> None:
    """Of all commands in one process, because starting one takes longer than what is tried here."""
    code = f"""
import sys
from superconv_tune.commands.main import main
for words in ([], *{[[name] for name in COMMANDS]!r}):
    sys.argv = ["superconv-tune", *words, "--help"]
    try:
        main()
    except SystemExit:
        pass
print(*({set(SLOW)!r} & sys.modules.keys()), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("Examples:") == 1 + len(COMMANDS)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(("command", "module"), [("report", "study.render"), ("verify", "study.verification")])
def test_a_command_that_is_interrupted_while_it_imports_says_so(
    command: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def interrupted(name: str, *arguments: Any, **options: Any) -> Any:
        if name == f"superconv_tune.{module}":
            raise KeyboardInterrupt
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    done = CliRunner().invoke(app, [command, "mine"])
    assert done.exit_code == 130
    assert "interrupted; the same command begins again." in done.output


def test_the_short_way_and_the_long_way_are_the_same_function() -> None:
    for command in COMMANDS:
        module = importlib.import_module(f"superconv_tune.commands.{module_of(command)}")
        assert GROUP.commands[command].callback.__wrapped__ is getattr(module, module_of(command))  # type: ignore[attr-defined]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_in_a_shell(shell: str) -> None:
    environment = {"_SUPERCONV_TUNE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "superconv-tune ra"}
    environment |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "COMP_WORDS": "superconv-tune ra", "COMP_CWORD": "1"}
    done = CliRunner().invoke(app, env=environment, prog_name="superconv-tune")
    assert "range-test" in done.output
    assert "verify" not in done.output


def test_the_default_that_help_names_is_the_one() -> None:
    shown = CliRunner().invoke(app, ["range-test", "--help"], terminal_width=200).output
    assert f"Default: {HALF_LIFE_SHARE}." in shown


@pytest.mark.parametrize("number", ["inf", "nan"])
@pytest.mark.parametrize(
    "option",
    [
        "train --epochs",
        "train --max-lr",
        *(f"range-test --{name}" for name in ["epochs", "low", "high", "smooth", "probe-epochs"]),
    ],
)
def test_no_option_takes_a_number_that_is_not_finite(option: str, number: str) -> None:
    done = CliRunner().invoke(app, [*option.split(), number])
    assert done.exit_code == 2
    assert f"Invalid value for '{option.split()[1]}'" in done.output


def test_the_function_for_python_keeps_its_name() -> None:
    with pytest.raises(ImportError, match="is a function"):
        importlib.import_module("superconv_tune.search")
