"""Work beside the trials stays on the driver's machine, which has what was prepared for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.servers import nodes
from benchmarks.servers.nodes import ROOT

# In a process of its own: Ray's libraries warn at their import.
DRIVER = """
import sys
from superconv_tune.cluster.beside import beside
from superconv_tune.cluster.connection import cluster
import ray  # last: our rooms set it up first
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

class Busy:
    def node(self):
        return ray.get_runtime_context().get_node_id()

with cluster(sys.argv[1]):
    here = ray.get_runtime_context().get_node_id()
    # All cores of this node are a trial's, so that Ray would look for another one.
    only_here = NodeAffinitySchedulingStrategy(here, soft=False)
    busy = ray.remote(Busy).options(num_cpus=1, scheduling_strategy=only_here).remote()
    assert ray.get(busy.node.remote()) == here
    looks = [beside(lambda: ray.get_runtime_context().get_node_id(), "lost") for _ in range(4)]
    print([look(60.0) == here for look in looks])
"""


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_it_runs_where_the_driver_is_though_another_node_is_free(tmp_path: Path) -> None:
    with nodes.cluster(tmp_path, (1, 1)) as cluster:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, cluster.gcs],
            env=os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[True, True, True, True]"
