"""The ledger of looks: every search of a database knows what others saw of the same test part."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.servers.postgresql import Server
from superconv_tune.core.errors import StorageError
from superconv_tune.journal.journal import Journal
from superconv_tune.study.places import places


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    server: Server | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    storage = None if server is None else server.database()
    with Journal(places(tmp_path, "mine", storage, None).storage) as opened:
        yield opened


def test_looks_are_numbered_over_all_studies_of_one_test_part(journal: Journal) -> None:
    ledger = journal.ledger("a")
    assert ledger.others("first") == ()
    assert ledger.count("first", 1, 4) == (1, ())
    assert ledger.count("first", 1, 5) == (2, ())
    assert ledger.others("second") == ("first",)
    assert ledger.count("second", 1, 3) == (3, ("first",))
    assert ledger.count("first", 2, 4) == (4, ("second",))
    assert journal.ledger("b").count("third", 1, 3) == (1, ())


def test_a_look_is_counted_once_and_keeps_its_number(journal: Journal) -> None:
    """A driver that was killed between counting and recording asks again."""
    ledger = journal.ledger("a")
    assert ledger.count("first", 1, 4) == (1, ())
    assert ledger.count("second", 1, 4) == (2, ("first",))
    assert ledger.count("first", 1, 4) == (1, ())


def test_a_ledger_begun_anew_forgets_the_looks_before_and_keeps_those_after(journal: Journal) -> None:
    ledger = journal.ledger("a")
    ledger.count("first", 1, 4)
    ledger.begin_anew("second", "the first was a test of the machine")
    assert ledger.others("second") == ()
    assert ledger.count("second", 1, 3) == (1, ())
    assert ledger.count("third", 1, 3) == (2, ("second",))
    assert ledger.count("first", 1, 4) == (1, ())  # its own number, from before
    journal.ledger("b").begin_anew("other", "of another test part")
    assert ledger.others("fourth") == ("second", "third")


def test_searches_that_look_at_once_get_numbers_of_their_own(journal: Journal) -> None:
    ledger = journal.ledger("a")
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda index: ledger.count(f"study{index}", 1, 3)[0], range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path}/studies.db") as journal:
        ledger = journal.ledger("a")
        with sqlite3.connect(tmp_path / "studies.db") as other:
            other.execute("DROP TABLE superconv_tune_looks")
        other.close()
        with pytest.raises(StorageError, match=r"ledger of looks in sqlite.*no such table"):
            ledger.count("first", 1, 3)
