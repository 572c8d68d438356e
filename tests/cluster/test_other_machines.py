"""A machine of the cluster whose clock is ten minutes ahead trains as any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.servers import nodes
from benchmarks.servers.nodes import ROOT

AHEAD_S = 600.0
# Python reads a file of this name at its start: all that the processes of one node see of the time is wrong.
WRONG_CLOCK = f"""
import time
right = time.time
time.time = lambda: right() + {AHEAD_S}
"""

# In a process of its own: Ray's libraries warn at their import. Under another name, so that no node is on its machine.
DRIVER = """
import json, platform, sys, time
platform.node = lambda: "the machine of the driver"
from superconv_tune.cluster.connection import cluster
from superconv_tune.cluster.driver import Resources, run, slots
from superconv_tune.cluster.machines import other_machines
from superconv_tune.cluster.worker import Setting
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import portable
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.spec.load import load_spec

class Conductor:
    '''Hands out two trials to each of two workers, which have a minute, and writes down how they end.'''
    left, ended = 4, []
    def next(self):
        if not self.left:
            return Signal.DONE if len(self.ended) == 4 else Signal.WAIT
        self.left -= 1
        return TrialRequest(
            str(self.left), 1, Probe(0.05), Cycle(0.05), params=Hyperparameters(cycle_epochs=3.0), schedule=Schedule(),
            seed=0, deadline=time.time() + 60.0,
        )
    def observe(self, outcome):
        self.ended.append(outcome.status)
    def lost(self, trial_id, reason):
        self.ended.append(reason)
    def resized(self, workers):
        pass
    def should_stop(self):
        return False

payload, _ = prepare(load_spec(None, {}))
with cluster(sys.argv[1]):
    machines = other_machines()
    offsets = {machine.node: machine.offset_s for machine in machines}
    setting = Setting(portable(payload), None, "spill", 1, offsets if sys.argv[2] == "measured" else {})
    run(Conductor(), setting, Resources(), slots(Resources()))
print(json.dumps([sorted(machine.ahead_s for machine in machines), Conductor.ended]))
"""


@pytest.mark.ray
@pytest.mark.timeout(500)
@pytest.mark.parametrize("offsets", ["measured", pytest.param("heard", marks=pytest.mark.slow)])
def test_a_wrong_clock_is_seen_and_costs_no_trial(tmp_path: Path, offsets: str) -> None:
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "sitecustomize.py").write_text(WRONG_CLOCK, encoding="utf-8")
    wrong = {"PYTHONPATH": f"{tmp_path / 'wrong'}:{ROOT}"}
    with nodes.cluster(tmp_path, (1, 1), {1: wrong}) as cluster:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, cluster.gcs, offsets],
            env=os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    ahead, ended = json.loads(done.stdout.splitlines()[-1])
    assert ahead == pytest.approx([0.0, AHEAD_S], abs=1.0)
    assert ended == ["finished"] * 4
