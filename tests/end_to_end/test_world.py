"""The worker's world is the driver's: what works in only one of them ends a search before its time is spent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Start

pytestmark = pytest.mark.ray

# Holds its file as HDF5 does: a second process that opens it is refused (tomgoldstein/loss-landscape issue 4).
LOCKED = """
import fcntl
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task

HELD = open("points.npz", "rb")
fcntl.flock(HELD, fcntl.LOCK_EX | fcntl.LOCK_NB)

def task():
    data = np.load("points.npz")
    return Task((data["x"], data["y"]), lambda: nn.Linear(2, 2))
"""
SPEC = "name: mine\ntask: {factory: 'mine.py:task'}\nbudget: 5m\n"


def test_what_works_in_the_driver_only_is_found_before_anything_is_stored(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LOCKED, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(SPEC, encoding="utf-8")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "points.npz", x=rng.normal(size=(400, 2)).astype(np.float32), y=rng.integers(0, 2, 400))
    running = start("search", "mine.yaml", "--name", "it", RAY_ADDRESS="http://127.0.0.1:1")
    _, errors = running.communicate(timeout=280)
    assert running.returncode == 2, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "What works in this process fails in that of a worker: factory" in line
    assert "BlockingIOError" in line
    assert "mine.py, line 8" in line
    assert "Traceback" not in errors
    assert not (tmp_path / "runs" / "it").exists()
