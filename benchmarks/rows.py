"""Tables of long benchmarks: existing rows are not computed again, so a command continues where it stopped."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path


def read(table: Path) -> list[dict[str, str]]:
    """The rows so far, by the names of the columns."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(table: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Add rows; in a new file below the names of the columns."""
    is_new = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows] if is_new else rows)
