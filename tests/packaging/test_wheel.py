"""From an empty environment to a verdict, with the wheel alone and what README says first. Slow: it installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.documents.fences import ROOT, blocks
from tests.samples import photos

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheel and sdist; the wheel is built from the sdist, which must therefore be complete."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], check=True, timeout=600)
    return folder


def test_both_hold_what_is_needed_besides_code(built: Path) -> None:
    [wheel], [sdist] = built.glob("*.whl"), built.glob("*.tar.gz")
    assert wheel.name.split("-")[1] == VERSION
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {str(path.relative_to(ROOT)) for path in (ROOT / "superconv_tune").rglob("*") if path.is_file()}
    assert {name for name in shipped if "__pycache__" not in name} <= names
    assert not [name for name in names if name.startswith(("tests", "docs", "benchmarks"))]
    with tarfile.open(sdist) as archive_:
        assert any(name.endswith("/README.md") for name in archive_.getnames())


@pytest.mark.ray
def test_an_empty_environment_comes_to_a_verdict(built: Path, tmp_path: Path) -> None:
    [first] = [block for block in blocks("sh") if block.page == "README.md"][:1]
    _, search = first.text.strip().splitlines()
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    [wheel] = built.glob("*.whl")
    # Without PYTHONPATH, or pip takes this checkout for an installed package.
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(wheel)], env=bare, check=True, timeout=1500)
    photos(tmp_path / "photos", per_class=60)

    env = bare | {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = re.sub(r"--budget \S+", "--budget 2m", search)
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    [verdict] = tmp_path.glob("runs/*/verdict.json")
    assert json.loads(verdict.read_text())["verdict"] is not None
