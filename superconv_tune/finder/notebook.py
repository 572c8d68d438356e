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
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch, ResidentSource
from superconv_tune.data.nested import count, joined, mapped, pair, tensors
from superconv_tune.finder.find import FinderPlan, Progress, find, refused
from superconv_tune.finder.finding import Finding
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.problems.rehearse import rehearse
from superconv_tune.record.trial import Precision
from superconv_tune.training.randomness import isolated
from superconv_tune.trial.trackers import NullTracker

MOST_BATCHES = 512  # read: more than the steps of a ramp, or of a probe of the usual length
MOMENTUM_WIDTH = 0.1  # of a one-cycle, below the optimizer's own momentum

Batches = Iterable[tuple[Any, Any]]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Loss = Callable[[Any, Any], Tensor]


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
        batches: pairs (inputs, targets) of tensors, or of dicts or tuples of them, of one shape except for the number
            of items. At most 512 are read, which uses up an iterator, but not a DataLoader or a list.
        loss: takes the model's outputs, whatever they are, and targets, and returns the mean loss of the batch, a
            scalar.
        validation: batches that the probes are judged by; None for the training batches.
        accumulate: number of batches whose gradients make one optimizer step.
        precision: ``bf16`` or ``fp16`` for autocast; a step that fp16 skips is taken again at the same rate.
        plan: how it is run; its optimizer, batch size and momentum range are replaced by those of the other arguments.
        progress: called with a sentence before every ramp and probe; ``print`` will do.

    Returns:
        The finding. Whatever goes wrong in a first step or while training is a finding with a ``refusal``, in the words
        of a search, and no exception. The caller's gradient mode makes no difference.

    Raises:
        ValueError: if there is no batch, batches cannot be joined, or the optimizer is not of the parameters given.
    """
    with torch.inference_mode(mode=False), torch.enable_grad(), _unlogged():
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        with _generators_restored(batches, validation), isolated(device):
            train = _joined(batches, device)
            judged_by = train if validation is None else _joined(validation, device)
            spare = _made(optimizer, copy.deepcopy(model))
        problem = Problem(
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
            has_own_loss=True,
        )
        plan = plan or FinderPlan()
        params = replace(_momenta(spare, plan.params), batch_size=train.batch_size)
        plan = replace(plan, optimizer=_kind(spare), params=params, precision=precision)
        return _rehearsed(problem, plan, progress)


def _rehearsed(problem: Problem, plan: FinderPlan, progress: Progress) -> Finding:
    """The finding, after a rehearsal as that of a search."""
    precision: Precision = "bf16" if plan.precision == "bf16" else "fp32"  # fp16 needs steps to find its scale
    try:
        handling = rehearse(problem, plan.params, None, precision).handling
    except UserError as error:
        return refused(problem, plan, str(error))
    return find(replace(problem, handling=handling), plan, NullTracker(), time.time, progress)


@dataclass(frozen=True)
class _Joined:
    """All items of the batches, in their own number format; serves for training and for evaluation."""

    inputs: Any
    targets: Any
    batch_size: int
    device: torch.device

    def __len__(self) -> int:
        return count(self.inputs)

    def steps_per_epoch(self, batch_size: int) -> int:
        return max(1, len(self) // batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        for _, chosen in self._order.stream(batch_size, seed, first_step):
            yield self._rows(chosen)

    def part(self, share: float, seed: int) -> _Joined:
        inputs, targets = self._rows(self._order.part(share, seed).targets)
        return replace(self, inputs=inputs, targets=targets)

    def batches(self) -> Iterable[Batch]:
        for start in range(0, len(self), self.batch_size):
            end = min(start + self.batch_size, len(self))
            yield self._rows(torch.arange(start, end, device=self.device))  # copies: a model may change them in place

    @property
    def _order(self) -> ResidentSource:
        rows = torch.arange(len(self), device=self.device)
        return ResidentSource(rows, rows)

    def _rows(self, chosen: Tensor) -> Batch:
        inputs, targets = (mapped(lambda each: each[chosen], part) for part in (self.inputs, self.targets))
        return inputs, targets


def _joined(batches: Batches, device: torch.device) -> _Joined:
    read = list(islice(batches, MOST_BATCHES))
    if not read:
        raise ValueError("There is no batch. Give an iterable of pairs (inputs, targets), such as a DataLoader.")
    try:
        pairs = [pair(batch) for batch in read]
        shapes = {tuple(tensor.shape[1:] for tensor in tensors(batch)) for batch in pairs}
        if len(shapes) > 1:  # which `joined` would pad
            raise ValueError(f"they have the shapes {' and '.join(str(list(map(list, shape))) for shape in shapes)}")
        inputs, targets = mapped(lambda each: each.to(device), joined(pairs))
        items, wanted = count(inputs), count(targets)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"The batches cannot be joined: {error}. Each has to be a pair of tensors (inputs, targets), of one shape "
            f"except for the number of items."
        ) from error
    first = count(read[0][0])
    if items != wanted or first == 0:
        raise ValueError(
            f"The batches hold {items} inputs and {wanted} targets, {first} of them in the first batch. There has to "
            f"be a target for every input, and at least one in every batch."
        )
    return _Joined(inputs, targets, batch_size=first, device=device)


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
def _unlogged() -> Iterator[None]:
    """Keep the traceback of a trial that failed out of the notebook: the refusal says what it was."""
    logger = logging.getLogger("superconv_tune")
    handler, propagates = logging.NullHandler(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagates
        logger.removeHandler(handler)


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
