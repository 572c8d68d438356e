"""Whether any step makes the host wait for the GPU: torch itself says so."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.gpu.finding import Finding, left_out
from benchmarks.gpu.questions import PATIENCE_S, problem, request
from benchmarks.gpu.setting import Setting
from superconv_tune.data.batches import Batch
from superconv_tune.problems.problem import BatchSource
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

STEPS = 500
BLOCK = 50  # steps between two reads of the losses; see superconv_tune.trial.cycle
BATCH = 512
SIGN = "called a synchronizing CUDA operation"


class _NoWaiting:
    """A source during whose steps waiting is an error, except in the first and the last step of a block.

    Between these two nothing is read; the error holds until the next batch is asked for, which is the whole step.
    """

    def __init__(self, source: BatchSource) -> None:
        self._source = source
        self.steps = 0

    def steps_per_epoch(self, batch_size: int) -> int:
        return self._source.steps_per_epoch(batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        batches = self._source.stream(batch_size, seed, first_step)
        try:
            for number in itertools.count(first_step):
                is_inside = 0 < number % BLOCK < BLOCK - 1
                torch.cuda.set_sync_debug_mode("error" if is_inside else "default")
                yield next(batches)
                self.steps += is_inside
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def part(self, share: float, seed: int) -> BatchSource:
        raise NotImplementedError


def look(setting: Setting) -> Iterator[Finding]:
    """Every step of a trial under the ban, then a count of all waits of a trial of one length and of twice that."""
    if not setting.on_gpu:
        yield left_out("steps in which the host does not wait", "needs CUDA")
        return
    question = problem(setting, "resnet9", augment=("flip", "shift", "cutout"))
    source = _NoWaiting(question.train)
    asked = request(question, BATCH, STEPS, "bf16", time.time() + PATIENCE_S)
    outcome = run(asked, replace(question, train=source), NullTracker(), time.time)
    whole = outcome.status == "finished" and source.steps >= 0.9 * STEPS
    yield Finding("steps in which the host does not wait", source.steps, f"of {STEPS}", whole, outcome.reason)
    counts = []
    for steps in (STEPS, 2 * STEPS):
        asked = request(question, BATCH, steps, "bf16", time.time() + PATIENCE_S)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                run(asked, question, NullTracker(), time.time)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        counts.append(sum(SIGN in str(warning.message) for warning in caught))
        yield Finding(f"waits of a whole trial of {steps} steps", counts[-1])
    blocks = STEPS // BLOCK
    more = counts[1] - counts[0]
    yield Finding(f"waits of {STEPS} steps more", more, "", more <= blocks, f"at most one per block, {blocks}")
