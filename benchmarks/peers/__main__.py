"""Our search against three that a user would pick instead: ``peers.md``.

    python -m benchmarks.peers --minutes 10 --repeats 3 --data fashion
    python -m benchmarks.peers --minutes 3 --repeats 3 --data mnist1d

Same data, model, cores (two) and minutes, in one run, the order rotated. Each competitor is a process of its own,
whose clock starts when it is started. Every run becomes a line of ``runs.jsonl``; the tables are made of all lines, so
that runs of several days or lengths stand side by side. Run it where nothing else computes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.peers.competitors import NAMES, compete
from benchmarks.peers.questions import SPECS, question
from benchmarks.peers.report import report

HERE = Path(__file__).parent
SEED_STEP = 1000  # between the seeds of two repeats; a competitor counts its trials up from its seed


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, required=True, help="time of every competitor, in every repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", choices=SPECS, default="fashion")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--label", default="", help="note on these runs for the title of their tables")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of runs.jsonl and peers.md")
    return parser.parse_args()


def main() -> None:
    """Run all competitors, write a line for each, and the tables."""
    chosen = arguments()
    chosen.output.mkdir(parents=True, exist_ok=True)
    path = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)  # workers of Ray import this package too
    asked, runs = question(chosen.data), chosen.output / "runs.jsonl"
    for repeat in range(chosen.repeats):
        turn = repeat % len(chosen.only)
        for place, competitor in enumerate([*chosen.only[turn:], *chosen.only[:turn]]):
            with tempfile.TemporaryDirectory(prefix="peers-") as folder:
                seed = SEED_STEP * (repeat + 1)
                account = compete(competitor, chosen.data, asked, 60.0 * chosen.minutes, seed, Path(folder))
            asked_for = {"data": chosen.data, "minutes": chosen.minutes, "label": chosen.label}
            line = {**asked_for, "repeat": repeat, "place": place, **asdict(account)}
            with runs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(repeat, competitor, account.delivered, account.note, flush=True)  # noqa: T201 - progress
    lines = [json.loads(line) for line in runs.read_text(encoding="utf-8").splitlines()]
    (chosen.output / "peers.md").write_text(report(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
