"""Addresses of files in folders of any name, as SQLAlchemy, Optuna and MLflow read them.

From the trackers: sqlalchemy/sqlalchemy issue 11234 (``?`` in a path), sqlalchemy/alembic issue 700 and
privacyidea/privacyidea issue 2661 (``%``), mlflow/mlflow pull request 19205 (the folder of an address is made, quoted).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.spec.addresses import absolute, address_of, file_of, placed

ODD = [
    "C# 100% (neu) & ü?",
    "a%20b",
    "100%",
    "what?",
    "x=1&y=2",
    "{SCHEMA_VERSION}",
    "it's",
    "a;b",
    "a:b@c",
    "[1]",
    "+ +",
]


@given(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
        lambda t: t.strip(".")
    )
)
def test_every_name_comes_back(name: str) -> None:
    file = Path("/data") / name / "studies.db"
    assert file_of(address_of(file)) == file
    assert make_url(address_of(file)).database == str(file)
    assert absolute(address_of(file)) == address_of(file)


def test_a_plain_path_is_written_as_people_write_it() -> None:
    assert address_of(Path("/data/studies.db")) == "sqlite:////data/studies.db"


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address_of(Path("x.db")) == absolute("sqlite:///x.db") == f"sqlite:///{tmp_path / 'x.db'}"
    assert placed("sqlite:///x.db") == "sqlite:///x.db"


def test_home_and_variables_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for address in ("sqlite:///~/x.db", "sqlite:///$HOME/x.db", "sqlite+pysqlite:///~/x.db"):
        assert file_of(address) == tmp_path / "x.db"
        assert make_url(placed(address)).database == str(tmp_path / "x.db")
    with pytest.raises(UserError, match="NOT_SET"):
        placed("sqlite:///$NOT_SET/x.db")


@pytest.mark.parametrize(
    "address",
    [
        "none",
        "http://localhost:5000",
        "https://me:pa$HOME~@host/x?y=1",
        "postgresql+psycopg://me:pa%24s@host:5432/studies",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:/data/x.db?mode=ro&uri=true",
        "http://host:port",
        "databricks",
    ],
)
def test_others_stay_as_they_are(address: str) -> None:
    assert file_of(address) is None
    assert placed(address) == absolute(address) == address


@pytest.mark.parametrize("name", ODD)
def test_the_journal_and_optuna_find_one_and_the_same_file(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    address = address_of(folder / "studies.db")
    with Journal(address) as journal:
        assert journal.names() == []
    Proposer(address, "none", {}, "max", "random", seed=0, expected_trials=1).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "studies.db").stat().st_size > 0
    assert all(path.name.startswith("studies.db") for path in folder.iterdir())
