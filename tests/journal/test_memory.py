"""The journal in memory keeps what the one in a database keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.memory import MemoryJournal
from superconv_tune.record.events import Closed, Event, Opened, Resized

OPENED = Opened("a", 1.0, 2.0, 1, spec={})
STORY: list[tuple[Event, bool]] = [
    (OPENED, False),
    (Resized(1.5, 2), False),
    (Resized(1.5, 2), True),
    (Resized(1.6, 3), True),
    (Resized(1.6, 3), False),
    (Closed(1.7, "decided"), False),
]


def told(journal: Journal | MemoryJournal) -> list[Event]:
    for event, again in STORY:
        journal.append("a", event, again=again)
    journal.append("b", Opened("b", 1.0, 2.0, 1, spec={}))
    with pytest.raises(UserError, match="A study 'a' exists"):
        journal.append("a", OPENED)
    assert journal.events("unknown") == []
    assert len(journal.events("b")) == 1
    return journal.events("a")


def test_it_is_told_the_same_and_has_the_same(tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path / 'studies.db'}") as stored:
        assert told(MemoryJournal()) == told(stored)


def test_what_it_gave_out_is_not_what_it_keeps() -> None:
    journal = MemoryJournal()
    journal.append("a", OPENED)
    journal.events("a").clear()
    assert journal.events("a") == [OPENED]
