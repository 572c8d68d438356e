"""``python -m tests.coverage_of_rooms .coverage.json``: what tests reach of the rooms that decide.

The file is what ``coverage json`` writes. It ends with 1 if too few branches of a room were reached: branches alone,
for ``coverage report --fail-under`` counts them together with the statements, which are many more and hide them.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEAST = 95.0  # per cent of the branches of every room


def by_room(report: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Per cent of the statements and of the branches that were reached, by room."""
    totals: dict[str, Counter[str]] = {}
    for file, found in report["files"].items():
        room = Path(file).parent.name
        totals.setdefault(room, Counter()).update(found["summary"])
    return {
        room: (
            100.0 * total["covered_lines"] / total["num_statements"],
            100.0 * total["covered_branches"] / total["num_branches"],
        )
        for room, total in totals.items()
    }


def main(path: Path) -> int:
    """Print a line for each room; 1 if one has too few of its branches reached."""
    report = json.loads(path.read_text(encoding="utf-8"))
    rooms = by_room(report)
    for room, (statements, branches) in sorted(rooms.items()):
        print(f"coverage of {room:<8}{statements:6.1f} % of statements{branches:6.1f} % of branches")  # noqa: T201
    total = report["totals"]["percent_covered"]
    print(f"coverage of all four {total:.1f} % of statements and branches; least branches of a room {LEAST:g} %")  # noqa: T201
    return int(len(rooms) != 4 or min(branches for _, branches in rooms.values()) < LEAST)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
