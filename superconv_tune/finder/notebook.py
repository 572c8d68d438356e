"""A range test for a model of your own, from a notebook or a script.

    from superconv_tune.finder.notebook import find_lr

    found = find_lr(model, lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True), loader)
    found.max_lr(epochs=10)        # the peak for a one-cycle of ten epochs
    found.band(epochs=10)          # that peak, and a tenth of it
    found.figure()

Your objects are not changed: the model is copied, batches are read into memory once, and every random generator is
restored.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import ResidentSource
from superconv_tune.finder.find import FinderPlan, Progress, find
from superconv_tune.finder.finding import Finding
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.record.trial import Precision
from superconv_tune.training.randomness import isolated
from superconv_tune.trial.trackers import NullTracker

MOST_BATCHES = 512  # read: more than the steps of a ramp, or of a probe of the usual length
MOMENTUM_WIDTH = 0.1  # of a one-cycle, below the optimizer's own momentum

Batches = Iterable[tuple[Tensor, Tensor]]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Loss = Callable[[Tensor, Tensor], Tensor]


def find_lr(  # noqa: PLR0913 - what a training loop is made of, and how to test it
    model: nn.Module,
    optimizer: OptimizerFactory,
    batches: Batches,
    loss: Loss = F.cross_entropy,
    *,
    validation: Batches | None = None,
    accumulate: int = 1,
    precision: Precision = "fp32",
    plan: FinderPlan | None = None,
    progress: Progress = lambda _: None,
) -> Finding:
    """The peak learning rate for this model, this optimizer and these batches, at every cycle length.

    Args:
        model: starts from the weights that it has, pretrained ones too, and stays on its device.
        optimizer: makes an optimizer of parameters. Its weight decay is kept; its learning rate and momentum are set:
            cycles run between its momentum and 0.1 below. All its groups get the same learning rate.
        batches: pairs of tensors (inputs, targets), of one shape except for the number of items. At most 512 are read,
            which uses up an iterator, but not a DataLoader or a list.
        loss: takes outputs and targets, and returns the mean loss of the batch, a scalar.
        validation: batches that the probes are judged by; None for the training batches.
        accumulate: number of batches whose gradients make one optimizer step.
        precision: ``bf16`` or ``fp16`` for autocast; a step that fp16 skips is taken again at the same rate.
        plan: how it is run; its optimizer, batch size and momentum range are replaced by those of the other arguments.
        progress: called with a sentence before every ramp and probe; ``print`` will do.

    Returns:
        The finding. Whatever goes wrong while training is a finding with a ``refusal``, and no exception.

    Raises:
        ValueError: if there is no batch, batches cannot be joined, or the optimizer is not of the parameters given.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with _generators_restored(batches, validation), isolated(device):
        train = _joined(batches, device)
        judged_by = train if validation is None else _joined(validation, device)
        spare = _made(optimizer, copy.deepcopy(model))
    problem = Problem(
        name="notebook",
        device=device,
        make_model=lambda: copy.deepcopy(model),
        make_optimizer=lambda fresh, _params: _undecayed(optimizer(fresh.parameters())),
        loss=lambda outputs, targets, _smoothing: loss(outputs, targets),
        metric=Metric("loss", "min", None, None, lambda outputs, targets: float(loss(outputs, targets))),
        train=train,
        validation=judged_by,
        test=judged_by,
        trivial_value=0.0,
        micro_batches=accumulate,
    )
    plan = plan or FinderPlan()
    params = replace(_momenta(spare, plan.params), batch_size=train.batch_size)
    plan = replace(plan, optimizer=_kind(spare), params=params, precision=precision)
    return find(problem, plan, NullTracker(), time.time, progress)


@dataclass(frozen=True)
class _Joined:
    """All items of the batches, in their own number format; serves for training and for evaluation."""

    inputs: Tensor
    targets: Tensor
    batch_size: int

    def __len__(self) -> int:
        return len(self.inputs)

    def steps_per_epoch(self, batch_size: int) -> int:
        return max(1, len(self) // batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        rows = torch.arange(len(self), device=self.inputs.device)
        for _, chosen in ResidentSource(rows, rows).stream(batch_size, seed, first_step):
            yield self.inputs[chosen], self.targets[chosen]

    def part(self, share: float, seed: int) -> _Joined:
        rows = torch.arange(len(self), device=self.inputs.device)
        kept = ResidentSource(rows, rows).part(share, seed).targets
        return replace(self, inputs=self.inputs[kept], targets=self.targets[kept])

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        return zip(torch.split(self.inputs, self.batch_size), torch.split(self.targets, self.batch_size), strict=True)


def _joined(batches: Batches, device: torch.device) -> _Joined:
    read = list(islice(batches, MOST_BATCHES))
    if not read:
        raise ValueError("There is no batch. Give an iterable of pairs (inputs, targets), such as a DataLoader.")
    try:
        inputs, targets = (torch.cat([pair[column] for pair in read]).to(device) for column in (0, 1))
    except (TypeError, IndexError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"The batches cannot be joined: {error}. Each has to be a pair of tensors (inputs, targets), of one shape "
            f"except for the number of items."
        ) from error
    if len(inputs) != len(targets) or len(read[0][0]) == 0:
        raise ValueError(
            f"The batches hold {len(inputs)} inputs and {len(targets)} targets, {len(read[0][0])} of them in the first "
            f"batch. There has to be a target for every input, and at least one in every batch."
        )
    return _Joined(inputs, targets, batch_size=len(read[0][0]))


def _made(factory: OptimizerFactory, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a copy of the model; ValueError if it has other parameters, such as those of the original."""
    own = {id(parameter) for parameter in model.parameters()}
    made = factory(model.parameters())
    if not all(id(parameter) in own for group in made.param_groups for parameter in group["params"]):
        raise ValueError(
            "The optimizer is not of the parameters that it was given, but of others, such as those of your model. "
            "Give a function that makes a new one: lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9)."
        )
    return made


def _undecayed(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimizer, marked so that the schedule leaves its weight decay alone."""
    for group in optimizer.param_groups:
        group["decay"] = False
    return optimizer


def _momenta(optimizer: torch.optim.Optimizer, params: Hyperparameters) -> Hyperparameters:
    """The parameters with the momentum range of the cycle; an optimizer without momentum gets none."""
    group = optimizer.param_groups[0]
    top = float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))
    width = min(MOMENTUM_WIDTH, top)
    return replace(params, base_momentum=top - width, momentum_width=width)


def _kind(optimizer: torch.optim.Optimizer) -> str:
    """The optimizer's name in `FinderPlan`: ``sgd``, ``adamw`` for all with betas, else the name of its class."""
    if isinstance(optimizer, torch.optim.SGD):
        return "sgd"
    return "adamw" if "betas" in optimizer.param_groups[0] else type(optimizer).__name__.lower()


@contextmanager
def _generators_restored(*loaders: Batches | None) -> Iterator[None]:
    """Restore the loaders' own generators afterwards."""
    generators = [generator for loader in loaders for generator in _generators(loader)]
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _generators(loader: Any) -> list[Generator]:
    """The generators of a DataLoader, of its sampler and of the sampler inside its batch sampler."""
    sampler = getattr(loader, "sampler", None)
    inner = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    found = (getattr(owner, "generator", None) for owner in (loader, sampler, inner))
    return [generator for generator in found if isinstance(generator, Generator)]
