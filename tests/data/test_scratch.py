"""Private folders: who may enter them, where they lie, and what becomes of those of killed processes.

From the trackers: ray-project/ray issues 4593 and 32776 (a folder that two users share), ray-project/ray issue 7945 and
verl-project/verl issue 1120 (a path too long for a socket), hzi-bifo/RiboDetector issue 57 (a long TMPDIR).
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data import scratch as place
from superconv_tune.data.scratch import LOCK, PREFIX, WITHIN, scratch

LONG = "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
NOBODY = 65534

# Holds a folder until it is killed.
HOLDS = """
import time
from superconv_tune.data.scratch import scratch
with scratch() as folder:
    (folder / "kept").touch()
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TMPDIR of the test's own, short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


def test_it_is_closed_to_others_and_gone_with_its_block(temporary: Path) -> None:
    before = os.umask(0)
    try:
        with scratch() as folder:
            assert folder.parent == temporary
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "in it").touch()
    finally:
        os.umask(before)
    assert not list(temporary.iterdir())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_cannot_even_look(temporary: Path) -> None:
    temporary.chmod(0o777)
    with scratch() as folder:
        inner = folder / "open to all"
        inner.mkdir(mode=0o777)
        (inner / "file").write_text("secret", encoding="utf-8")
        done = subprocess.run(["cat", str(inner / "file")], user=NOBODY, group=NOBODY, capture_output=True, check=False)
        assert done.returncode != 0
        assert b"secret" not in done.stdout


@pytest.mark.parametrize("name", ["a" * 90, "a b", "ü", "a'b", "a$b"])
def test_where_sockets_have_no_place_it_lies_elsewhere(
    name: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / name))
    with scratch(LONG) as folder:
        assert folder.parent == Path("/tmp")
        assert len(os.fsencode(folder / LONG)) <= place.SOCKET_CHARS
    with scratch() as folder:
        assert folder.parent == temporary / name  # without sockets any path will do


def test_it_lies_where_tmpdir_says_if_that_will_do(temporary: Path) -> None:
    with scratch(LONG) as folder:
        assert folder.parent == temporary


def test_if_there_is_no_place_at_all_tmpdir_is_named(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    monkeypatch.setattr(place, "SHORT", (temporary / "gone too",))
    with pytest.raises(UserError, match="TMPDIR"), scratch():
        pass


@contextmanager
def holder() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a folder, and the folder."""
    command = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_of_killed_processes_the_folders_are_swept_and_of_living_ones_not(temporary: Path) -> None:
    with holder() as (killed, left), holder() as (_, held):
        killed.kill()
        killed.wait()
        assert (left / "kept").exists()
        with scratch():
            assert not left.exists()
            assert (held / "kept").exists()


def test_what_others_have_put_there_is_left_alone(temporary: Path) -> None:
    stranger = temporary / "precious"
    stranger.mkdir()
    (stranger / LOCK).touch()
    (temporary / f"{PREFIX}linked").symlink_to(stranger)
    (temporary / f"{PREFIX}file").touch()
    (temporary / f"{PREFIX}young").mkdir()  # another process is about to lock it
    (temporary / f"{PREFIX}old").mkdir()
    ago = time.time() - 3600.0
    os.utime(temporary / f"{PREFIX}old", (ago, ago))
    with scratch():
        found = {path.name.removeprefix(PREFIX) for path in temporary.iterdir()}
    assert {"precious", "linked", "file", "young"} <= found
    assert "old" not in found
    assert (stranger / LOCK).exists()


def test_a_worker_s_folder_lies_in_that_of_its_search(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scratch() as outer:
        monkeypatch.setenv(WITHIN, str(outer))
        with scratch() as inner:
            assert inner.parent == outer
        with scratch(LONG) as other:  # a search that a worker starts: sockets need the shorter path
            assert other.parent == temporary
    with scratch() as folder:
        assert folder.parent == temporary  # the search has ended
