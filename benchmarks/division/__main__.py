"""Stub."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.division.replay import Question, lines, replay
from benchmarks.division.world import TABLE


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["show"])
    parser.add_argument("task")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", type=float)
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--table", type=Path, default=TABLE)
    a = parser.parse_args(arguments)
    for line in lines(replay(Question(a.task, a.minutes, a.workers, a.target, a.baselines, a.table), a.seed)):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
