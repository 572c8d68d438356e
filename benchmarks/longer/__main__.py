"""What longer cycles reach (``truths.jsonl``), and what the program's searches knew of it (``searches.jsonl``).

    python -m benchmarks.longer truths --data FOLDER [--minutes 60] [--workers 2] [--only TASK ...]
    python -m benchmarks.longer searches --data FOLDER [--minutes 60] [--workers 2] [--only TASK ...]
    python -m benchmarks.longer report           longer.md, reliability.svg, superconv_tune/verdict/calibration.csv

The folder has ``photos10`` and ``animals20`` (``train/CLASS``, ``test/CLASS``) and ``tables`` (``phoneme.csv``,
``abalone.csv``). Further tables come with ``pip install 'superconv-tune[recordings]'``. Tasks that a record has are not
trained again, so that the command goes on where it was stopped; it begins none after ``--minutes``. Accuracies do not
depend on what else runs, nor on how fast the machine is: searches have a clock of their own.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

from benchmarks.longer.library import library
from benchmarks.longer.record import Line, searches_of, truth_of
from benchmarks.longer.report import draw, report, write_library
from benchmarks.longer.tasks import TASKS
from benchmarks.peers.rounds import append, read

CALIBRATION = Path(str(files("superconv_tune.verdict") / "calibration.csv"))
KINDS: dict[str, Callable[[str, Path], Line]] = {"truths": truth_of, "searches": searches_of}
POLITE = 19


def file_of(kind: str) -> Path:
    """The record of a kind."""
    return Path(__file__).with_name(f"{kind}.jsonl")


def record(kind: str, names: Sequence[str], root: Path, minutes: float, workers: int) -> None:
    """Train what the record lacks until the time is over; what was begun by then is finished."""
    os.nice(POLITE)
    end = time.time() + 60.0 * minutes
    known = {line["task"] for line in read(file_of(kind))}
    waiting = [name for name in names if name not in known]
    running: dict[Future[Line], str] = {}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        while running or (waiting and time.time() < end):
            while waiting and len(running) < workers and time.time() < end:
                name = waiting.pop(0)
                running[pool.submit(KINDS[kind], name, root)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, found = running.pop(future), future.result()
                append(file_of(kind), found)
                print(time.strftime("%H:%M:%S"), name, _told(found), flush=True)  # noqa: T201 - progress of a command


def _told(line: Line) -> str:
    errors = [each["error"] for each in line["truths" if "truths" in line else "searches"]]
    return f"errors {', '.join(map(str, errors))} in {line['wall_s']:.0f} s"


def main() -> None:
    """Record tasks, or say how often the verdict would have been right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*KINDS, "report"))
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no further task is begun")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), help="tasks")
    asked = parser.parse_args()
    if asked.what == "report":
        tasks = library(read(file_of("truths")), read(file_of("searches")))
        write_library(tasks, CALIBRATION)
        draw(tasks, Path(__file__).with_name("reliability.svg"))
        Path(__file__).with_name("longer.md").write_text(report(tasks), encoding="utf-8")
        return
    if asked.data is None:
        parser.error("--data: name the folder of the data sets")
    record(asked.what, asked.only, asked.data, asked.minutes, asked.workers)


if __name__ == "__main__":
    main()
