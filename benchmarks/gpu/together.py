"""One, two and four small trials at once on one GPU, each in a process of its own, as a search shares it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks.gpu.finding import Finding, read
from benchmarks.gpu.questions import problem
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import Work
from superconv_tune.training.gpu_share import AT_ONCE, Load, chosen

MODEL, BATCH = "resnet_cifar", 128
SECONDS = 4.0  # of one measurement
WARM_STEPS = 20

Process = subprocess.Popen[str]


def look(setting: Setting) -> Iterator[Finding]:
    """Steps per second of all together; the processes are started once, and some of them idle at first."""
    counts = (1, 2) if setting.is_tiny else AT_ONCE
    with ExitStack() as stack:
        processes = [stack.enter_context(_started(setting)) for _ in range(counts[-1])]
        for process in processes:
            _answer(process)  # it has loaded what is loaded once
        alone = _trained(processes[:1], setting.size(WARM_STEPS, 2))
        steps = setting.size(max(WARM_STEPS, round(SECONDS * alone)), 4)
        loads = []
        for count in counts:
            loads.append(Load(count, _trained(processes[:count], steps)))
            name = f"{count} at once, {MODEL}, batch {BATCH}: all together"
            yield Finding(name, BATCH * loads[-1].steps_per_s, "images/s", note=f"{steps} steps each")
        yield Finding("a search would run", chosen(loads).trials, "at once")
        for process in processes:
            process.communicate("")


def work(setting: Setting) -> Iterator[Finding]:
    """One of the processes: trains as many steps as a line of its input says, and answers with steps per second."""
    question = problem(setting, MODEL)
    trains = Work(setting, question, setting.size(BATCH, 32))
    trains.trial(setting.size(WARM_STEPS, 2))
    yield Finding("ready", 0.0)
    for line in sys.stdin:
        outcome = trains.trial(int(line))
        yield Finding("steps per second", outcome.steps / outcome.train_s)


def _started(setting: Setting) -> Process:
    command = [sys.executable, "-m", "benchmarks.gpu.step", "one of several", *setting.arguments()]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _answer(process: Process) -> float:
    """The next number that it found."""
    assert process.stdout is not None
    for line in process.stdout:
        finding = read(line)
        if finding is not None:
            assert isinstance(finding.value, float)
            return finding.value
    raise RuntimeError(f"A process ended with the exit code {process.wait()}.")


def _trained(processes: Sequence[Process], steps: int) -> float:
    """Steps per second of all of them, training at the same time."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{steps}\n")
        process.stdin.flush()
    return sum(map(_answer, processes))
