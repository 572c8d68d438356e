"""Events that a database did not accept, kept in a file until it does."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from superconv_tune.core.errors import TakenOverError, UserError
from superconv_tune.journal.journal import Journal, event_of, row_of
from superconv_tune.record.events import Event

FILE = "unstored.jsonl"

logger = logging.getLogger(__name__)


def keep(folder: Path, events: Sequence[Event], epoch: int) -> None:
    """Write the last events of a study into its folder; the first line has the epoch of their driver.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(epoch), *(json.dumps(row_of(event)) for event in events)]
    part = folder / f"{FILE}.part"
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(folder / FILE)


def bring_in(journal: Journal, study: str, folder: Path) -> int:
    """Store the events that are kept in the study's folder, if there are any, and remove the file.

    Where another driver has taken the study over since, it has repeated what they tell of, and they are dropped.
    A journal that does not have the study is another database than they belong to, and they stay.

    Returns:
        The number of events that were brought in or dropped.

    Raises:
        UserError: if the file cannot be read, or the database does not accept them; the file then stays.
    """
    file = folder / FILE
    if not file.exists() or not journal.exists(study):
        return 0
    try:
        first, *rest = file.read_text(encoding="utf-8").splitlines()
        epoch, events = int(json.loads(first)), [event_of(*json.loads(line)) for line in rest]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{file} holds events that the storage has not received, and cannot be read: {error}. Restore it, or "
            f"remove it to go on without them."
        ) from error
    try:
        journal.append_missing(study, events, epoch)
    except TakenOverError:
        logger.warning("%d events in %s are obsolete: another driver went on without them.", len(events), file)
    file.unlink(missing_ok=True)  # another reader may have been first
    return len(events)
