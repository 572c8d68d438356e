"""What a command refuses, and what the shell is told."""

from __future__ import annotations

import errno

import pytest
import typer

from superconv_tune.core.errors import UserError
from superconv_tune.core.imports import package_version
from superconv_tune.study.exit_code import exit_code
from superconv_tune.study.refusal import (
    exit_on_user_error,
    refuse_accepting_nothing,
    refuse_changes,
    refuse_fresh_ledger,
    refuse_new_question,
    refuse_two_places,
)


def test_messages_go_to_stderr_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, exit_on_user_error():
        raise UserError(["first", "second"])
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "error: first\nerror: second\n"


@pytest.mark.parametrize(("number", "mend"), [(errno.EACCES, "who may use it"), (errno.ENAMETOOLONG, "Shorten")])
def test_what_the_machine_refuses_is_told_in_one_line(
    number: int, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, exit_on_user_error():
        raise OSError(number, "the reason", "runs/mine")
    assert ended.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: runs/mine: the reason. ")
    assert mend in said


def test_a_full_disk_names_no_file_and_another_error_is_a_fault_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit), exit_on_user_error():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (
        capsys.readouterr().err == "error: No space left on device. Make room on the disk, then repeat the command.\n"
    )
    with pytest.raises(OSError, match="bad"), exit_on_user_error():
        raise OSError(errno.EBADF, "bad")


def test_a_name_from_the_data_does_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), exit_on_user_error():
        raise UserError("data: no image of class \x1b[2J\x1b]0;title\x07 in the test part")
    assert capsys.readouterr().err.rstrip("\n").isprintable()


def test_a_resumed_study_keeps_its_question() -> None:
    refuse_new_question(None, {"output": "runs", "storage": "sqlite:///x.db"}, None, dry_run=False)
    with pytest.raises(UserError, match="but got --data, --metric too"):
        refuse_new_question(None, {"data.path": "x", "metric": "auroc"}, None, dry_run=False)


def test_a_resumed_study_has_its_name_and_no_plan() -> None:
    with pytest.raises(
        UserError, match=r"but got --name, --dry-run too.*--debug.*--on-end and --open go with --resume"
    ):
        refuse_new_question(None, {}, "other", dry_run=True)


def test_changes_are_refused_all_at_once_unless_they_are_accepted() -> None:
    refuse_changes("mine", (), accepted=False)
    refuse_changes("mine", ("net.py has changed",), accepted=True)
    with pytest.raises(UserError, match=r"net\.py has changed; torch was 1 and is 2.*--accept-changes"):
        refuse_changes("mine", ("net.py has changed", "torch was 1 and is 2"), accepted=False)


def test_there_is_nothing_to_accept_in_a_new_search() -> None:
    refuse_accepting_nothing("mine", accepted=True)
    refuse_accepting_nothing(None, accepted=False)
    with pytest.raises(UserError, match="goes with --resume"):
        refuse_accepting_nothing(None, accepted=True)


def test_debugging_on_a_cluster_is_refused() -> None:
    refuse_two_places(None, debug=True)
    refuse_two_places("auto", debug=False)
    with pytest.raises(UserError, match="--debug runs in this process"):
        refuse_two_places("auto", debug=True)


def test_a_ledger_is_begun_anew_for_a_reason_and_by_a_new_search() -> None:
    refuse_fresh_ledger(None, "mine")
    refuse_fresh_ledger("new labels", None)
    for reason, resume, said in ((" ", None, "takes the reason"), ("new labels", "mine", "begins with a new search")):
        with pytest.raises(UserError, match=said):
            refuse_fresh_ledger(reason, resume)


@pytest.mark.parametrize(
    ("verdict", "interrupted", "require", "code"),
    [
        ("infeasible", False, None, 0),
        (None, False, None, 0),
        ("likely", False, "demonstrated", 3),
        ("likely", False, "likely", 0),
        ("demonstrated", False, "likely", 0),
        ("demonstrated", True, "demonstrated", 130),
    ],
)
def test_exit_codes(verdict: str | None, interrupted: bool, require: str | None, code: int) -> None:
    assert exit_code(verdict, interrupted, require) == code


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert package_version("torch")
    assert package_version("no-such-package-of-ours") is None
