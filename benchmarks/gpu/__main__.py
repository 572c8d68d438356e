"""Whether everything that touches a GPU works there, and how fast, in less than eight minutes: ``README.md``.

    python -m benchmarks.gpu                          every step, on the first GPU
    python -m benchmarks.gpu --steps start,eager      these steps
    python -m benchmarks.gpu --tiny                   at sizes that a CPU does in a minute; no speed is judged

Each step is a process that is ended at its limit, so that one that hangs costs no other. Findings are printed as they
come and written to ``OUT/findings.json``. The exit code is 1 where something is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.gpu.finding import Finding, left_out, read
from benchmarks.gpu.plan import END_S, LIMITS_S, TINY_PATIENCE, TOTAL_S

ROOT = Path(__file__).parents[2]
FASHION = Path("/usr/share/datasets/fashion-mnist")
LEAST_S = 10.0  # that a step begins with
MODULE = "benchmarks.gpu.step"


@dataclass
class Check:
    """The check so far.

    Attributes:
        out: folder for its files.
        data: folder of Fashion-MNIST.
        is_tiny: at sizes for a CPU.
        found: by step.
        seconds: that every step took.
    """

    out: Path
    data: Path
    is_tiny: bool
    found: dict[str, list[Finding]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, step: str, finding: Finding) -> None:
        """Print it, and write everything down."""
        print(f"  {finding.line()}", flush=True)  # noqa: T201 - a command
        self.found.setdefault(step, []).append(finding)
        self.write()

    def write(self) -> None:
        """All findings so far, as JSON."""
        content = {
            "tiny": self.is_tiny,
            "passed": self.passed,
            "seconds": self.seconds,
            "steps": {step: [asdict(finding) for finding in found] for step, found in self.found.items()},
        }
        (self.out / "findings.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @property
    def patience(self) -> float:
        """Times as long as planned."""
        return TINY_PATIENCE if self.is_tiny else 1.0

    @property
    def passed(self) -> bool:
        """Whether nothing so far is other than it must be."""
        return all(finding.holds is not False for found in self.found.values() for finding in found)

    def look(self, step: str, left_s: float) -> None:
        """Run a step to its end or to its limit."""
        print(f"{step}:", flush=True)  # noqa: T201 - a command
        limit_s = min(LIMITS_S[step] * self.patience, left_s)
        if limit_s < LEAST_S:
            self.take(step, left_out(step, "the time of the whole check is over"))
            return
        began = time.time()
        last = [str(self.out), str(self.data), str(began), str(began + limit_s - END_S)]
        command = [sys.executable, "-m", MODULE, step, *last, *(["--tiny"] if self.is_tiny else [])]
        with ended_after(command, limit_s) as process:
            assert process.stdout is not None
            for line in process.stdout:
                finding = read(line)
                if finding is not None:
                    self.take(step, finding)
                else:
                    print(f"  | {line.rstrip()}", flush=True)  # noqa: T201 - what it said
            code = process.wait()
        self.seconds[step] = time.time() - began
        if code:
            is_late = self.seconds[step] >= limit_s
            why = f"ended at its limit of {limit_s:.0f} s" if is_late else f"ended with the exit code {code}"
            self.take(step, Finding(step, why, holds=False))


@contextmanager
def ended_after(command: list[str], seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process whose output is one stream; it and all that it started are killed when the time is over."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        watch = threading.Timer(seconds, _kill, [process.pid])
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            _kill(process.pid)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run the steps; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="sizes that a CPU does in a minute; no speed is judged")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder for findings.json and the search")
    parser.add_argument("--data", type=Path, default=FASHION, help="folder of Fashion-MNIST, if it is elsewhere")
    parser.add_argument("--steps", default=",".join(LIMITS_S), help="names with commas between: %(default)s")
    given = parser.parse_args(arguments)
    steps = given.steps.split(",")
    unknown = set(steps) - set(LIMITS_S)
    if unknown:
        parser.error(f"--steps: {', '.join(sorted(unknown))} is unknown. Known: {', '.join(LIMITS_S)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    check, began = Check(given.out.absolute(), given.data.absolute(), given.tiny), time.time()
    for step in steps:
        check.look(step, TOTAL_S * check.patience - (time.time() - began))
    check.write()
    print(f"{'PASS' if check.passed else 'FAIL'} after {time.time() - began:.0f} s: {check.out / 'findings.json'}")  # noqa: T201
    return 0 if check.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
