"""Range tests of every task, from three seeds: ``findings.jsonl``.

    python -m benchmarks.range_test.findings [TASK ...]

What ramps, probes and every peer's rule said. Lines that the file already has are not measured again.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.range_test.tasks import OPTIMIZERS, TASKS
from superconv_tune.core.codec import encode
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.find import FinderPlan, find
from superconv_tune.trial.trackers import NullTracker

FINDINGS = Path(__file__).with_name("findings.jsonl")
SEEDS = 3
WORKERS = 2

Job = tuple[str, str, int]


def measure(job: Job) -> dict[str, Any]:
    """One range test."""
    torch.set_num_threads(1)
    name, optimizer, seed = job
    task = TASKS[name]
    params = replace(Hyperparameters(), batch_size=task.batch_size)
    plan = FinderPlan(optimizer=optimizer, params=params, seed=seed)
    found = find(task.problem(optimizer), plan, NullTracker(), time.time)
    assert found.rule is not None, found.refusal
    assert found.grid is not None
    return {
        "task": name,
        "family": task.family,
        "optimizer": optimizer,
        "seed": seed,
        "range_test": encode(found.range_test),
        "untrained_loss": found.untrained_loss,
        "probe_epochs": found.probe_epochs,
        "rates": found.grid.rates,
        "losses": [-worth for worth in found.grid.worth],
        "peers": dict(found.peers()),
        "quality": found.quality,
        "steps": found.steps,
    }


def read() -> list[dict[str, Any]]:
    """All findings so far."""
    if not FINDINGS.exists():
        return []
    return [json.loads(line) for line in FINDINGS.read_text(encoding="utf-8").splitlines()]


def main(names: list[str]) -> None:
    """Measure what is missing."""
    done = {(line["task"], line["optimizer"], line["seed"]) for line in read()}
    seeds = {name: min(SEEDS, TASKS[name].seeds) for name in names or TASKS}
    jobs = [(name, optimizer, seed) for name in seeds for optimizer in OPTIMIZERS for seed in range(seeds[name])]
    with ProcessPoolExecutor(WORKERS) as pool:
        for found in pool.map(measure, [job for job in jobs if job not in done]):
            with FINDINGS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(found["task"], found["optimizer"], found["seed"], flush=True)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    main(sys.argv[1:])
