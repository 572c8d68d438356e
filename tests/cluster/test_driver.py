"""The driver on a real local Ray, with a conductor that follows a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.servers.nodes import ROOT

# In a process of its own: Ray's libraries warn at their import, and a test's process is to end clean.
SCRIPT = """
import sys
from superconv_tune.cluster.connection import cluster
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
        elif places.slots == 1:
            raise StorageError("the disk is full")
        return Signal.WAIT

Half = Resources(cpus_per_trial=0.5)
places = Places()
payload, _ = prepare(load_spec(None, {}))
setting = Setting(payload, StudyHandle(Address("sqlite:///" + sys.argv[1] + "/none.db"), "0", "none"), sys.argv[1], 1)
with cluster(None):
    try:
        run(Watch(), setting, Half, places)
    except StorageError as error:
        print(f"came out: {error}")
"""


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_worker_that_has_to_leave_frees_its_place_and_an_error_of_the_conductor_comes_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith(("held", "came out"))]
    assert said[-3:] == ["held 1", "held 0.5", "came out: the disk is full"]
