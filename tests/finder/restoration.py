"""What a range test leaves behind, bit for bit: nothing.

The same notebook is run twice, with a look at the learning rate in the middle of its training and without one.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.range_test.tasks import TASKS
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.find import FinderPlan
from superconv_tune.finder.notebook import find_lr
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe, RangeTest
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest
from superconv_tune.training.randomness import seed_all
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

ITEMS, FEATURES, CLASSES = 200, 8, 4
SHORT = FinderPlan(replicates=1, probe_seeds=1, probe_epochs=1.0)
OF_A_NOTEBOOK = ("weights and buffers", "training modes", "optimizer", "generators", "next epoch", "training after it")
LOADERS = {"its own generator": True, "the global generator": False}
OF_A_TRIAL = "a trial after a range test"
CASES = (*(f"{what}, DataLoader with {loader}" for loader in LOADERS for what in OF_A_NOTEBOOK), OF_A_TRIAL)


def check(case: str) -> tuple[str, bool]:
    """The case, and whether it holds."""
    if case == OF_A_TRIAL:
        return case, _trial_is_untouched()
    what, _, loader = case.partition(", DataLoader with ")
    own = LOADERS[loader]
    return case, notebook(own_generator=own, looks=True)[what] == notebook(own_generator=own, looks=False)[what]


@cache
def notebook(*, own_generator: bool, looks: bool) -> Mapping[str, str]:
    """Train an epoch, look at the learning rate or do not, then train another; SHA-256 of all that there is."""
    seed_all(3)
    model = nn.Sequential(
        nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, CLASSES)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    targets = torch.arange(ITEMS) % CLASSES
    inputs = torch.randn(CLASSES, FEATURES)[targets] + torch.randn(ITEMS, FEATURES)
    generator = Generator().manual_seed(5) if own_generator else None
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=25, shuffle=True, generator=generator)
    list(_losses(model, optimizer, loader))
    model[1].eval()  # a norm that the user froze
    if looks:
        found = find_lr(model, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), loader, plan=SHORT)
        assert found.steps > 0
    states = {
        "weights and buffers": fingerprint(model.state_dict()),
        "training modes": fingerprint([module.training for module in model.modules()]),
        "optimizer": fingerprint(optimizer.state_dict()),
        "generators": fingerprint([torch.get_rng_state(), random.getstate(), np.random.get_state()]),  # noqa: NPY002
    }
    own = None if generator is None else generator.get_state()
    with torch.random.fork_rng(devices=[]):
        states["next epoch"] = fingerprint(list(loader))
    if generator is not None and own is not None:
        generator.set_state(own)
    losses = list(_losses(model, optimizer, loader))
    return {**states, "training after it": fingerprint([losses, model.state_dict(), optimizer.state_dict()])}


def _losses(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[tuple[Tensor, ...]]
) -> Iterator[float]:
    for inputs, targets in loader:
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        yield loss.item()


def fingerprint(thing: Any) -> str:
    """SHA-256 of a value: tensors and arrays by their bytes, containers by their members."""
    digest = hashlib.sha256()
    for part in _bytes(thing):
        digest.update(part)
    return digest.hexdigest()


def _bytes(thing: Any) -> Iterator[bytes]:
    match thing:
        case Tensor():
            yield f"{thing.dtype}{tuple(thing.shape)}".encode()
            yield thing.detach().cpu().contiguous().numpy().tobytes()
        case np.ndarray():
            yield f"{thing.dtype}{thing.shape}".encode()
            yield thing.tobytes()
        case Mapping():
            for key, value in thing.items():
                yield repr(key).encode()
                yield from _bytes(value)
        case list() | tuple():
            for number, value in enumerate(thing):
                yield f"{number}:".encode()
                yield from _bytes(value)
        case _:
            yield repr(thing).encode()


def _trial_is_untouched() -> bool:
    task = TASKS["digits-mlp"]
    problem = task.problem("sgd")
    params = Hyperparameters(cycle_epochs=2.0, batch_size=task.batch_size)
    cycle = TrialRequest(
        "t", 1, Probe(0.01), Cycle(0.01), params=params, schedule=Schedule(), seed=0, deadline=math.inf
    )
    ramps = replace(cycle, purpose=RangeTest(), work=Ramps(1e-4, 1.0, steps=100))
    before, test, after = (run(request, problem, NullTracker(), time.time) for request in (cycle, ramps, cycle))
    assert test.range_curve is not None
    return _learned(before) == _learned(after)


def _learned(outcome: TrialOutcome) -> tuple[str, float | None, float | None]:
    assert outcome.cycle_curve is not None
    return fingerprint(outcome.cycle_curve.loss), outcome.max_lr, outcome.validation_loss
