"""Where the things of a study lie, and who says so."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address, masked
from superconv_tune.study.places import places


def test_files_below_the_root_where_nobody_says_otherwise(tmp_path: Path) -> None:
    where = places(tmp_path, "mine", None, None)
    assert where.storage.reveal() == f"sqlite:///{tmp_path}/studies.db"
    assert where.tracking_uri.reveal() == f"sqlite:///{tmp_path}/mlflow.db"
    assert where.artifact_root == tmp_path / "mlartifacts"
    assert where.folder == tmp_path / "mine"


def test_options_win_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_STORAGE", "postgresql://u:p@h/env")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    by_environment = places(tmp_path, "mine", None, None)
    assert by_environment.storage.reveal() == "postgresql+psycopg://u:p@h/env"
    assert (by_environment.tracking_uri.reveal(), by_environment.artifact_root) == ("http://env:5000", None)
    by_option = places(tmp_path, "mine", "sqlite:///x.db", "http://option:5000")
    assert (by_option.storage.reveal(), by_option.tracking_uri.reveal()) == ("sqlite:///x.db", "http://option:5000")


@pytest.mark.parametrize("name", ["../other", "/tmp/x", "a/b", ".."])
def test_a_name_does_not_lead_out_of_the_root(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--name"):
        places(tmp_path, name, None, None)


def test_the_password_comes_from_the_one_address_that_it_belongs_to(tmp_path: Path) -> None:
    where = places(tmp_path, "mine", None, "postgresql://u:se%40cret@h/mlflow")
    assert where.with_password(Address("postgresql://u:***@h/mlflow")).reveal() == "postgresql://u:se%40cret@h/mlflow"
    assert where.with_password(Address("http://elsewhere:5000")).reveal() == "http://elsewhere:5000"
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI") as refused:
        where.with_password(Address("postgresql://u:***@other/mlflow"))
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize(("root", "name"), [("runs", "mine"), ("/my runs", "it's; rm -rf *"), ("a'b", "$HOME")])
def test_a_command_can_be_pasted_into_a_shell(root: str, name: str) -> None:
    """As in amoffat/sh#756: blanks in an argument."""
    where = places(Path(root), name, None, None)
    output = [] if root == "runs" else ["--output", root]
    assert shlex.split(where.command("report")) == ["python", "-m", "superconv_tune.report", name, *output]
    resumed = shlex.split(where.command("search", "--budget", "+20m"))
    assert resumed[2:] == ["superconv_tune.search", "--resume", name, "--budget", "+20m", *output]


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ("sqlite:///my studies.db", "sqlite:///my studies.db"),
        ("postgresql://u:se%40cret@h/d", "postgresql+psycopg://u:***@h/d"),
    ],
)
def test_a_command_names_the_storage_that_it_would_not_find(tmp_path: Path, storage: str, shown: str) -> None:
    command = places(tmp_path, "mine", storage, None).command("report")
    assert shlex.split(command)[-2:] == ["--storage", shown]
    assert "cret" not in command


def test_a_command_leaves_out_the_storage_of_the_folder_and_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = f"sqlite:///{tmp_path}/studies.db"
    assert "--storage" not in places(tmp_path, "mine", usual, None).command("report")
    monkeypatch.setenv("SUPERCONV_TUNE_STORAGE", "postgresql://u:p@h/env")
    assert "--storage" not in places(tmp_path, "mine", None, None).command("report")
    # The variable would lead elsewhere.
    assert "--storage" in places(tmp_path, "mine", usual, None).command("report")


def test_an_address_whose_password_has_no_clear_end_is_refused_by_the_name_of_what_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="storage: holds a character"):
        places(tmp_path, "mine", "postgresql://u:a/b@h/d", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://admin:a/b@h:5000")
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI: holds a character"):
        places(tmp_path, "mine", None, None)


def test_the_secrets_that_libraries_read_themselves_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "q/7+of=base64")
    places(tmp_path, "mine", None, None)
    assert masked("password authentication failed for 'q/7+of=base64'") == "password authentication failed for '***'"


def test_a_storage_that_is_named_wins_over_an_environment_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_STORAGE", "postgresql://u:a/b@h/d")
    assert "--storage" in places(tmp_path, "mine", f"sqlite:///{tmp_path}/studies.db", None).command("report")
    with pytest.raises(UserError, match="SUPERCONV_TUNE_STORAGE"):
        places(tmp_path, "mine", None, None)
