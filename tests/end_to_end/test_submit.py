"""A search submitted over HTTP to a real cluster of two nodes with token authentication, seen from a client."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import SETTINGS, Start

pytestmark = [pytest.mark.ray, pytest.mark.timeout(280)]

ROOT = Path(__file__).parents[2]
READY_S = 60.0

SPEC = """
name: moons
task: {factory: "moons.py:task"}
target: 0.80
budget: 100s
trials: 4
sampler: random
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 2, high: 6, log: true}
  batch_size: [32, 64]
"""
TASK = """
import torch
from helper import points
from superconv_tune.problems.user import Task

def task():
    return Task(train=points(1200), model=lambda: torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)))
"""
HELPER = """
import numpy as np

def points(count):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, count)
    return (rng.normal(size=(count, 2)) + 2 * label[:, None]).astype("float32"), label
"""


class Cluster:
    """A head and a worker, each a process tree of its own, on the loopback and on ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(32)
        # Ray's sockets are files, and a path of pytest's would be too long for them.
        self._temp = Path(tempfile.mkdtemp(prefix="sct_"))
        gcs, http, self._folder = free_port(), free_port(), folder
        self.address = f"http://127.0.0.1:{http}"
        ports = ("--min-worker-port=0", "--max-worker-port=0", f"--dashboard-agent-listen-port={free_port()}")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("--head", f"--port={gcs}", "--dashboard-host=127.0.0.1", f"--dashboard-port={http}", *ports,
                    f"--temp-dir={self._temp / 'a'}", "--num-cpus=1")  # fmt: skip
        self._until_nodes(1)
        agent = f"--dashboard-agent-listen-port={free_port()}"
        self._start(f"--address=127.0.0.1:{gcs}", f"--temp-dir={self._temp / 'b'}", "--num-cpus=1", *ports[:2], agent)
        self._until_nodes(2)

    def close(self) -> None:
        """End both trees, and remove what they wrote."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._temp, ignore_errors=True)

    def _start(self, *options: str) -> None:
        scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
        ours = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
            "SUPERCONV_TUNE_CACHE": str(self._folder / "cache"),
            "SUPERCONV_TUNE_OUTPUT": str(self._folder / "on-the-head"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--node-ip-address=127.0.0.1"]
        with (self._folder / f"ray-{len(self._processes)}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [*command, "--disable-usage-stats", *options], env=scrubbed | ours, stdout=log, stderr=log
                )
            )

    def _until_nodes(self, count: int) -> None:
        request = urllib.request.Request(
            f"{self.address}/nodes?view=summary", headers={"Authorization": f"Bearer {self.token}"}
        )
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    nodes = json.load(answer)["data"]["summary"]
                if sum(node["raylet"].get("state") == "ALIVE" for node in nodes) >= count:
                    return
            except (OSError, KeyError, urllib.error.URLError):
                pass
            time.sleep(0.5)
        logs = "".join(path.read_text(encoding="utf-8") for path in self._folder.glob("ray-*.log"))
        raise AssertionError(f"{count} nodes were not there after {READY_S:g} s: {logs}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def question(tmp_path: Path) -> Path:
    """A spec, the user's own problem and a module beside it, on the laptop."""
    for name, text in {"moons.yaml": SPEC, "moons.py": TASK, "helper.py": HELPER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "moons.yaml"


def test_a_search_is_submitted_followed_and_fetched_and_without_the_token_refused(
    start: Start, question: Path, cluster: Cluster, tmp_path: Path
) -> None:
    where = ("--address", cluster.address, "--name", "it")
    home = str(tmp_path)  # no token of the user's

    for token in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}):
        refused = start("submit", str(question), *where, HOME=home, **token)
        _, err = refused.communicate(timeout=60)
        assert refused.returncode == 2, err
        assert "token" in err
        assert "Traceback" not in err

    # The token alone is enough: the mode follows from it.
    ours = {"HOME": home, "RAY_AUTH_TOKEN": cluster.token}
    followed = start("submit", str(question), *where, "--with", "helper.py", "--follow", **ours)
    out, err = followed.communicate(timeout=200)
    assert followed.returncode == 0, out + err
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    # Which word it is depends on how busy this machine is; that it is the cluster's own does not.
    assert verdict["verdict"] in ("demonstrated", "likely", "undecided")
    assert verdict["verdict"].upper() in out
    assert verdict["trials"]["finished"] > 0
    assert (tmp_path / "runs" / "it" / "report.html").stat().st_size > 10_000

    listed = start("submit", "--address", cluster.address, "--list", **ours)
    out, err = listed.communicate(timeout=60)
    assert out.count("it\n") == 1, out + err
    assert "SUCCEEDED" in out
    twice = start("submit", str(question), *where, "--with", "helper.py", **ours)
    _, err = twice.communicate(timeout=60)
    assert twice.returncode == 2
    assert "Choose another name" in err
