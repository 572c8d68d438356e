"""The preflight's lines: what is fine, what is warned of, what ends the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from superconv_tune.core.check import Check
from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import free_memory
from superconv_tune.problems.payload import DataCard
from superconv_tune.spec.load import load_spec
from superconv_tune.study import preflight_checks
from superconv_tune.study.machine import filesystem, free_disk, is_writable, require_writable
from superconv_tune.study.places import places
from superconv_tune.study.preflight_checks import checks_of, disk_checks, looks_check, machine_checks, refuse
from superconv_tune.study.question import ready

ARRAYS = DataCard("classification", 2, (), (), (3,), 210, 45, 45, fingerprint="f1", split_digest="")
OWN = """
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task

def task(items=300, outputs=2):
    x = np.random.default_rng(0).standard_normal((items, 3)).astype("float32")
    return Task(train=(x, (x.sum(1) > 0).astype(int)), model=lambda: nn.Linear(3, outputs))
"""


def lines(folder: Path, workers: int = 2, **content: Any) -> dict[str, Check]:
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    args = {key: content.pop(key) for key in ("items", "outputs") if key in content}
    spec = {"name": "t", "task": {"factory": "own.py:task", "args": args}, **content}
    (folder / "s.json").write_text(json.dumps(spec), encoding="utf-8")
    where = places(folder, "t", "postgresql://me:se%40cret@host/db", "http://me:se%40cret@host")
    found = checks_of(ready(load_spec(folder / "s.json", {})), where, workers)
    return {check.name: check for check in found}


def test_every_part_of_a_search_has_its_line(tmp_path: Path) -> None:
    found = lines(tmp_path, target=0.9)
    assert set(found) == {
        "data", "split", "model", "smoke trial", "speed", "memory", "disk", "storage", "MLflow", "versions",
    }  # fmt: skip
    assert found["data"].found == "300 examples, 2 classes, one input [3]"
    assert "8 parameters" in found["model"].found
    assert "ms with" in found["speed"].found
    assert "torch" in found["versions"].found
    assert found["storage"].found == "postgresql+psycopg://me:***@host/db is writable"
    assert found["MLflow"].found == "http://me:***@host answers"
    assert "cret" not in str(found)


def test_looks_of_other_searches_at_the_test_part_are_warned_of() -> None:
    assert looks_check((), None, ARRAYS).state == "ok"
    seen = looks_check(("first", "second"), None, ARRAYS)
    assert seen.state == "warning"
    assert "2 other searches looked at it (first, second)" in seen.found
    assert "--fresh-ledger" in seen.mend
    anew = looks_check(("first",), "a test of the machine", ARRAYS)
    assert anew.state == "ok"
    assert "1 other search looked at it (first); not counted: a test of the machine" in anew.found


@pytest.mark.parametrize("others", [(), ("first",)])
def test_of_loaders_it_is_told_that_looks_before_a_change_of_their_file_are_not_known(others: tuple[str, ...]) -> None:
    told = "since the file of the task was changed"
    assert told in looks_check(others, None, replace(ARRAYS, kind="loader")).found
    assert told not in looks_check(others, None, ARRAYS).found


def test_a_test_part_that_cannot_demonstrate_the_target(tmp_path: Path) -> None:
    check = lines(tmp_path, items=100, target=0.99)["split"]
    assert check.state == "warning"
    assert "split.test" in check.mend
    assert lines(tmp_path, items=100, target=0.6)["split"].state == "ok"


def test_more_outputs_than_classes_are_asked_about(tmp_path: Path) -> None:
    check = lines(tmp_path, outputs=1000)["model"]
    assert check.state == "warning"
    assert "1000 outputs for 2 classes" in check.mend


def test_more_trials_than_memory(tmp_path: Path) -> None:
    if free_memory() is None:
        pytest.skip("this system does not tell its free memory")
    assert lines(tmp_path, workers=100_000)["memory"].state == "warning"


def test_a_folder_that_is_not_there_yet_is_looked_at_from_above(tmp_path: Path) -> None:
    assert is_writable(tmp_path / "a" / "b")
    assert free_disk(tmp_path / "a" / "b") > 0
    refuse(disk_checks(places(tmp_path / "a", "t", None, None)))


def test_what_failed_ends_the_command() -> None:
    checks = [
        Check("a", "fine"),
        Check("b", "is full.", "failure", "Make room."),
        Check("c", "slow", "warning", "Wait."),
    ]
    with pytest.raises(UserError) as caught:
        refuse(checks)
    assert caught.value.messages == ("b: is full. Make room.",)


MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
tmpfs /home/scratch tmpfs rw 0 0
/dev/sdb1 /mnt/my\\040disk xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/anna/runs", "nfs4"),
        ("/home/scratch/x", "tmpfs"),
        ("/home-is-elsewhere", "ext4"),
        ("/mnt/my disk/x", "xfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr("superconv_tune.study.machine.nearest_folder", lambda path: path)
    assert filesystem(Path(path), tmp_path / "mounts") == kind
    assert filesystem(Path(path), tmp_path / "no mounts") == ""


def test_sqlite_on_a_network_file_system_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_checks, "filesystem", lambda _: "nfs4")
    (check,) = preflight_checks._file_systems(places(tmp_path, "t", None, None))
    assert check.state == "warning"
    assert "studies.db is on nfs4, mlflow.db is on nfs4" in check.found
    (check,) = preflight_checks._file_systems(places(tmp_path, "t", None, "http://h:5000"))
    assert "mlflow.db" not in check.found
    assert not preflight_checks._file_systems(places(tmp_path, "t", "postgresql://h/d", "none"))
    monkeypatch.setattr(preflight_checks, "filesystem", lambda _: "ext4")
    assert not preflight_checks._file_systems(places(tmp_path, "t", None, None))


def test_a_file_of_this_machine_is_refused_where_trials_run_on_others(tmp_path: Path) -> None:
    (clocks, mlflow) = machine_checks({"node-2": 0.01}, places(tmp_path, "t", None, None))
    assert clocks.state == "ok"
    with pytest.raises(UserError, match=r"MLflow: sqlite:.*mlflow\.db is a file of this machine.*node-2"):
        refuse([mlflow])
    for uri in ("http://h:5000", "postgresql://h/mlflow", "none"):
        assert [check.name for check in machine_checks({"node-2": 0.0}, places(tmp_path, "t", None, uri))] == ["clocks"]
    assert machine_checks({}, places(tmp_path, "t", None, None)) == []


def test_clocks_that_differ_are_said(tmp_path: Path) -> None:
    clocks = {"a": 0.4, "b": 600.2, "c": -3.0, "d": None}
    (check,) = machine_checks(clocks, places(tmp_path, "t", None, "none"))
    assert check.state == "warning"
    assert check.found == "b is 600 s ahead, c is 3 s behind, d did not answer."


GROUPED = OWN.replace("items=300", "items=300, of=5").replace(", model=", ", groups=np.arange(items) // of, model=")


def test_groups_behind_the_test_part_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "OWN", GROUPED)
    plenty = lines(tmp_path, items=2000, target=0.9)["split"]
    assert (plenty.state, plenty.mend) == ("ok", "")
    assert "300 test (60 groups)" in plenty.found
    few = lines(tmp_path, items=600, target=0.9)["split"]
    assert (few.state, "(18 groups)" in few.found) == ("warning", True)
    assert "Even a perfect score on so few test groups would hardly demonstrate 0.9, which takes 36" in few.mend
    assert "So few groups say little about new ones: raise split.test" in lines(tmp_path, items=200)["split"].mend
    assert lines(tmp_path, items=600, target=1.0)["split"].state == "ok"


def test_a_folder_under_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        assert not is_writable(folder)
        with pytest.raises(UserError, match=r"--output: .*file.* cannot be written. Choose another folder"):
            require_writable(folder)
    require_writable(tmp_path / "a")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
