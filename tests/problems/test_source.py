"""A user's module in the processes that it starts itself, such as the workers of a DataLoader.

From the trackers: pytorch/pytorch issues 87016 and 22585 (a Dataset that a spawned worker cannot import),
pyg-team/pytorch_geometric issue 3559 (likewise, of a module beside the file).
"""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.problems.source import call, locate

TASK = """
from __future__ import annotations
from pathlib import Path
from my_points import Points

class Shifted(Points):
    def __getitem__(self, i):
        return super().__getitem__(i) + 1

def beside(i):
    return (Path(__file__).parent / "beside.txt").read_text() * i

def task(which):
    return {"dataset": Shifted(3), "function": beside, "helper": Points(5)}[which]
"""
HELPER = """
class Points:
    def __init__(self, n):
        self.n = n
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        return 10 * i
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a user's files, whose name needs quotes."""
    folder = tmp_path / 'it\'s "mine" {n} \\ ü'
    folder.mkdir()
    for name, text in (("mine.py", TASK), ("my_points.py", HELPER), ("beside.txt", "ab")):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def made(home: Path, which: str) -> Any:
    return call(locate("mine.py:task", home), {"which": which})


def in_a_child(method: str, function: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        return pool.submit(function, *arguments).result(timeout=60)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_find_what_the_files_define(method: str, home: Path) -> None:
    assert in_a_child(method, len, made(home, "helper")) == 5
    assert in_a_child(method, dict, {"shifted": made(home, "dataset")})["shifted"][2] == 21
    assert in_a_child(method, made(home, "function"), 2) == "abab"  # __file__ is the user's own


def test_a_process_that_knows_nothing_of_the_files_can_be_given_the_source(home: Path) -> None:
    """As a worker on another machine, from which the folder is not seen."""
    source = pickle.dumps(locate("mine.py:task", home))
    for file in home.glob("*.py"):
        file.unlink()
    script = (
        "import multiprocessing, pickle, sys\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from superconv_tune.problems.source import call\n"
        "if __name__ == '__main__':\n"
        "    made = call(pickle.loads(sys.stdin.buffer.read()), {'which': 'dataset'})\n"
        "    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "        print(pool.submit(len, made).result())\n"
    )
    file = home / "other.py"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)],
        input=source,
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout == b"3\n", done.stderr.decode()


def test_a_module_that_is_installed_is_not_shadowed(home: Path) -> None:
    (home / "json.py").write_text("raise RuntimeError\n", encoding="utf-8")
    (home / "own.py").write_text("import json\ndef task(): return json.dumps([1])\n", encoding="utf-8")
    assert call(locate("own.py:task", home), {}) == "[1]"


def test_a_file_may_begin_with_a_mark_of_its_encoding(home: Path) -> None:
    (home / "my_value.py").write_text("VALUE = 1\n", encoding="utf-8-sig")
    (home / "own.py").write_text("import my_value\ndef task(): return my_value.VALUE\n", encoding="utf-8-sig")
    assert call(locate("own.py:task", home), {}) == 1


def test_a_changed_file_is_read_again(home: Path) -> None:
    """Of the same length and within the same second, by which Python would tell compiled files apart."""
    for value in (1, 2, 1):
        (home / "my_value.py").write_text(f"VALUE = {value}\n", encoding="utf-8")
        (home / "own.py").write_text("import my_value\ndef task(): return my_value.VALUE\n", encoding="utf-8")
        assert call(locate("own.py:task", home), {}) == value


def test_the_place_of_an_error_is_the_user_s_own_file(home: Path) -> None:
    (home / "my_points.py").write_text("def broken():\n    return 1 / 0\n", encoding="utf-8")
    (home / "own.py").write_text("from my_points import broken\ndef task():\n    return broken()\n", encoding="utf-8")
    with pytest.raises(UserError) as told:
        call(locate("own.py:task", home), {})
    assert f"({home / 'my_points.py'}, line 2)" in str(told.value)
