"""Which runs a comparison consists of, in which order, and which of them the record has already."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    pairs = [each.partition("/") for each in only]

    def is_meant(each: Round, arm: str) -> bool:
        return any(task in ("", each.task) and named in ("", arm) for task, _, named in pairs)

    return _with(rounds, is_meant) if only else list(rounds)


def unfinished(rounds: Sequence[Round], lines: Sequence[Line], seconds: float) -> list[Round]:
    """The rounds with those arms only that the record lacks; a run that failed is in it, and is not repeated."""
    have = {(line["task"], line["repeat"], line["arm"]) for line in lines if line["seconds"] == seconds}
    return _with(rounds, lambda each, arm: (each.task, each.repeat, arm) not in have)


def _with(rounds: Sequence[Round], is_wanted: Callable[[Round, str], bool]) -> list[Round]:
    """The rounds with those of their arms that are wanted, without the rounds that then have none."""
    kept = [replace(each, arms=tuple(arm for arm in each.arms if is_wanted(each, arm))) for each in rounds]
    return [each for each in kept if each.arms]


def read(record: Path) -> list[Line]:
    """The lines of a record; none if there is no file."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else []


def append(record: Path, line: Line) -> None:
    """Add a line."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
