"""Cause every fault in a real search, one after the other, and record what it did: ``faults.csv``, ``faults.md``.

    python -m benchmarks.faults               those that the table lacks; all in one go
    python -m benchmarks.faults worker disk   these again

Each search asks for accuracy 0.8 on the digits, with real processes for Ray, MLflow, PostgreSQL and a real disk.
The exit code is 1 where anything is wrong afterwards. A full disk needs the right to mount, PostgreSQL its programs.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.faults.scenarios import EPOCHS, FAULTS, LONG_RUN, long_run
from benchmarks.report import machine, table
from benchmarks.searching import CONSOLE
from benchmarks.servers.nodes import descendants

TABLE, RESULT = (Path(__file__).with_name(f"faults.{kind}") for kind in ("csv", "md"))
LOAD = (
    "Rows with a budget of 120 s were recorded while other programs kept both cores busy, ten to a core; under this "
    "load attempts at some of the missing ones ended before the fault could strike."
)
COLUMNS = {
    "before": "trials completed before",
    "after": "at the end",
    "lost": "attempts lost",
    "resumed": "`--resume`",
    "twice": "trained twice",
    "runs": "MLflow runs",
    "repeated": "steps twice",
    "running": "MLflow RUNNING",
    "ghosts": "Optuna RUNNING",
    "late_s": "late, s",
    "budget_s": "budget, s",
    "verdict": "verdict",
    "wrong": "wrong",
}

Rows = dict[str, dict[str, str]]


def main(names: list[str]) -> int:
    """Cause the faults of these names, or those not recorded yet if there are none; returns the exit code."""
    rows = recorded()
    for name in names or [name for name in (*FAULTS, LONG_RUN) if name not in rows]:
        rows[name] = struck(name)
        print(name, rows[name], flush=True)  # noqa: T201 - a command
        keep(rows)
    RESULT.write_text(page(rows), encoding="utf-8")
    return 1 if any(row["wrong"] for row in rows.values()) else 0


def struck(name: str) -> dict[str, str]:
    """The result of one fault, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="superconv_tune_fault_") as place:
        folder = Path(place)
        if name == LONG_RUN:
            run = long_run(folder)
            wrong = "" if run.different == 0 and run.test[0] == run.test[1] else f"another curve: {run}"
            return {"before": str(run.killed_after), "after": str(run.first), "wrong": wrong}
        try:
            facts = FAULTS[name].strike(folder)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return {"wrong": str(error)}
        finally:
            for pid in descendants(os.getpid()):  # so that nothing is left if it did not end by itself
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if facts.wrong:
            print((folder / CONSOLE).read_text(encoding="utf-8"))  # noqa: T201 - what the search said
        return {key: str(value) for key, value in asdict(facts).items()} | {
            "late_s": f"{facts.late_s:.0f}",
            "budget_s": f"{facts.budget_s:.0f}",
            "wrong": "; ".join(facts.wrong),
        }


def recorded() -> Rows:
    """The rows of earlier runs."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row.pop("fault"): row for row in csv.DictReader(file)}


def keep(rows: Rows) -> None:
    """Write all rows, in the order of the faults."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("fault", *COLUMNS), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({"fault": name, **rows[name]} for name in (*FAULTS, LONG_RUN) if name in rows)


def page(rows: Rows) -> str:
    """The recorded page."""
    lines = [
        [fault.words, *(rows[name].get(key, "") or "nothing" for key in COLUMNS)]
        for name, fault in FAULTS.items()
        if name in rows
    ]
    parts = [
        "# What a search does under faults",
        f"`python -m benchmarks.faults` on {machine()}.",
        "*Completed* trials came back and need not run again; *late* counts from the deadline to the end of the "
        "driver's process, so that negative seconds are time left; *wrong* is whatever the checks of "
        "`benchmarks/faults/facts.py` found. Rows with a budget of 1800 s were recorded before the tight budget: their "
        "search was decided early, and late counts to their last file.",
        table(["fault", *COLUMNS.values()], lines),
    ]
    missing = [fault.words for name, fault in FAULTS.items() if name not in rows]
    if missing:
        parts.append(f"Not recorded yet: {'; '.join(missing)}. {LOAD}")
    if LONG_RUN in rows:
        run = rows[LONG_RUN]
        parts.append(
            f"`train` over {EPOCHS} epochs, SIGKILL after epoch {run['before']}: the same command went on with epoch "
            f"{run['after']}; " + (run["wrong"] or "every loss and the test value are those of an undisturbed run.")
        )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
