"""The process of a peer, started by `arms`: ``python -m benchmarks.peers.process MODULE JOB OPTIONS``."""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.peers.training import Job


def main(module: str, job: str, options: str) -> None:
    """Run one peer; the others' packages are not even imported."""
    importlib.import_module(f"benchmarks.peers.{module}").run(Job(**json.loads(job)), **json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
