"""Train cycles of realistic tasks as a search would, most informative first: ``cycles.csv``; and time them.

    python -m benchmarks.cycles record --data FOLDER [--minutes 170] [--workers 2] [--only TASK ...]
    python -m benchmarks.cycles speeds --data FOLDER [--only TASK ...]

The folder has ``photos10`` and ``animals20`` (``train/CLASS``, ``test/CLASS``) and ``tables`` (``phoneme.csv``,
``german.csv``). Cycles that the table has are not trained again, so the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from benchmarks.cycles.cells import Cell, table_of, wanted
from benchmarks.cycles.speeds import COLUMNS as SPEED_COLUMNS
from benchmarks.cycles.speeds import speeds
from benchmarks.cycles.tasks import TASKS
from benchmarks.cycles.training import Trained, train
from benchmarks.rows import append, read

CYCLES, SPEEDS = (Path(__file__).with_name(name) for name in ("cycles.csv", "speeds.csv"))
COLUMNS = (
    "task", "epochs", "batch_size", "max_lr", "weight_decay", "label_smoothing", "clip", "seed",
    "status", "steps", "validation", "test", "averaged_validation", "averaged_test", "train_loss",
)  # fmt: skip
POLITE = 19


def record(names: Sequence[str], root: Path, minutes: float, workers: int) -> None:
    """Train what is wanted next until the time is over; what was begun by then is finished."""
    os.nice(POLITE)
    end = time.time() + 60.0 * minutes
    table = table_of(read(CYCLES))
    running: dict[Future[Trained], Cell] = {}
    with ProcessPoolExecutor(workers) as pool:
        while True:
            while len(running) < workers and time.time() < end:
                cell = next((cell for cell in wanted(table, names) if cell not in running.values()), None)
                if cell is None:
                    break
                running[pool.submit(train, cell, root)] = cell
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell, found = running.pop(future), future.result()
                append(CYCLES, COLUMNS, [_row(cell, found)])
                table[cell] = found.test if found.status == "finished" else None
                _tell(cell, found, len(table))


def _row(cell: Cell, found: Trained) -> list[object]:
    values = (found.validation, found.test, found.averaged_validation, found.averaged_test, found.train_loss)
    return [*cell.key, found.status, found.steps, *("" if value is None else f"{value:.6f}" for value in values)]


def _tell(cell: Cell, found: Trained, rows: int) -> None:
    """A line of progress."""
    values = (found.validation, found.test, found.averaged_validation, found.averaged_test)
    words = " ".join("-" if value is None else f"{value:.3f}" for value in values)
    clock, speed = time.strftime("%H:%M:%S"), found.items * cell.epochs / found.wall_s
    line = f"{clock} {rows} {' '.join(cell.key)} {found.status} {words} {found.wall_s:.1f} s {speed:.0f} items/s"
    print(line, flush=True)  # noqa: T201 - progress of a command


def main() -> None:
    """Record cycles, or time them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "speeds"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--minutes", type=float, default=170.0, help="after which no further cycle is begun")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), help="tasks")
    asked = parser.parse_args()
    if asked.what == "record":
        record(asked.only, asked.data, asked.minutes, asked.workers)
        return
    for row in speeds(asked.only, asked.data):
        append(SPEEDS, SPEED_COLUMNS, [row])
        print(*row, flush=True)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    main()
