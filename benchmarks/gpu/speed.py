"""Throughput of a whole trial against a bare loop of the same steps, in pairs."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator

from benchmarks.gpu.finding import Finding, left_out
from benchmarks.gpu.questions import compiled, problem
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import Work

LEAST_RATIO = 0.97
MODELS = ("resnet9", "resnet_cifar")
BATCHES = (128, 1024, 512, 256)  # the ends first, should the time not do for all
COMPILED_BATCHES = (512, 128, 1024, 256)
PAIRS = 5
PAIR_S = 3.0  # of trial and bare loop together
WARM_STEPS = 10
NEEDED_S = 20.0  # by one line
NEEDED_COMPILED_S = 35.0


def look_eager(setting: Setting) -> Iterator[Finding]:
    """Both models at every batch size."""
    for batch_size, model in itertools.product(_batches(setting, BATCHES), MODELS):
        yield from _compare(setting, model, batch_size, "")


def look_compiled(setting: Setting) -> Iterator[Finding]:
    """The same with ``torch.compile``, at as many batch sizes as the time allows: each is compiled anew."""
    backend = "eager" if setting.is_tiny else "inductor"  # without a compiler only the code is looked at
    for batch_size, model in itertools.product(_batches(setting, COMPILED_BATCHES), MODELS):
        yield from _compare(setting, model, batch_size, backend)


def _batches(setting: Setting, sizes: tuple[int, ...]) -> tuple[int, ...]:
    return (32,) if setting.is_tiny else sizes


def _compare(setting: Setting, model: str, batch_size: int, backend: str) -> Iterator[Finding]:
    name = f"{model}, batch {batch_size}, {'compiled' if backend else 'eager'}"
    if setting.left_s() < (NEEDED_COMPILED_S if backend else NEEDED_S):
        yield left_out(name, "the time of this step is over")
        return
    question = problem(setting, model)
    work = Work(setting, compiled(question, backend) if backend else question, batch_size)
    work.trial(setting.size(WARM_STEPS, 2))  # loads and compiles what is loaded and compiled once
    steps = setting.size(0, 4) or max(2 * WARM_STEPS, round(PAIR_S / 2 / (work.bare_s(WARM_STEPS) / WARM_STEPS)))
    pairs = [_pair(work, steps, number) for number in range(setting.size(PAIRS, 1))]
    ratios = sorted(bare / trial for trial, bare in pairs)
    ratio = statistics.median(ratios)
    holds = ratio >= LEAST_RATIO if setting.is_judged else None
    note = f"at least {LEAST_RATIO}, {steps} steps, pairs from {ratios[0]:.3f} to {ratios[-1]:.3f}"
    yield Finding(f"{name}: trial over bare loop", ratio, "", holds, note)
    for what, seconds in zip(("trial", "bare loop"), zip(*pairs, strict=True), strict=True):
        yield Finding(f"{name}: {what}", batch_size * steps / statistics.median(seconds), "images/s")


def _pair(work: Work, steps: int, number: int) -> tuple[float, float]:
    """Seconds of the trial's steps and of the bare loop's; each goes first every other time."""
    if number % 2:
        bare = work.bare_s(steps)
        return work.trial(steps).train_s, bare
    return work.trial(steps).train_s, work.bare_s(steps)
