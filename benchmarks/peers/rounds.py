"""Which runs a comparison consists of, in which order, and which of them the record has already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
SEED_STEP = 1000  # between the seeds of two repeats; an arm counts the seeds of its trainings up from its own


@dataclass(frozen=True)
class Round:
    """All arms of one task in one repeat, which run back to back.

    Attributes:
        task: its name.
        repeat: from 0.
        arms: their names, in the order in which they run.
    """

    task: str
    repeat: int
    arms: tuple[str, ...]

    @property
    def seed(self) -> int:
        """The seed of the split and of every arm."""
        return SEED_STEP * (self.repeat + 1)


def rounds(tasks: Sequence[str], arms: Sequence[str], repeats: int) -> list[Round]:
    """All rounds; the order of the arms is rotated by one from repeat to repeat, and from task to task."""
    found = []
    for repeat in range(repeats):
        for place, task in enumerate(tasks):
            turn = (repeat + place) % len(arms)
            found.append(Round(task, repeat, (*arms[turn:], *arms[:turn])))
    return found


def chosen(rounds: Sequence[Round], only: Sequence[str]) -> list[Round]:
    """The rounds with those arms only that ``TASK``, ``TASK/ARM`` or ``/ARM`` name; all if there is none."""
    if not only:
        return list(rounds)

    def is_meant(task: str, arm: str) -> bool:
        pairs = (each.partition("/") for each in only)
        return any(first in ("", task) and second in ("", arm) for first, _, second in pairs)

    kept = [Round(r.task, r.repeat, tuple(arm for arm in r.arms if is_meant(r.task, arm))) for r in rounds]
    return [each for each in kept if each.arms]


def unfinished(rounds: Sequence[Round], lines: Sequence[Line], seconds: float) -> list[Round]:
    """The rounds with those arms only that the record lacks, or has as failed."""
    have = {(line["task"], line["repeat"], line["arm"]) for line in lines if _counts(line, seconds)}
    kept = [
        Round(r.task, r.repeat, tuple(arm for arm in r.arms if (r.task, r.repeat, arm) not in have)) for r in rounds
    ]
    return [each for each in kept if each.arms]


def _counts(line: Line, seconds: float) -> bool:
    return line["seconds"] == seconds and not line["failure"]


def read(record: Path) -> list[Line]:
    """The lines of a record; none if there is no file."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else []


def append(record: Path, line: Line) -> None:
    """Add a line."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
