"""Paths as people write them in options and specs.

From the trackers: OPM/opm-simulators issue 5063, drush-ops/drush issue 649 and rpminspect/rpminspect issue 22 (an
option ``--output=~/x``, which no shell expands, made a folder called ~).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.spec.files import expanded
from superconv_tune.spec.load import load_spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a working folder beside it."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "home" / "fast"))
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.mark.parametrize("written", ["~/fast/x", "$HOME/fast/x", "${HOME}/fast/x", "$SCRATCH/x", "~/$NAME/x"])
def test_users_and_variables_are_replaced(written: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "fast")
    assert expanded(written) == expanded(Path(written)) == home / "fast" / "x"


@pytest.mark.parametrize("written", ["runs", "/data/a b", "a~b", "./~", "costs $5", "100%", "a$", "x/~/y"])
def test_all_other_paths_stay_as_they_are(written: str) -> None:
    assert str(expanded(written)) == str(Path(written))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$NOT_SET/runs", "the variable $NOT_SET is not set"),
        ("${NOT_SET}/runs", "the variable ${NOT_SET} is not set"),
        ("~no_such_user/runs", "there is no user 'no_such_user'"),
    ],
)
def test_what_does_not_exist_is_told_instead_of_made(written: str, said: str) -> None:
    with pytest.raises(UserError) as told:
        expanded(written)
    assert said in str(told.value)


def test_a_file_that_is_called_so_is_meant() -> None:
    Path("$NOT_SET.csv").touch()
    assert expanded("$NOT_SET.csv") == Path("$NOT_SET.csv")


def test_options_and_keys_take_the_same(home: Path) -> None:
    (home / "points.csv").write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 20, encoding="utf-8")
    for name in ("~/points.csv", "$HOME/points.csv"):
        (home / "q.yaml").write_text(f"name: q\ndata: {{path: '{name}'}}\noutput: ~/studies\n", encoding="utf-8")
        by_key = load_spec(Path("~/q.yaml"), {})
        by_option = load_spec(None, {"data.path": name, "output": "$HOME/studies"})
        assert by_key.data is not None
        assert by_option.data is not None
        assert by_key.data.path == by_option.data.path == str(home / "points.csv")
        assert by_key.output == by_option.output == str(home / "studies")


def test_data_on_the_nodes_of_a_cluster_are_not_looked_for_in_this_home() -> None:
    Path("q.yaml").write_text("name: q\ndata: {format: npz, path: x.npz}\n", encoding="utf-8")
    asked = load_spec(Path("q.yaml"), {"data.path": "~/points.npz"}, data_elsewhere=True)
    assert asked.data is not None
    assert asked.data.path == "~/points.npz"
