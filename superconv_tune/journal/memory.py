"""A journal in memory, which ends with the process; no database is needed."""

from __future__ import annotations

from collections import defaultdict

from superconv_tune.core.errors import UserError
from superconv_tune.record.events import Event, Opened


class MemoryJournal:
    """The events of all studies of this process; behaves as `superconv_tune.journal.journal.Journal`."""

    def __init__(self) -> None:
        self._events: defaultdict[str, list[Event]] = defaultdict(list)

    def append(self, study: str, event: Event, *, again: bool = False) -> None:
        """Store one more event of the study; with ``again`` only if it is not the study's last event already.

        Raises:
            UserError: if the study is opened a second time.
        """
        kept = self._events[study]
        if again and kept and kept[-1] == event:
            return
        if kept and isinstance(event, Opened):
            raise UserError(f"A study {study!r} exists. Choose another name.")
        kept.append(event)

    def events(self, study: str) -> list[Event]:
        """All events of the study, in the order they were appended; none if it is unknown."""
        return list(self._events.get(study, ()))
