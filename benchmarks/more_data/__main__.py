"""What more training data gain, recorded and compared with what the verdict says: ``more_data.csv``, ``more_data.md``.

    python -m benchmarks.more_data record --data FOLDER [--minutes 60] [--only TASK ...]
    python -m benchmarks.more_data report

The folder is that of `benchmarks.cycles`. Models that the table has are not trained again, so that the command goes on
where it was stopped. ``report`` also writes the library that verdicts rest on. One process, because accuracies do not
depend on what else runs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import superconv_tune.verdict
from benchmarks.more_data.judge import questions, table_of
from benchmarks.more_data.record import COLUMNS, Cell, trained, wanted
from benchmarks.more_data.report import report, write_library
from benchmarks.more_data.tasks import TASKS
from benchmarks.rows import append, read

TABLE, REPORT = (Path(__file__).with_name(name) for name in ("more_data.csv", "more_data.md"))
LIBRARY = Path(superconv_tune.verdict.__file__).with_name("more_data.csv")
POLITE = 19


def record(names: Sequence[str], root: Path, minutes: float) -> None:
    """Train what the table lacks until the time is over."""
    os.nice(POLITE)
    end = time.time() + 60.0 * minutes
    for cell in wanted({Cell.of(row) for row in read(TABLE)}, names, root):
        if time.time() > end:
            return
        row = trained(cell, root)
        append(TABLE, COLUMNS, [row])
        print(time.strftime("%H:%M:%S"), *row[:-1], flush=True)  # noqa: T201 - progress of a command


def main() -> None:
    """Record models, or judge what the verdict would have said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "report"))
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no further model is begun")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), help="tasks")
    asked = parser.parse_args()
    if asked.what == "report":
        found = list(questions(table_of(read(TABLE))))
        write_library(found, LIBRARY)
        REPORT.write_text(report(found), encoding="utf-8")
        return
    if asked.data is None:
        parser.error("record needs --data FOLDER")
    record(asked.only, asked.data, asked.minutes)


if __name__ == "__main__":
    main()
