"""The preflight's lines: what is fine, what is warned of, what ends the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from superconv_tune.core.check import Check
from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.study.machine import free_disk, free_memory, is_writable
from superconv_tune.study.places import places
from superconv_tune.study.preflight_checks import checks_of, disk_checks, refuse
from superconv_tune.study.question import ready

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
    where = places(folder, "t", "postgresql://me:se@cret@host/db", "http://me:se@cret@host")
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
