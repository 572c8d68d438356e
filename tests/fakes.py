"""Implementations of small protocols for tests: a clock, a tracker, and a problem in plain torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.trial.tracker import Phase

CLASSES = 4
FEATURES = 8
CPU = torch.device("cpu")


@dataclass
class FakeClock:
    """A clock that moves only by `advance`, and by ``tick_s`` at every call."""

    now: float = 1_000_000.0
    tick_s: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick_s
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class MemoryTracker:
    """Keeps everything it is given, for all trials."""

    requests: list[TrialRequest] = field(default_factory=list)
    blocks: list[tuple[Phase, Curve]] = field(default_factory=list)
    outcomes: list[TrialOutcome] = field(default_factory=list)

    def start(self, request: TrialRequest) -> None:
        self.requests.append(request)

    def record(self, phase: Phase, block: Curve) -> None:
        self.blocks.append((phase, block))

    def run_id(self) -> str | None:
        return f"run-{len(self.requests)}"

    def finish(self, outcome: TrialOutcome) -> None:
        self.outcomes.append(outcome)

    def curve(self, phase: Phase) -> Curve:
        return Curve.join([block for recorded, block in self.blocks if recorded == phase])


@dataclass(frozen=True)
class TensorSource:
    """Shuffled batches of tensors; the order of an epoch depends on the seed and the epoch alone."""

    inputs: Tensor
    targets: Tensor

    def steps_per_epoch(self, batch_size: int) -> int:
        return max(1, len(self.inputs) // batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        per_epoch = self.steps_per_epoch(batch_size)
        for step in itertools.count(first_step):
            epoch, place = divmod(step, per_epoch)
            generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
            order = torch.randperm(len(self.inputs), generator=generator)
            rows = order[place * batch_size : (place + 1) * batch_size]
            yield self.inputs[rows], self.targets[rows]

    def part(self, share: float, seed: int) -> TensorSource:
        order = torch.randperm(len(self.inputs), generator=torch.Generator().manual_seed(seed))
        kept = order[: max(1, round(share * len(self.inputs)))]
        return TensorSource(self.inputs[kept], self.targets[kept])


@dataclass(frozen=True)
class TensorPart:
    """A part of the data that counts how often it is read."""

    inputs: Tensor
    targets: Tensor
    reads: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inputs)

    def batches(self) -> Iterable[Batch]:
        self.reads.append(len(self.reads))
        return zip(torch.split(self.inputs, 100), torch.split(self.targets, 100), strict=True)


@dataclass(frozen=True)
class HookedSource:
    """A source that calls ``hook`` with the number of each batch before yielding it, to let time pass or to fail."""

    source: TensorSource
    hook: Callable[[int], None]

    def steps_per_epoch(self, batch_size: int) -> int:
        return self.source.steps_per_epoch(batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        for step, batch in enumerate(self.source.stream(batch_size, seed, first_step), first_step):
            self.hook(step)
            yield batch

    def part(self, share: float, seed: int) -> HookedSource:
        return HookedSource(self.source.part(share, seed), self.hook)


def is_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.argmax(1) == targets


ACCURACY = Metric("accuracy", "max", 0.0, 1.0, lambda o, t: float(is_right(o, t).double().mean()), is_right)


def toy_problem(items: int = 480, device: torch.device = CPU) -> Problem:
    """Four overlapping Gaussian clouds and a small network with batch norm and dropout: learned in a second."""
    generator = torch.Generator().manual_seed(0)
    centres = 1.5 * torch.randn(CLASSES, FEATURES, generator=generator)
    targets = torch.arange(items + 400) % CLASSES
    inputs = centres[targets] + torch.randn(items + 400, FEATURES, generator=generator)
    inputs, targets = inputs.to(device), targets.to(device)
    return Problem(
        device=device,
        make_model=toy_model,
        make_optimizer=toy_optimizer,
        loss=lambda outputs, wanted, smoothing: F.cross_entropy(outputs, wanted, label_smoothing=smoothing),
        metric=ACCURACY,
        train=TensorSource(inputs[:items], targets[:items]),
        validation=TensorPart(inputs[items : items + 200], targets[items : items + 200]),
        test=TensorPart(inputs[items + 200 :], targets[items + 200 :]),
        trivial_value=1.0 / CLASSES,
    )


def toy_model() -> nn.Module:
    return nn.Sequential(
        nn.Linear(FEATURES, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, CLASSES)
    )


def toy_optimizer(model: nn.Module, params: Hyperparameters) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "decay": True},
        {"params": [p for p in model.parameters() if p.dim() < 2], "decay": False, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups, lr=0.0, momentum=params.max_momentum, weight_decay=params.weight_decay, nesterov=True
    )
