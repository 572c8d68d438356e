"""How soon does a search train, and how much of its time? ``python -m benchmarks.startup [-- OPTIONS OF SEARCH]``.

Measures in turn, several times, the floor (imports of Ray, torch and MLflow, and a started local Ray) and the time from
the command of a search to its first training step, each in a process of its own; then one whole search. Prints JSON.
For another question than the digits: ``python -m benchmarks.startup --repeats 1 -- --data photos --budget 3m``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.startup.floor import floor_s
from benchmarks.startup.timing import first_step_s, searched


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="of floor and first step; 0 for the whole search alone")
    parser.add_argument("--no-whole", action="store_true", help="leave the whole search out")
    parser.add_argument("options", nargs="*", help="of the search")
    asked = parser.parse_args()
    result: dict[str, object] = {"cpus": os.cpu_count(), "options": asked.options}
    with tempfile.TemporaryDirectory(prefix="startup_") as scratch:
        pairs = [(floor_s(), first_step_s(Path(scratch, str(n)), asked.options)) for n in range(asked.repeats)]
        if pairs:
            result |= {
                "floor_s": [round(floor, 2) for floor, _ in pairs],
                "first_step_s": [round(step, 2) for _, step in pairs],
                "ratio": round(statistics.median(step / floor for floor, step in pairs), 3),
            }
        if not asked.no_whole:
            times = searched(Path(scratch, "whole"), asked.options)
            result["whole"] = {
                name: round(value, 3) if isinstance(value, float) else value
                for name, value in (asdict(times) | {"end_s": times.end_s}).items()
            }
    print(json.dumps(result, indent=2))  # noqa: T201 - what a benchmark is for


if __name__ == "__main__":
    main()
