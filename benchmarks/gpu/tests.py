"""The tests that are marked ``gpu``."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.finding import Finding
from benchmarks.gpu.setting import Setting

ROOT = Path(__file__).parents[2]
SIGN = "tests.devices"  # what a file of tests imports that has some for a GPU; other files may need Ray or MLflow


def files() -> list[Path]:
    """Those with tests for a GPU."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    return [file for file in tests if SIGN in file.read_text(encoding="utf-8")]


def look(setting: Setting) -> Iterator[Finding]:
    """``pytest -m gpu``; without a GPU all of them are skipped, and that they can be collected is all that is seen."""
    # Another version of torch may warn of what the tested one does not; that is no fault here.
    options = ("-m", "gpu", "-q", "-W", "default", "-p", "no:cacheprovider", "--tb", "short")
    command = [sys.executable, "-m", "pytest", *options, *map(str, files())]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(done.stdout, flush=True)  # noqa: T201 - a command
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    passed = done.returncode == 0 and (counts.get("passed", 0) > 0 or not setting.on_gpu)
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    yield Finding("pytest -m gpu", words or "none ran", "", passed, "" if setting.on_gpu else "they need CUDA")
