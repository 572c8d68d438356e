"""The files of a submitted search on the cluster: claimed once, and then never changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from superconv_tune.cluster.job_entry import changed_files, claim, resume_bundle

FILES = {"spec.yaml": "name: mine", "net.py": "WIDTH = 32", "data/a.csv": "1,2"}


def bundle_in(folder: Path, **changes: str) -> Path:
    for name, text in (FILES | changes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_the_first_one_keeps_the_name_and_its_files(tmp_path: Path) -> None:
    kept = tmp_path / "bundles" / "mine"
    claim(bundle_in(tmp_path / "first"), kept)
    with pytest.raises(FileExistsError, match="'mine' was submitted to this cluster before"):
        claim(bundle_in(tmp_path / "second", **{"net.py": "WIDTH = 512"}), kept)
    assert content(kept) == FILES
    assert [folder.name for folder in kept.parent.iterdir()] == ["mine"]
    assert {file.stat().st_mode & 0o222 for file in kept.rglob("*") if file.is_file()} == {0}


def test_of_many_that_come_at_once_one_is_taken(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom superconv_tune.cluster.job_entry import claim\n"
        "sys.stdin.read()\nclaim(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    sent = [bundle_in(tmp_path / str(number), **{"net.py": str(number)}) for number in range(6)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(tmp_path / "bundles" / "mine")],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
        for folder in sent
    ]  # fmt: skip
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    codes = [process.wait() for process in running]
    assert codes.count(0) == 1
    assert content(tmp_path / "bundles" / "mine")["net.py"] == str(codes.index(0))


def test_a_resumed_search_runs_on_its_own_files(tmp_path: Path) -> None:
    kept = tmp_path / "bundles" / "mine"
    claim(bundle_in(tmp_path / "first"), kept)
    (kept / "__pycache__").mkdir()
    (kept / "__pycache__" / "net.pyc").touch()
    other = bundle_in(tmp_path / "second", **{"spec.yaml": "name: mine\nworkers: 3"})
    assert changed_files(other, kept) == []
    resume_bundle(other, kept, accept_changes=False)
    assert (kept / "spec.yaml").read_text() == FILES["spec.yaml"]


def test_other_files_are_refused_or_put_in_their_place_with_the_earlier_ones_kept(tmp_path: Path) -> None:
    kept = tmp_path / "bundles" / "mine"
    claim(bundle_in(tmp_path / "first"), kept)
    for number, width in enumerate(("WIDTH = 64", "WIDTH = 128"), 1):
        before = content(kept)
        other = bundle_in(tmp_path / width, **{"net.py": width, "more.py": ""})
        with pytest.raises(FileExistsError, match=r"net\.py.*--accept-changes"):
            resume_bundle(other, kept, accept_changes=False)
        assert content(kept) == before
        resume_bundle(other, kept, accept_changes=True)
        assert content(kept)["net.py"] == width
        assert content(kept.with_name(f".mine.{number}")) == before
