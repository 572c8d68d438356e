"""Strike a real search with every fault, one after the other, and record what it did: ``faults.md``.

    python -m benchmarks.faults             all of them: about 25 minutes on two cores
    python -m benchmarks.faults worker disk   some; the table is printed and not recorded

Each search asks for accuracy 0.995 on the digits within 100 s, with real processes for Ray, MLflow, PostgreSQL and the
disk. The exit code is 1 where anything is wrong afterwards. A full disk needs the right to mount a tmpfs, PostgreSQL
its programs.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

from benchmarks.faults.facts import Facts
from benchmarks.faults.scenarios import EPOCHS, FAULTS, Continued, Fault, long_run
from benchmarks.faults.searching import CONSOLE
from benchmarks.report import machine, table

RESULT = Path(__file__).with_name("faults.md")
LONG_RUN = "train"
HEADER = (
    "fault", "trials completed before", "at the end", "attempts lost", "`--resume`", "trained twice", "MLflow runs",
    "steps twice", "MLflow RUNNING", "Optuna RUNNING", "late, s", "verdict", "wrong",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run the faults of these names, all of them for none; returns the exit code."""
    chosen = names or [*FAULTS, LONG_RUN]
    rows, is_right = [], True
    for name in chosen:
        if name == LONG_RUN:
            continue
        fault = FAULTS[name]
        facts = struck(fault)
        print(fault.words, facts, flush=True)  # noqa: T201 - a command
        is_right &= not facts.wrong
        rows.append(row(fault, facts))
    text = page(rows, continued() if LONG_RUN in chosen else None)
    print(text)  # noqa: T201
    if not names:
        RESULT.write_text(text, encoding="utf-8")
    return 0 if is_right else 1


def struck(fault: Fault) -> Facts:
    """What became of a search under this fault, in a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="superconv_tune_fault_") as folder:
        facts = fault.strike(Path(folder))
        if facts.wrong:
            print((Path(folder) / CONSOLE).read_text(encoding="utf-8"))  # noqa: T201 - what the search said
        return facts


def continued() -> Continued:
    """What became of a long run."""
    with tempfile.TemporaryDirectory(prefix="superconv_tune_fault_") as folder:
        return long_run(Path(folder))


def row(fault: Fault, facts: Facts) -> list[object]:
    """Its line in the table."""
    *numbers, wrong = astuple(facts)
    return [fault.words, *numbers, "; ".join(wrong) or "nothing"]


def page(rows: list[list[object]], run: Continued | None) -> str:
    """The recorded page."""
    parts = [
        "# What a search does under faults",
        f"`python -m benchmarks.faults` on {machine()}.",
        table(HEADER, rows),
    ]
    if run is not None:
        parts.append(
            f"`train`, {EPOCHS} epochs, SIGKILL after epoch {run.killed_after}: the same command went on with epoch "
            f"{run.first}; {run.different} steps differ from an undisturbed run; test {run.test[0]:.4f} and "
            f"{run.test[1]:.4f}."
        )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
