"""A search submitted over HTTP to a real cluster of two nodes with token authentication, seen from a client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import nodes
from tests.end_to_end.conftest import Start
from tests.nodes import Cluster

pytestmark = [pytest.mark.ray, pytest.mark.timeout(280)]

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
