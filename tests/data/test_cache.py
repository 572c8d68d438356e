"""An entry of the cache is whole or not there, and its arrays are shared and not copied."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data import cache

ARRAY = np.arange(4000, dtype=np.uint8).reshape(10, 400)


def filled(folder: Path) -> None:
    ARRAY.tofile(folder / "a")


def test_the_environment_says_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "here"))
    assert cache.place() == tmp_path / "here"
    monkeypatch.delenv(cache.PLACE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.place() == tmp_path / "xdg" / "superconv_tune"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.place() == tmp_path / ".cache" / "superconv_tune"


def test_an_entry_is_made_once() -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        filled(folder)

    assert cache.entry("k", make) == cache.entry("k", make) == cache.place() / "k"
    assert len(calls) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
def test_what_fails_leaves_nothing(error: type[BaseException]) -> None:
    def make(folder: Path) -> None:
        filled(folder)
        raise error("no")

    with pytest.raises(error, match="no"):
        cache.entry("k", make)
    assert list(cache.place().iterdir()) == []


def test_two_at_once_agree() -> None:
    def make(folder: Path) -> None:
        time.sleep(0.05)
        filled(folder)

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: cache.entry("k", make), range(4)))
    assert set(folders) == {cache.place() / "k"}
    assert [entry.name for entry in cache.place().iterdir()] == ["k"]
    np.testing.assert_array_equal(cache.mapped(folders[0] / "a", ARRAY.shape), ARRAY)


def test_a_killed_process_leaves_no_entry_and_is_swept_up_after(tmp_path: Path) -> None:
    code = (
        "import sys, time; from superconv_tune.data import cache\n"
        "def make(folder):\n"
        "    (folder / 'half').write_bytes(b'x'); print('now', flush=True); time.sleep(60)\n"
        "cache.entry('k', make)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    (left,) = cache.place().iterdir()
    assert left.name.startswith(cache.UNFINISHED)
    cache.entry("k", filled)
    assert left.exists()  # it might be of a process that lives
    old = time.time() - 2 * cache.ABANDONED_S
    os.utime(left, (old, old))
    cache.entry("other", filled)
    assert not left.exists()


def test_a_place_that_cannot_be_written_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "file" / "below"))
    with pytest.raises(UserError, match=cache.PLACE):
        cache.entry("k", filled)


def test_a_full_disk_is_reported_before() -> None:
    cache.entry("k", filled)
    with pytest.raises(UserError, match=r"GiB left.*smaller size"):
        cache.require_room(2**60)


def test_an_array_travels_as_its_place_and_a_view_as_its_values() -> None:
    array = cache.mapped(cache.entry("k", filled) / "a", ARRAY.shape)
    stored = pickle.dumps(array, protocol=5)
    assert len(stored) < 400
    again = pickle.loads(stored)
    assert isinstance(again, cache.Mapped)
    np.testing.assert_array_equal(again, ARRAY)
    for view in (array[3:5], np.asarray(array)):
        there = pickle.loads(pickle.dumps(view, protocol=5))
        np.testing.assert_array_equal(there, ARRAY[3:5] if len(view) == 2 else ARRAY)
        assert len(pickle.dumps(view)) > view.nbytes
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_an_array_whose_file_is_gone_is_reported() -> None:
    folder = cache.entry("k", filled)
    stored = pickle.dumps(cache.mapped(folder / "a", ARRAY.shape))
    (folder / "a").unlink()
    with pytest.raises(UserError, match="is gone"):
        pickle.loads(stored)


def test_a_key_sees_every_part() -> None:
    keys = [cache.key(1, "a", [["x", 3]]), cache.key(1, "a", [["x", 4]]), cache.key(2, "a", [["x", 3]]), cache.key(1)]
    assert len(set(keys)) == len(keys)
    assert keys[0] == cache.key(1, "a", [("x", 3)])
