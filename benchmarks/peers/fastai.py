"""fastai's recipe by hand: one range test, the valley, one-cycle of 1, 2, 4, 8 … epochs until the time is up.

Defaults of fastai 2.8: ``lr_find`` with 100 steps from 1e-7 to 10, AdamW with weight decay 0.01, batches of 64.
"""

from __future__ import annotations

import time
from itertools import chain, count

import numpy as np
import torch

from benchmarks.peers.questions import Question, question
from benchmarks.peers.training import Diary, Recipe, Task, Trainer
from superconv_tune.core.curve import Curve
from superconv_tune.lr.pick_rules import valley

THREADS = 2
STEPS, LOWEST, HIGHEST = 100, 1e-7, 10.0
DEFAULT_LR = 1e-3  # fastai's own default, if the curve has no valley
BATCH_SIZE, WEIGHT_DECAY = 64, 0.01
SAFETY = 1.05  # factor on the measured seconds of an epoch


def run(task: Task) -> None:
    """Train until the deadline."""
    torch.set_num_threads(THREADS)
    asked, diary = question(task.question), Diary(task.folder)
    started = time.perf_counter()
    lr = range_test(asked, task.seed)
    diary.note(time.perf_counter() - started, 0.0)
    epochs, epoch_s, number = 1, 0.0, 0
    while epochs:
        began = time.time()
        trainer = Trainer(asked, Recipe(epochs, lr, WEIGHT_DECAY, BATCH_SIZE, task.seed + number, one_cycle=True))
        for train_s, eval_s, validation in trainer.epochs(task.deadline):
            diary.note(train_s, eval_s, validation, trainer.model)
        epoch_s = (time.time() - began) / epochs
        number += 1
        epochs = next_length(epochs, int((task.deadline - time.time()) / (SAFETY * epoch_s)))


def next_length(last: int, fitting: int) -> int:
    """Twice the last length, or the longest that fits if it is longer than the last one; 0 to end."""
    longest = min(2 * last, fitting)
    return longest if longest > last else 0


def range_test(asked: Question, seed: int) -> float:
    """The valley of one exponential ramp."""
    trainer = Trainer(asked, Recipe(1, LOWEST, WEIGHT_DECAY, BATCH_SIZE, seed, one_cycle=True))
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(STEPS) / (STEPS - 1))
    losses: list[float] = []
    batches = chain.from_iterable(trainer.batches() for _ in count())
    for lr in rates:
        for group in trainer.optimizer.param_groups:
            group["lr"], group["betas"] = float(lr), (0.95, 0.99)
        losses.append(float(trainer.step(*next(batches))))
    zeros = np.zeros(STEPS)
    return valley(Curve(np.arange(STEPS, dtype=float), rates, zeros, np.array(losses), zeros)) or DEFAULT_LR
