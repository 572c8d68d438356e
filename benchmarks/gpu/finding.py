"""What a step of the check has found: a number or a word, and whether it is what it must be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

MARK = "finding"


@dataclass(frozen=True)
class Finding:
    """One line of the result.

    Attributes:
        what: was looked at.
        value: that was found; None where there is none.
        unit: of a number, or empty.
        holds: whether it is what it must be; None where nothing is demanded of it.
        note: what has to be known with it, such as the demand.
    """

    what: str
    value: float | str | None = None
    unit: str = ""
    holds: bool | None = None
    note: str = ""

    def line(self) -> str:
        """For the console."""
        word = "     " if self.holds is None else "PASS " if self.holds else "FAIL "
        shown = "" if self.value is None else f": {_shown(self.value)}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{word}{self.what}{shown}{unit}{f' ({self.note})' if self.note else ''}"


def written(finding: Finding) -> str:
    """The line by which a step's process tells it."""
    return json.dumps({MARK: asdict(finding)})


def read(line: str) -> Finding | None:
    """What such a line tells; None for any other line."""
    if not line.startswith(f'{{"{MARK}"'):
        return None
    return Finding(**json.loads(line)[MARK])


def left_out(what: str, why: str) -> Finding:
    """Something that was not looked at."""
    return Finding(what, "left out", note=why)


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
