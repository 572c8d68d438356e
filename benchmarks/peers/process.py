"""The process of a peer: ``python -m benchmarks.peers.process PEER TASK``, started by `competitors`."""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.peers.training import Task


def main(peer: str, task: str) -> None:
    """Run one peer; the others' packages are not even imported."""
    importlib.import_module(f"benchmarks.peers.{peer}").run(Task(**json.loads(task)))


if __name__ == "__main__":
    main(*sys.argv[1:])
