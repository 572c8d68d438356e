"""Inputs from which nothing, or hardly anything, can be learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from superconv_tune.finder.find import FinderPlan
from superconv_tune.finder.finding import Finding
from superconv_tune.finder.notebook import Batches, Loss, find_lr
from superconv_tune.training.randomness import isolated, seed_all

FEATURES, CLASSES = 8, 4


@dataclass(frozen=True)
class Notebook:
    """What a user gives."""

    batches: Batches
    model: nn.Module = field(default_factory=lambda: mlp())
    loss: Loss = F.cross_entropy


def mlp() -> nn.Module:
    """A small network with batch norm."""
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, CLASSES))


def clouds(items: int, batch_size: int, spread: float = 1.0) -> list[tuple[Tensor, Tensor]]:
    """Four Gaussian clouds, in batches."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, FEATURES, generator=generator)
    targets = torch.arange(items) % CLASSES
    inputs = centres[targets] + spread * torch.randn(items, FEATURES, generator=generator)
    return list(zip(torch.split(inputs, batch_size), torch.split(targets, batch_size), strict=True))


def _with_nan() -> list[tuple[Tensor, Tensor]]:
    batches = clouds(400, 40)
    batches[0][0][3, 2] = torch.nan
    return batches


def _one_class() -> list[tuple[Tensor, Tensor]]:
    return [(inputs, torch.zeros_like(targets)) for inputs, targets in clouds(400, 40)]


def _constant_inputs() -> list[tuple[Tensor, Tensor]]:
    return [(torch.ones_like(inputs), targets) for inputs, targets in clouds(400, 40)]


def _pretrained() -> Notebook:
    """A linear model at the optimum of classes that overlap."""
    batches = clouds(400, 40, spread=2.0)
    inputs, targets = (torch.cat([pair[column] for pair in batches]) for column in (0, 1))
    model = nn.Linear(FEATURES, CLASSES)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(model(inputs), targets)
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return Notebook(batches, model)


def _raises(_outputs: Tensor, _targets: Tensor) -> Tensor:
    raise KeyError("no such class")


NOTEBOOKS: Mapping[str, Callable[[], Notebook]] = {
    "50 samples in one batch": lambda: Notebook(clouds(50, 50)),
    "50 samples in two batches": lambda: Notebook(clouds(50, 25)),
    "one sample of each class": lambda: Notebook(clouds(CLASSES, CLASSES)),
    "one class only": lambda: Notebook(_one_class()),
    "constant inputs": lambda: Notebook(_constant_inputs()),
    "a NaN in the first batch": lambda: Notebook(_with_nan()),
    "pretrained weights, at their optimum": _pretrained,
    "a loss that raises": lambda: Notebook(clouds(400, 40), loss=_raises),
    "no batch": lambda: Notebook([]),
    "batches without an item": lambda: Notebook([(torch.empty(0, FEATURES), torch.empty(0, dtype=torch.int64))]),
}


def look(case: str, plan: FinderPlan | None = None) -> Finding:
    """The finding of a case; with the usual plan if none is given.

    Raises:
        ValueError: as `find_lr` says.
    """
    with isolated(torch.device("cpu")):
        seed_all(0)
        given = NOTEBOOKS[case]()
        return find_lr(given.model, _sgd, given.batches, given.loss, plan=plan)


def _sgd(params: object) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True)  # type: ignore[arg-type]
