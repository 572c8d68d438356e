"""A whole search in one process, as the command ``search --debug`` runs it, with its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.finding import Finding
from benchmarks.gpu.plan import SEARCH_S
from benchmarks.gpu.questions import write_stand_in
from benchmarks.gpu.setting import Setting

LATE_S = 5.0  # the start of Python and its end, which the budget does not see
SPEC = Path(__file__).parents[2] / "search_spaces/fashion_mnist.yaml"
TINY_S, TINY_SHARE, TINY_SIDE = 10, 0.01, 12


def look(setting: Setting) -> Iterator[Finding]:
    """LeNet-5 on Fashion-MNIST, or on made-up images of its shape, for three minutes."""
    data = setting.data
    if setting.is_tiny or not data.is_dir():
        data = setting.out / "stand-in"
        if setting.is_tiny:
            write_stand_in(data, TINY_SHARE, TINY_SIDE)
        else:
            write_stand_in(data)
        yield Finding("data", "made up, in the shape of Fashion-MNIST", note="one label in twenty is wrong")
    else:
        yield Finding("data", "Fashion-MNIST")
    budget_s = setting.size(round(SEARCH_S), TINY_S)
    name = f"gpu-{time.strftime('%Y%m%d-%H%M%S')}"
    options = ("--debug", "--tracking-uri", "none", "--budget", f"{budget_s}s", "--target", "0.90", "--name", name)
    places = ("--data", str(data), "--output", str(setting.out))
    began = time.time()
    command = [sys.executable, "-m", "superconv_tune.search", str(SPEC), *options, *places]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    seconds = time.time() - began
    print(done.stdout, flush=True)  # noqa: T201 - what the search said
    yield Finding(
        "search ended after", seconds, "s", done.returncode == 0 and (setting.is_tiny or seconds <= budget_s + LATE_S)
    )
    if done.returncode == 0:
        yield from _answer(json.loads((setting.out / name / "verdict.json").read_text(encoding="utf-8")))


def _answer(verdict: dict[str, object]) -> Iterator[Finding]:
    yield Finding("verdict", str(verdict["verdict"]), note=json.dumps(verdict["estimate"]))
    yield Finding("trials", json.dumps(verdict["trials"]))
