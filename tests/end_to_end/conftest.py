"""The real command line, a real local Ray, a real sqlite MLflow; on a spec that trains in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.servers.nodes import SETTINGS

SPEC = """
name: small
data: digits
model: {name: mlp, width: 0.25}
target: 0.80
budget: 150s
trials: 8
sampler: random
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 3, high: 12, log: true}
  batch_size: [32, 64]
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec file in an empty folder."""
    path = tmp_path / "small.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a command of the package in the empty folder, whatever the test's own environment says of MLflow or Ray."""
    scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}

    def run(module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", f"superconv_tune.{module}", *arguments],
            cwd=tmp_path,
            env=scrubbed | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run
