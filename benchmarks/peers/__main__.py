"""Our search against what a careful person would do instead: ``peers.md``.

    python -m benchmarks.peers --data FOLDER                                  everything: about nine hours
    python -m benchmarks.peers --data FOLDER --only photos10 phoneme/ours     one task, and one arm of another
    python -m benchmarks.peers --report                                       the tables again

FOLDER has photos10/ and animals20/, each with train/CLASS/*.jpg and test/CLASS/*.jpg, and tables/phoneme.csv. Every arm
is a process of its own, whose clock starts when it is started. A run that ends, or fails, becomes a line of
``record.jsonl``; a command that is given again goes on where it was stopped. Run it where nothing else computes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.peers.arms import ARMS, Asked, run_arm
from benchmarks.peers.report import report
from benchmarks.peers.rounds import Round, append, chosen, read, rounds, unfinished
from benchmarks.peers.tasks import TASKS

HERE = Path(__file__).parent


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="+", default=[], metavar="TASK/ARM", help="TASK, TASK/ARM or /ARM")
    parser.add_argument("--seconds", type=float, default=300.0, help="time of every arm (default: 300)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--report", action="store_true", help="run nothing, and write the tables again")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of record.jsonl and peers.md")
    given = parser.parse_args()
    if given.data is None and not given.report:
        parser.error("--data: name the folder of the data sets, or ask for --report alone")
    unknown = [each for each in given.only if not chosen([Round(t, 0, tuple(ARMS)) for t in TASKS], [each])]
    if unknown:
        parser.error(f"--only: unknown: {', '.join(unknown)}. Tasks: {', '.join(TASKS)}. Arms: {', '.join(ARMS)}")
    return given


def main() -> None:
    """Run what is missing, write a line for each run, and the tables."""
    given = arguments()
    given.output.mkdir(parents=True, exist_ok=True)
    record = given.output / "record.jsonl"
    if not given.report:
        path = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(path)  # workers of Ray import this package too
        wanted = chosen(rounds(list(TASKS), list(ARMS), given.repeats), given.only)
        for each in unfinished(wanted, read(record), given.seconds):
            play(each, given.data, given.seconds, record)
    (given.output / "peers.md").write_text(report(read(record)), encoding="utf-8")


def play(each: Round, data: Path, seconds: float, record: Path) -> None:
    """Run the arms of a round one after the other."""
    with tempfile.TemporaryDirectory(prefix="peers-") as shared:
        task = TASKS[each.task]
        asked = Asked.of(task.spec(each.task, data, Path(shared), each.seed), task.unit_epochs, seconds, each.seed)
        for arm in each.arms:
            with tempfile.TemporaryDirectory(prefix="arm-", dir=shared) as folder:
                result = run_arm(arm, asked, Path(folder))
            run = {"task": each.task, "arm": arm, "repeat": each.repeat, "seconds": seconds}
            append(record, {**run, "seed": each.seed, **asdict(result)})
            print(each.task, each.repeat, arm, result.test, result.failure, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    main()
