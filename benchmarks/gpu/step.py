"""One step of the check in a process of its own, which ``python -m benchmarks.gpu`` starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.gpu import epoch, machine, search, speed, start, tests, together, waits
from benchmarks.gpu.finding import Finding, written
from benchmarks.gpu.setting import Setting, setting_of

STEPS: Mapping[str, Callable[[Setting], Iterator[Finding]]] = {
    "machine": machine.look,
    "start": start.look,
    "tests": tests.look,
    "waits": waits.look,
    "eager": speed.look_eager,
    "search": search.look,
    "epoch": epoch.look,
    "together": together.look,
    "one of several": together.work,
    "compiled": speed.look_compiled,
}


def main(arguments: Sequence[str]) -> None:
    """Tell every finding in a line as it comes."""
    name, *rest = arguments
    for finding in STEPS[name](setting_of(rest)):
        print(written(finding), flush=True)  # noqa: T201 - what the check reads


if __name__ == "__main__":
    main(sys.argv[1:])
