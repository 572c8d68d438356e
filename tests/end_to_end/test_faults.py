"""The quick ones of the faults; ``python -m benchmarks.faults`` strikes all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.facts import examine
from benchmarks.faults.scenarios import long_run
from benchmarks.searching import Search, lost

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(600),
    # MLflow 3.17 on SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


def test_a_worker_and_then_the_driver_are_killed_and_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    search = Search(tmp_path)
    search.begin()
    search.until_trained(2)
    search.kill_a_trial()
    assert lost(search.events()) == 1
    search.until_asked()
    search.kill()
    before = search.events()
    # The checks themselves: of what is not mended yet they say so.
    wrong = " ".join(examine(search, before, exit_code=-9).wrong)
    assert "running in MLflow" in wrong
    assert "no verdict" in wrong
    assert "exit code" in wrong

    search.resume()
    facts = examine(search, before, search.end())
    assert facts.wrong == (), search.said()
    assert facts.lost >= 2
    assert facts.after > facts.before >= 2


@pytest.mark.slow  # tests/study/test_long_run.py has the same without a kill
def test_a_long_run_that_is_killed_goes_on_with_the_same_curve(tmp_path: Path) -> None:
    run = long_run(tmp_path, epochs=40, kill_after=15)
    assert run.killed_after <= run.first - 1 <= run.epochs - 1
    assert run.different == 0
    assert run.test[0] == run.test[1]
