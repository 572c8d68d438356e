"""From the start of a worker's process to the first steps of its first trial."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.gpu.finding import Finding
from benchmarks.gpu.questions import PATIENCE_S, payload, request
from benchmarks.gpu.setting import Setting
from superconv_tune.core.curve import Curve
from superconv_tune.problems.payload import realise
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Phase
from superconv_tune.trial.trackers import NullTracker

LONGEST_S = 10.0
STEPS = 10  # so that the first block, of two steps, is there as soon as can be


class _First(NullTracker):
    """Notes when the first block of steps was there."""

    def __init__(self) -> None:
        self.at = 0.0

    def record(self, phase: Phase, block: Curve) -> None:
        del phase, block
        self.at = self.at or time.time()


def look(setting: Setting) -> Iterator[Finding]:
    """Imports, the device and its data, and the first two steps of a ResNet-9 on 50,000 images."""
    imported = time.time()
    sent = payload(setting, "resnet9")
    made_s = time.time() - imported  # a worker is sent the data
    question = realise(sent, setting.device)
    setting.wait()
    ready, first = time.time(), _First()
    asked = request(question, setting.size(512, 32), STEPS, setting.precision, time.time() + PATIENCE_S)
    outcome = run(asked, question, first, time.time)
    yield Finding("imports", imported - setting.began, "s")
    yield Finding("data brought to the device", ready - imported - made_s, "s")
    yield Finding("first two steps", first.at - ready, "s", note=f"trial {outcome.status}")
    total = first.at - setting.began - made_s
    holds = total < LONGEST_S and outcome.status == "finished" if setting.is_judged else None
    yield Finding("start to first step", total, "s", holds, f"below {LONGEST_S:g}")
