"""The quick ones of the faults; ``python -m benchmarks.faults`` strikes all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.facts import examine
from benchmarks.faults.scenarios import FAULTS, long_run
from benchmarks.faults.searching import Search, completed, lost

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(600),
    # MLflow 3.17 on SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


def test_a_worker_that_is_killed_costs_one_attempt_and_nothing_else(tmp_path: Path) -> None:
    facts = FAULTS["worker"].strike(tmp_path)
    assert facts.wrong == ()
    assert facts.lost >= 1
    assert facts.after > facts.before


def test_what_a_fault_took_would_be_seen(tmp_path: Path) -> None:
    """The checks themselves: on a search that was left where it was killed, they find what is wrong."""
    search = Search(tmp_path)
    search.begin()
    search.until_trained(1)
    search.until_asked()
    search.kill()
    before = search.events()
    assert completed(before)
    assert not lost(before)
    wrong = " ".join(examine(search, before, exit_code=-9).wrong)
    assert "running in MLflow" in wrong
    assert "no verdict" in wrong
    assert "exit code" in wrong


def test_a_long_run_that_is_killed_goes_on_with_the_same_curve(tmp_path: Path) -> None:
    run = long_run(tmp_path, epochs=40, kill_after=15)
    assert run.killed_after <= run.first - 1 <= run.epochs - 1
    assert run.different == 0
    assert run.test[0] == run.test[1]
