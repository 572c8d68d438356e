"""Two searches that begin at once in one new folder; test_postgresql has the same for a new database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal import schema
from superconv_tune.journal.schema import creating_tables
from superconv_tune.study.places import places

BEGIN = """
import sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from superconv_tune.core.secrets import Address
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.schema import creating_tables
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.study.parent_run import check
storage, tracking, name = Address(sys.argv[1]), Address(sys.argv[2]), sys.argv[3]
print("ready", flush=True)
sys.stdin.read()
check(tracking, storage, None)
Journal(storage).close()
with creating_tables(storage):
    Proposer(storage, name, {}, "max", "random", 0, 10).ask("0")
"""


def started_at_once(storage: Address, tracking: Address, count: int) -> list[tuple[int, str]]:
    """The exit codes and errors of so many processes that begin together."""
    command = [sys.executable, "-c", BEGIN, storage.reveal(), tracking.reveal()]
    running = [
        subprocess.Popen(
            [*command, f"s{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
        for number in range(count)
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return [(process.wait(), error) for process, (_, error) in [(one, one.communicate()) for one in running]]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("tracking", ["none", pytest.param(None, marks=pytest.mark.slow)])  # MLflow takes a minute
def test_searches_that_begin_together_in_a_new_folder_all_find_their_tables(
    tmp_path: Path, tracking: str | None
) -> None:
    """Without the lock most of them end in a traceback."""
    where = places(tmp_path / "runs", "mine", None, tracking)
    assert started_at_once(where.storage, where.tracking_uri, 3) == [(0, "")] * 3


HOLD = """
import sys, time
from superconv_tune.core.secrets import Address
from superconv_tune.journal.schema import creating_tables
with creating_tables(Address(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(storage: Address) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, storage.reveal()], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_lock_is_waited_for_so_long_and_given_back_by_the_end_of_the_process(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    named = request.getfixturevalue("postgresql").database() if kind == "postgresql" else None
    storage = places(tmp_path, "mine", named, "none").storage
    monkeypatch.setattr(schema, "WAIT_S", 1.0)
    process = holder(storage)
    try:
        begun = time.monotonic()
        with pytest.raises(UserError, match="cannot be opened for writing"), creating_tables(storage):
            raise AssertionError("two have the lock")
        assert 0.9 < time.monotonic() - begun < 10.0
    finally:
        process.kill()
        process.communicate()
    monkeypatch.setattr(schema, "WAIT_S", 30.0)
    with creating_tables(storage):
        pass


def test_a_database_in_memory_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:"):
        with creating_tables(Address(url)):
            pass
    assert not list(tmp_path.iterdir())
