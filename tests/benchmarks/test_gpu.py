"""The check of the GPU, at sizes that a CPU does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu import tests as gpu_tests
from benchmarks.gpu.__main__ import Check, ended_after
from benchmarks.gpu.finding import Finding, read, written
from benchmarks.gpu.plan import LIMITS_S, TOTAL_S
from benchmarks.gpu.step import STEPS

ROOT = Path(__file__).parents[2]
HANGS = """
import subprocess, sys, time
print("here", flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
time.sleep(100)
"""


@pytest.mark.timeout(1200)  # a dozen processes that import torch, on a machine that may be busy
@pytest.mark.parametrize(
    "steps",
    [
        ["machine", "start", "waits", "eager"],  # compiling and several processes take a minute on a CPU
        pytest.param(list(LIMITS_S), marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_every_step_runs_to_its_end_on_a_cpu(tmp_path: Path, steps: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--out", str(tmp_path), "--steps", ",".join(steps)]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=hidden, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert result["passed"]
    assert list(result["steps"]) == list(result["seconds"]) == steps
    found = {step: [Finding(**finding) for finding in findings] for step, findings in result["steps"].items()}
    assert [step for step, findings in found.items() if any(f.value == "left out" for f in findings)] == ["waits"]
    assert found["waits"][0].note == "needs CUDA"
    for finding in (finding for findings in found.values() for finding in findings):
        assert finding.line().strip() in done.stdout
    for step in {"eager", "compiled"} & set(steps):
        speeds = [finding.value for finding in found[step] if finding.unit == "images/s"]
        assert len(speeds) == 4
        assert all(isinstance(speed, float) and speed > 0.0 for speed in speeds)


def test_a_step_that_hangs_is_ended_with_all_that_it_started() -> None:
    began = time.monotonic()
    with ended_after([sys.executable, "-c", HANGS], 3.0) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "here\n"  # ends when nobody holds the pipe any more
    assert process.returncode != 0
    assert time.monotonic() - began < 60.0


def test_a_step_that_fails_fails_the_check_and_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(tmp_path, tmp_path, is_tiny=False)
    monkeypatch.setattr("benchmarks.gpu.__main__.MODULE", "benchmarks.gpu.no_such_module")
    check.look("start", left_s=100.0)
    check.look("eager", left_s=1.0)
    result = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert not result["passed"]
    assert result["steps"]["start"][0]["value"] == "ended with the exit code 1"
    assert (result["steps"]["eager"][0]["value"], result["steps"]["eager"][0]["holds"]) == ("left out", None)


def test_the_whole_check_takes_less_than_eight_minutes() -> None:
    assert TOTAL_S < 480.0
    assert set(LIMITS_S) < set(STEPS)


def test_findings_travel_as_lines_and_other_lines_are_none() -> None:
    finding = Finding("ratio", 0.9812, "", holds=True, note="at least 0.97")
    assert read(written(finding) + "\n") == finding
    assert read('{"other": 1}') is None
    assert finding.line() == "PASS ratio: 0.9812 (at least 0.97)"
    assert Finding("images", 12345.6, "images/s", holds=False).line() == "FAIL images: 12,346 images/s"


def test_the_files_with_tests_for_a_gpu_are_found() -> None:
    names = {file.name for file in gpu_tests.files()}
    assert {"test_devices.py", "test_loop.py"} <= names
    marked = {
        file.name for file in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in file.read_text(encoding="utf-8")
    }
    assert marked <= names | {Path(__file__).name}
