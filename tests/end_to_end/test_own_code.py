"""A user's own code through the command line: a plan, or a whole search where only that shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Start
from tests.problems.test_own_questions import CASES, HEAD

PLANS = (
    "a view after a convolution",
    "gradients in forward",
    "random transforms",
    "a class per pixel, from loaders",
)


def asked(folder: Path, name: str, text: str, spec: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / f"{name}.yaml").write_text(f"name: {name}\n{spec}", encoding="utf-8")


@pytest.mark.parametrize("name", PLANS)
def test_a_plan(name: str, start: Start, tmp_path: Path) -> None:
    case = CASES[name]
    metric = case.spec.get("metric", "accuracy")
    asked(tmp_path, "own", HEAD + case.text, f"task: own.py:task\nmetric: {metric}\nbudget: 2m\n")
    process = start("search", "own.yaml", "--dry-run")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in out + err
    assert name != "random transforms" or "differ when they are read twice" in out


@pytest.mark.slow
def test_a_line_through_a_column_of_targets_is_found(start: Start, tmp_path: Path) -> None:
    text = HEAD + "def task(): return Task((X, V[:, None]), lambda: nn.Linear(4, 1), loss=F.mse_loss)\n"
    asked(tmp_path, "line", text, "task: line.py:task\nmetric: r2\ntarget: 0.9\nbudget: 60s\nbaselines: none\n")
    process = start("search", "line.yaml", "--name", "line")
    out, err = process.communicate(timeout=180)
    assert "DEMONSTRATED" in out, err


@pytest.mark.slow
def test_house_prices_are_within_reach(start: Start, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    area, rooms, age = rng.uniform(30, 200, 2000), rng.integers(1, 7, 2000), rng.uniform(0, 80, 2000)
    price = 40_000 + 2_600 * area + 9_000 * rooms - 900 * age + 12_000 * rng.standard_normal(2000)
    lines = [f"{a:.1f},{r},{g:.0f},{p:.0f}" for a, r, g, p in zip(area, rooms, age, price, strict=True)]
    (tmp_path / "houses.csv").write_text("\n".join(["area,rooms,age,target", *lines]) + "\n", encoding="utf-8")
    spec = "name: houses\ndata: {path: houses.csv, args: {kind: regression}}\nmetric: r2\ntarget: 0.9\nbudget: 75s\n"
    (tmp_path / "houses.yaml").write_text(spec, encoding="utf-8")
    process = start("search", "houses.yaml", "--name", "houses")
    out, err = process.communicate(timeout=200)
    assert "DEMONSTRATED" in out or "LIKELY" in out, err
