"""A search submitted over HTTP to a real cluster of two nodes with token authentication, seen from a client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.servers import nodes
from benchmarks.servers.nodes import Cluster
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Event, Observed, Opened, Resized
from tests.end_to_end.conftest import Start

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

WAIT_S = 240.0

SPEC = """
name: moons
task: {factory: "moons.py:task"}
target: 0.80
budget: 300s
trials: 4
sampler: random
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 2, high: 6, log: true}
  batch_size: [32, 64]
"""
# As long as it is let, and in trials long enough to be seen.
LONG = SPEC.replace("target: 0.80\n", "").replace("budget: 300s", "budget: 900s").replace("trials: 4", "trials: 200")
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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with nodes.cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def question(tmp_path: Path) -> Path:
    """A spec, the user's own problem and a module beside it, on the laptop."""
    for name, text in {"moons.yaml": SPEC, "moons.py": TASK, "helper.py": HELPER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "moons.yaml"


def test_searches_are_submitted_share_the_cluster_and_come_home(
    start: Start, question: Path, cluster: Cluster, tmp_path: Path
) -> None:
    """A long search runs; a short one comes, is followed and fetched; the long one is stopped, and resumed."""

    def submit(*arguments: str, **token: str) -> tuple[int, str]:
        process = start("submit", "--address", cluster.address, *arguments, HOME=str(tmp_path), **token)
        out, err = process.communicate(timeout=400)
        assert "Traceback" not in out + err
        return process.returncode, out + err

    for token in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}):
        code, told = submit(str(question), "--name", "it", **token)
        assert code == 2, told
        assert "token" in told

    # The token alone is enough: the mode follows from it.
    submit = partial(submit, RAY_AUTH_TOKEN=cluster.token)
    (tmp_path / "long.yaml").write_text(LONG, encoding="utf-8")
    code, told = submit("long.yaml", "--name", "long", "--with", "helper.py")
    assert code == 0, told
    until(lambda: trained(cluster, "long") >= 3)
    assert workers(cluster, "long") == [2]
    code, told = submit(str(question), "--name", "it", "--with", "helper.py", "--follow")
    assert code == 0, told
    verdict = fetched(tmp_path, "it")
    # Which word it is depends on how busy this machine is; that it is the cluster's own does not.
    assert verdict["verdict"] in ("demonstrated", "likely", "undecided")
    assert verdict["verdict"].upper() in told
    assert verdict["trials"]["finished"] > 0
    assert (tmp_path / "runs" / "it" / "report.html").stat().st_size > 10_000
    assert workers(cluster, "it")[0] == 1
    until(lambda: workers(cluster, "long") == [2, 1, 2])

    _, told = submit("--list")
    assert told.count("it\n") == 1, told
    assert "SUCCEEDED" in told
    code, told = submit(str(question), "--name", "it", "--with", "helper.py")
    assert code == 2
    assert "Choose another name" in told
    assert "is no longer running" in submit("--stop", "it")[1]

    assert "how far can one get" in submit("--logs", "long")[1]
    assert "was asked to end" in submit("--stop", "long")[1]
    code, told = submit("--logs", "long", "--follow")
    assert code == 130, told
    done = trained(cluster, "long")
    assert fetched(tmp_path, "long")["trials"]["finished"] == done
    code, told = submit("long.yaml", "--name", "long", "--with", "helper.py", "--resume")
    assert code == 0, told
    until(lambda: trained(cluster, "long") > done)
    submit("--stop", "long")


def fetched(folder: Path, name: str) -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads((folder / "runs" / name / "verdict.json").read_text(encoding="utf-8"))
    return verdict


def events(cluster: Cluster, name: str) -> list[Event]:
    file = cluster.studies
    if not file.exists():
        return []
    with Journal(f"sqlite:///{file}") as journal:
        return journal.events(name)


def trained(cluster: Cluster, name: str) -> int:
    return sum(isinstance(e, Observed) and e.outcome.status == "finished" for e in events(cluster, name))


def workers(cluster: Cluster, name: str) -> list[int]:
    """How many trials of a search ran at once, one number after the other."""
    return [e.workers for e in events(cluster, name) if isinstance(e, Opened | Resized)]


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.5)
