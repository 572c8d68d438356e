"""Names and counts in messages about data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SHOWN = 8  # names in a message
SHOWN_FILES = 3  # names with their folders, likewise


def some(names: Sequence[Any], shown: int = SHOWN) -> str:
    """The first names, and whether there are more."""
    return ", ".join(map(str, names[:shown])) + (", …" if len(names) > shown else "")


def count_of(count: int, noun: str) -> str:
    """A number of things, such as ``1 line`` or ``2,000 lines``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
