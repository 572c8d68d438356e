"""The driver on a real local Ray, with a conductor that follows a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.servers.nodes import ROOT

# In a process of its own: Ray's libraries warn at their import, and a test's process is to end clean.
SCRIPT = """
import sys
from pathlib import Path
from superconv_tune.cluster.connection import cluster
from superconv_tune.cluster.surroundings import surroundings
from superconv_tune.cluster.driver import Resources, run
from superconv_tune.cluster.worker import Setting
from superconv_tune.core.errors import StorageError
from superconv_tune.core.secrets import Address
from superconv_tune.record.conductor import Signal
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.load import load_spec
from superconv_tune.tracking.handle import StudyHandle
import ray  # last: our rooms set it up first

class Places:
    slots = 2
    def count(self, held):
        return self.slots

class Watch:
    '''Lets all nap until two workers are there, takes one place away, and ends when that is free again.'''
    held = None
    def resized(self, workers):
        pass
    def should_stop(self):
        return False
    def next(self):
        held = ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0.0)
        if held != self.held:
            print(f"held {held:g}", flush=True)
            self.held = held
        if held == 2 * Half.cpus_per_trial:
            places.slots = 1
        elif places.slots == 1 and held == Half.cpus_per_trial:
            raise StorageError("the disk is full")
        return Signal.WAIT

Half = Resources(cpus_per_trial=0.5)
places = Places()
payload, _ = prepare(load_spec(Path("mine.yaml"), {}))
setting = Setting(payload, StudyHandle(Address("sqlite:///" + sys.argv[1] + "/none.db"), "0", "none"), sys.argv[1], 1)
with surroundings(None), cluster(None):
    try:
        run(Watch(), setting, Half, places)
    except StorageError as error:
        print(f"came out: {error}")
"""


# Reads a file beside itself by a relative path, and dies where a model is made.
TASK = """
import ctypes
import numpy as np
from superconv_tune.problems.user import Task

def model():
    ctypes.string_at(0)

def task():
    data = np.load("points.npz")
    return Task((data["x"], data["y"]), model)
"""
SPEC = "{name: mine, task: {factory: 'mine.py:task'}}"

# One trial, whose worker dies of it.
DEADLY = """
import time
from pathlib import Path
from superconv_tune.cluster.connection import cluster
from superconv_tune.cluster.surroundings import surroundings
from superconv_tune.cluster.driver import Resources, run, slots
from superconv_tune.cluster.worker import Setting
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import Smoke
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.spec.load import load_spec

class Once:
    asked = is_lost = False
    def resized(self, workers):
        pass
    def should_stop(self):
        return self.is_lost
    def next(self):
        if self.asked:
            return Signal.WAIT
        self.asked = True
        return TrialRequest(
            trial_id="t1", attempt=1, purpose=Smoke(), work=Cycle(1e-4), params=Hyperparameters(cycle_epochs=1.0),
            seed=0, schedule=Schedule(), deadline=time.time() + 100.0, precision="fp32",
        )
    def lost(self, trial_id, reason):
        print(f"lost {trial_id}: {reason}", flush=True)
        self.is_lost = True

payload, _ = prepare(load_spec(Path("mine.yaml"), {}))
with surroundings(None), cluster(None):
    resources = Resources()
    run(Once(), Setting(payload, None, "spill", 1), resources, slots(resources))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a user's task and its data."""
    (tmp_path / "mine.py").write_text(TASK, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(SPEC, encoding="utf-8")
    np.savez(tmp_path / "points.npz", x=np.zeros((64, 2), np.float32), y=np.arange(64) % 2)
    return tmp_path


@pytest.mark.ray
def test_a_worker_that_dies_tells_its_last_words(home: Path) -> None:
    done = ran(DEADLY, home)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("lost")]
    assert line.startswith("lost t1: the worker ended before the trial did: its process died: Segmentation fault")
    assert f"({home / 'mine.py'}, line 7)" in line


def ran(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script, run in the folder."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_worker_that_has_to_leave_frees_its_place_and_an_error_of_the_conductor_comes_out(home: Path) -> None:
    done = ran(SCRIPT, home)
    said = [line for line in done.stdout.splitlines() if line.startswith(("held", "came out"))]
    # Ray counts late: on a busy machine the worker that leaves may be seen beside one that is about to begin.
    assert "held 1" in said
    assert said[-2:] == ["held 0.5", "came out: the disk is full"]
