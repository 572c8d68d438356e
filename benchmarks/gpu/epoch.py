"""Seconds of an epoch of ResNet-9 on 50,000 coloured images that lie on the device."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.gpu.finding import Finding
from benchmarks.gpu.questions import problem
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import Work

BATCH = 1024
EPOCHS = 3
AUGMENTED = ("flip", "shift", "cutout")


def look(setting: Setting) -> Iterator[Finding]:
    """With and without augmentation, from whole trials."""
    batch_size = setting.size(BATCH, 32)
    for augment in ((), AUGMENTED):
        question = problem(setting, "resnet9", augment=augment)
        work = Work(setting, question, batch_size)
        work.trial(setting.size(10, 2))
        outcome = work.trial(EPOCHS * question.train.steps_per_epoch(batch_size))
        words = "with flip, shift and cutout" if augment else "without augmentation"
        yield Finding(f"an epoch {words}", outcome.train_s / EPOCHS, "s", note=f"batch {batch_size}")
        yield Finding(f"evaluation of {len(question.validation):,} images", outcome.eval_s, "s")
    record = "the record of 94 % on CIFAR-10 takes about 2 s for its whole training on an A100"
    yield Finding("to hold it against", record)
