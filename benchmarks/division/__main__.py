"""Which way to search loses least against the best in hindsight, over recorded cycles of realistic tasks.

    python -m benchmarks.division show TASK [--minutes 8] [--workers 2] [--seed 0]   # one search, trial by trial
    python -m benchmarks.division --quick [--only TASK ...]                          # a table in a minute or two
    python -m benchmarks.division [--variants] [--jobs N]                            # replays.csv and division.md

The planner as it is runs on a fake clock, and so do small replays of other ways to search (`rivals`), in a world made
of the table of ``benchmarks/cycles`` (`world`, `surface`). Nothing is trained. What ``replays.csv`` has is not
repeated: ``--again ours`` forgets the rows of a competitor first. ``freeze`` keeps the losses of the planner as it is
as those of ``previous``, before it is replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.division import report
from benchmarks.division.replay import Question, lines, replay
from benchmarks.division.rivals import RIVALS
from benchmarks.division.world import TABLE, tasks

HERE = Path(__file__).parent


def show(asked: argparse.Namespace) -> None:
    """One search, trial by trial."""
    known = tasks(asked.table)
    if asked.task not in known:
        raise SystemExit(f"{asked.task!r} is no task of {asked.table / 'cycles.csv'}, which has: {', '.join(known)}.")
    question = Question(asked.task, asked.minutes, asked.workers, asked.target, asked.baselines, asked.table)
    print(*lines(replay(question, asked.seed)), sep="\n")  # noqa: T201 - the result of a command


def quick(asked: argparse.Namespace) -> None:
    """A compact table, from a few seeds; nothing is written, and nothing read but the losses of `PREVIOUS`."""
    names = asked.only or [*tasks(asked.table)]
    jobs = report.jobs_of(asked.table, [report.OURS, *RIVALS], report.QUICK)
    wanted = [job for job in jobs if job.task in names]
    found = dict(report.all_of(wanted, asked.table, asked.jobs, asked.seeds))
    frozen = report.read(_results(asked) / "replays.csv")
    found |= {job: kept for job, kept in frozen.items() if job.competitor == report.PREVIOUS and job.task in names}
    print(*(report.compact(found, place) for place in report.QUICK), sep="\n\n")  # noqa: T201 - the result of a command


def freeze(asked: argparse.Namespace) -> None:
    """Keep the losses of the planner as it is under the name of the previous one."""
    replays = _results(asked) / "replays.csv"
    report.forget(replays, [report.PREVIOUS])
    jobs = report.jobs_of(asked.table, [report.PREVIOUS], report.PLACES)
    report.measure(jobs, asked.table, replays, asked.jobs)


def full(asked: argparse.Namespace) -> None:
    """Replay what is missing, and write the page."""
    replays = _results(asked) / "replays.csv"
    if asked.again:
        report.forget(replays, asked.again)
    if not asked.as_recorded:
        jobs = [*report.full(asked.table), *(report.varied(asked.table) if asked.variants else [])]
        report.measure(jobs, asked.table, replays, asked.jobs)
    page = report.text(report.read(replays), asked.table)
    (_results(asked) / "division.md").write_text(page, encoding="utf-8")
    print(page)  # noqa: T201 - the result of a command


def _results(asked: argparse.Namespace) -> Path:
    """Where the results are written: here, and those of another table beside it."""
    return HERE if asked.table == TABLE else Path(asked.table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.division")
    parser.add_argument("--quick", action="store_true", help="small budgets and few seeds, as a table on the console")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="with --quick: these tasks")
    parser.add_argument("--seeds", type=int, default=report.QUICK_SEEDS, help="with --quick: seeds of each")
    parser.add_argument("--variants", action="store_true", help="variants of the planner too")
    parser.add_argument("--again", nargs="+", metavar="COMPETITOR", help="forget its replays first")
    parser.add_argument("--as-recorded", action="store_true", help="only write the page")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--table", type=Path, default=TABLE, help="folder of cycles.csv and speeds.csv")
    parser.set_defaults(act=None)
    commands = parser.add_subparsers()
    one = commands.add_parser("show", help="one search, trial by trial")
    one.add_argument("task")
    one.add_argument("--minutes", type=float, default=8.0)
    one.add_argument("--workers", type=int, default=2)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--target", type=float, help="points above the best in hindsight")
    one.add_argument("--baselines", action="store_true", help="three to compare with")
    one.add_argument("--table", type=Path, default=TABLE)
    one.set_defaults(act=show)
    commands.add_parser("freeze", help="keep the planner's losses as those of the previous one").set_defaults(
        act=freeze
    )
    return parser


def main(arguments: Sequence[str]) -> None:
    """Do what was asked for."""
    asked = _parser().parse_args(arguments)
    act = asked.act or (quick if asked.quick else full)
    act(asked)


if __name__ == "__main__":
    main(sys.argv[1:])
