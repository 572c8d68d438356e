"""A plain training loop for the competitors, as fast as a hand-written one, and the diary that they keep."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from benchmarks.peers.questions import Question

EVALUATION_BATCH = 1000
MOMENTUM = 0.9
LEAST_TRIALS = 10  # full trainings that should fit into the time, about; longer trainings are not searched
RATES, DECAYS = (1e-4, 1.0), (1e-6, 1e-2)  # log-uniform


@dataclass(frozen=True)
class Task:
    """What a competitor is given.

    Attributes:
        question: a name in `SPECS`.
        started: Unix time at which its process was started.
        deadline: Unix time; what comes later does not count.
        seed: seed of its random choices.
        folder: folder for the diary and the models.
    """

    question: str
    started: float
    deadline: float
    seed: int
    folder: str


@dataclass(frozen=True)
class Entry:
    """One line of a diary: an epoch (or a range test) that ended.

    Attributes:
        at: Unix time of its end.
        train_s: wall-clock seconds in training steps.
        eval_s: the same in evaluation.
        validation: accuracy.
        model: file of the weights, if they are the best of this process so far.
    """

    at: float
    train_s: float
    eval_s: float
    validation: float | None
    model: str | None


class Diary:
    """What a process did, line by line, and its best weights so far.

    Args:
        folder: shared by all processes of a competitor.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._best = -1.0
        self._kept = 0

    def note(
        self, train_s: float, eval_s: float, validation: float | None = None, model: nn.Module | None = None
    ) -> None:
        """Write one line."""
        file: str | None = None
        if model is not None and validation is not None and validation > self._best:
            self._best = validation
            self._kept += 1
            file = f"model-{os.getpid()}-{self._kept}.pt"
            torch.save(model.state_dict(), self._folder / file)
        with (self._folder / f"diary-{os.getpid()}.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(Entry(time.time(), train_s, eval_s, validation, file))) + "\n")


def read_diaries(folder: Path) -> list[Entry]:
    """All lines of all processes, in the order of time; a line that a killed process cut off is left out."""
    lines = [
        line for file in folder.glob("diary-*.jsonl") for line in file.read_text("utf-8").splitlines(keepends=True)
    ]
    return sorted((Entry(**json.loads(line)) for line in lines if line.endswith("\n")), key=lambda entry: entry.at)


@dataclass(frozen=True)
class Recipe:
    """How one training runs; SGD with a cosine, or fastai's AdamW with a one-cycle.

    Attributes:
        epochs: its length.
        lr: first learning rate of the cosine, or peak of the one-cycle.
        weight_decay: of all parameters.
        batch_size: examples per step.
        seed: of weights and batches.
        one_cycle: fastai's ``fit_one_cycle``.
    """

    epochs: int
    lr: float
    weight_decay: float
    batch_size: int
    seed: int
    one_cycle: bool = False


class Trainer:
    """One model in training.

    Args:
        asked: data and model.
        recipe: how.
    """

    def __init__(self, asked: Question, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self._asked, self._recipe = asked, recipe
        self.model = asked.make_model()
        if any(isinstance(module, nn.Conv2d) for module in self.model.modules()):
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.steps_per_epoch = len(asked.train[1]) // recipe.batch_size
        make = _adamw if recipe.one_cycle else _sgd
        self.optimizer = make(self.model, recipe)
        self._scheduler = self._schedule()

    def _schedule(self) -> LRScheduler:
        steps = self._recipe.epochs * self.steps_per_epoch
        if not self._recipe.one_cycle:
            return CosineAnnealingLR(self.optimizer, steps)
        # fastai's fit_one_cycle: pct_start 0.25, div 25, div_final 1e5 (of the peak), momentum 0.95-0.85-0.95
        return OneCycleLR(
            self.optimizer, self._recipe.lr, total_steps=steps, pct_start=0.25, div_factor=25.0, final_div_factor=4e3
        )

    def epochs(self, deadline: float) -> Iterator[tuple[float, float, float]]:
        """After every epoch the seconds in training and in evaluation, and the accuracy on the validation part.

        It ends early where the deadline has passed.
        """
        for _ in range(self._recipe.epochs):
            started = time.perf_counter()
            for step in self.batches():
                self.step(*step)
                self._scheduler.step()
                if time.time() > deadline:
                    return
            trained = time.perf_counter()
            validation = accuracy(self.model, self._asked.validation)
            yield trained - started, time.perf_counter() - trained, validation

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch, by a permutation of tensors in memory."""
        inputs, targets = self._asked.train
        order = torch.randperm(len(targets))
        for index in range(self.steps_per_epoch):
            rows = order[index * self._recipe.batch_size : (index + 1) * self._recipe.batch_size]
            yield inputs[rows], targets[rows]

    def step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One optimizer step; the loss before it."""
        loss = F.cross_entropy(self.model(inputs), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()


def _sgd(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(), recipe.lr, MOMENTUM, weight_decay=recipe.weight_decay, nesterov=True, fused=True
    )


def _adamw(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The default optimizer of fastai."""
    return torch.optim.AdamW(
        model.parameters(), recipe.lr, (0.95, 0.99), eps=1e-5, weight_decay=recipe.weight_decay, fused=True
    )


@torch.inference_mode()
def accuracy(model: nn.Module, part: tuple[Tensor, Tensor]) -> float:
    """Share of a part that the model gets right; the model is in training mode again afterwards."""
    model.eval()
    inputs, targets = part
    right = torch.zeros((), dtype=torch.long)
    for x, y in zip(torch.split(inputs, EVALUATION_BATCH), torch.split(targets, EVALUATION_BATCH), strict=True):
        right += (model(x).argmax(dim=1) == y).sum()
    model.train()
    return int(right) / len(targets)


def affordable_epochs(asked: Question, seconds: float, processes: int) -> int:
    """Epochs of the longest training: as many as ours may try, but so that about ten of them fit the time."""
    trainer = Trainer(asked, Recipe(1, 1e-4, 0.0, max(asked.batch_sizes), seed=0))
    started = time.perf_counter()
    for _ in trainer.epochs(time.time() + seconds):
        pass
    epoch_s = time.perf_counter() - started
    return max(2, min(asked.most_epochs, int(processes * seconds / epoch_s / LEAST_TRIALS)))
