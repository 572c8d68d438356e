"""Thirty real searches of one to three minutes, in each of which trials go wrong: ``deadlines.md``.

    python -m benchmarks.deadlines [--searches 30] [--at-once 1]

Every search is a whole process with its own Ray. Wall seconds are those of the process, from its start to its end.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import machine, table
from benchmarks.searching import Search

FOLDER = Path(__file__).parent
TROUBLED = FOLDER / "troubled.py"
SPEC = """
name: troubled
task: {{factory: "{factory}:task", args: {{share: {share}}}}}
target: {target}
baselines: none
space: {{cycle_epochs: {{low: 1, high: 40, log: true}}}}
"""
SHARES = (0.15, 0.3, 0.5)  # of the seeds, whose models go wrong
TARGETS = (0.85, 0.93, 0.99)
BUDGETS_S = (60, 75, 90, 120, 180)
GRACE = (0.01, 5.0)  # share of the budget, and seconds; the larger one is allowed
PATIENCE_S = 120.0  # past the budget, then the search is given up


@dataclass(frozen=True)
class Ended:
    """How one search ended."""

    budget_s: float
    wall_s: float
    code: int
    verdict: str
    trials: dict[str, int]

    @property
    def over_s(self) -> float:
        """Seconds past the deadline; negative where it ended early."""
        return self.wall_s - self.budget_s

    @property
    def held(self) -> bool:
        """Whether it ended by the deadline, with a verdict."""
        return self.code == 0 and self.over_s <= max(GRACE[0] * self.budget_s, GRACE[1])


def search(number: int, workers: int | None) -> Ended:
    """One search as a process in a folder of its own."""
    budget_s = BUDGETS_S[number % len(BUDGETS_S)]
    share, target = SHARES[number % len(SHARES)], TARGETS[number // len(SHARES) % len(TARGETS)]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--budget", f"{budget_s}s", "--seed", str(number), *(["--workers", str(workers)] if workers else [])]
        spec = SPEC.format(factory=TROUBLED, share=share, target=target)
        asked = Search(Path(folder), tuple(options), spec=spec)
        started = time.monotonic()
        asked.begin()
        try:
            code = asked.end(budget_s + PATIENCE_S)
        except subprocess.TimeoutExpired:
            asked.kill()
            code = -signal.SIGKILL
        wall_s = time.monotonic() - started
        found = asked.verdict()
    return Ended(budget_s, wall_s, code, str(found.get("verdict", "none")), found.get("trials", {}))


def report(ended: Sequence[Ended]) -> str:
    """What is recorded."""
    over = np.array([end.over_s for end in ended])
    past = f"mean {over.mean():.1f}, standard deviation {over.std():.1f}, most {over.max():.1f}"
    trials: Counter[str] = Counter()
    for end in ended:
        trials.update({status: count for status, count in end.trials.items() if count})
    rows = [
        (end.budget_s, end.wall_s, end.over_s, end.code, end.verdict, sum(end.trials.values()), end.held)
        for end in ended
    ]
    return "\n\n".join(
        [
            "# Searches whose trials go wrong",
            f"`python -m benchmarks.deadlines --searches {len(ended)}`; {machine()}.",
            f"{sum(end.held for end in ended)} of {len(ended)} ended with a verdict and no later than the larger of "
            f"{GRACE[0]:.0%} and {GRACE[1]:g} s after the deadline. Seconds past it: {past}. Verdicts: "
            f"{_counted([end.verdict for end in ended])}. Status of the trials: "
            f"{', '.join(f'{count} {status}' for status, count in trials.most_common())}.",
            table(("budget s", "wall s", "past it s", "exit code", "verdict", "trials", "held"), rows),
        ]
    )


def _counted(words: Sequence[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def main() -> None:
    """Run them, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=30)
    parser.add_argument(
        "--at-once", type=int, default=1, help="number of searches that run at once; with several, each has one worker"
    )
    asked = parser.parse_args()
    workers = 1 if asked.at_once > 1 else None
    with ThreadPoolExecutor(asked.at_once) as pool:
        ended = []
        for end in pool.map(lambda number: search(number, workers), range(asked.searches)):
            ended.append(end)
            print(end, flush=True)  # noqa: T201 - progress of a command
    (FOLDER / "deadlines.md").write_text(report(ended) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
