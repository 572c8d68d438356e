"""The training loop: a generator of recorded steps; its caller decides when to stop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from superconv_tune.core.curve import Curve
from superconv_tune.data.batches import Batch
from superconv_tune.data.nested import mapped
from superconv_tune.lr.schedule import Knobs
from superconv_tune.record.trial import Precision
from superconv_tune.training.team import Team

Row = tuple[float, float, float, float]
Loss = Callable[[Any, Any], Tensor]

MOST_SKIPS = 24  # halvings of fp16's loss scale in a row: from 2^16, further than any finite gradient needs


SHORT: Mapping[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """Device, precision and memory layout, the same for the model and for every batch, and who trains with it.

    Attributes:
        device: of parameters and batches.
        precision: ``bf16`` and ``fp16`` run the forward pass under autocast; parameters, gradients and loss stay in
            fp32. ``fp16`` scales the loss, and skips an optimizer step whose gradients overflowed.
        channels_last: images are laid out [n, h, w, c] in memory, which convolutions prefer.
        evaluates_with_grad: gradients are recorded in evaluation, too, for models that compute some in their forward
            pass; the outputs carry none.
        is_double: float32 becomes float64 in every batch, for models whose weights are.
        team: the processes that train the model together, of which this is one; None for this one alone.
    """

    device: torch.device
    precision: Precision = "fp32"
    channels_last: bool = False
    evaluates_with_grad: bool = False
    is_double: bool = False
    team: Team | None = None

    def place(self, model: nn.Module) -> nn.Module:
        """The model, moved to the device; call this before making an optimizer of its parameters."""
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        # torch's stubs know `to(memory_format=)` only for tensors
        return model.to(self.device, memory_format=layout)  # type: ignore[call-overload, no-any-return]

    def batch(self, batch: Batch) -> Batch:
        """Inputs and targets on the device; the copy is asynchronous if they are in pinned memory."""
        inputs, targets = batch
        return mapped(self._input, inputs), mapped(self._moved, targets)

    def forward(self, model: nn.Module, inputs: Any) -> Any:
        """The model's outputs, in fp32 even after autocast, so that loss and metric lose no digits."""
        with self._autocast():
            outputs = model(inputs)
        return mapped(_full, outputs)

    def _input(self, tensor: Tensor) -> Tensor:
        moved = self._moved(tensor)
        is_image = self.channels_last and tensor.dim() == 4
        return moved.contiguous(memory_format=torch.channels_last) if is_image else moved

    def _moved(self, tensor: Tensor) -> Tensor:
        moved = tensor.to(self.device, non_blocking=True)
        return moved.double() if self.is_double and moved.dtype == torch.float32 else moved

    def scaler(self) -> torch.amp.GradScaler:
        """A scaler of the loss for fp16, whose gradients may underflow; for other precisions it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = SHORT.get(self.precision, torch.bfloat16)
        return torch.autocast(self.device.type, dtype, enabled=self.precision in SHORT)


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in SHORT.values() else tensor


def has_images(model: nn.Module) -> bool:
    """Whether the model has convolutions of images, which another memory format makes faster."""
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def supported(wanted: Precision, device: torch.device) -> Precision:
    """The precision if the device supports it, else fp32."""
    works = {"fp32": True, "bf16": supports_bf16(device), "fp16": device.type == "cuda"}
    return wanted if works[wanted] else "fp32"


def supports_bf16(device: torch.device) -> bool:
    """Whether the device can compute in bf16, which need not be faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # torch's own check of the CPU, used in its tests; there is no public one.
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def apply(optimizer: torch.optim.Optimizer, knobs: Knobs) -> None:
    """Set learning rate, momentum and weight decay of all parameter groups.

    The rate is the knob's, which is that of the head, times the group's ``"lr_scale"`` (no entry counts as 1).
    Momentum is ``betas[0]`` where a group has betas, ``momentum`` where it has that, and nothing otherwise. Weight
    decay goes to the groups that say ``"decay": True`` (no entry counts as True): biases and norms stay free of it.
    """
    for group in optimizer.param_groups:
        group["lr"] = knobs.lr * group.get("lr_scale", 1.0)
        if "betas" in group:
            group["betas"] = (knobs.momentum, *group["betas"][1:])
        elif "momentum" in group:
            group["momentum"] = knobs.momentum
        if "weight_decay" in group and group.get("decay", True):
            group["weight_decay"] = knobs.weight_decay


def train(  # noqa: PLR0913  (the loop's parts come from different owners; a bundle would only rename them)
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[Batch],
    loss: Loss,
    knobs: Callable[[int], Knobs | None],
    *,
    runtime: Runtime,
    clock: Callable[[], float],
    first_step: int = 0,
    block_steps: int = 50,
    round_steps: int = 0,
    micro_batches: int = 1,
    scaler: torch.amp.GradScaler | None = None,
) -> Generator[Curve, None, None]:
    """Train step by step, and yield what was recorded in blocks.

    Losses stay on the device and are read once per block, so that no step waits for the one before it. A non-finite
    loss is recorded like any other: whether to go on is the caller's decision, taken by closing the generator.

    In a team of processes, every step is taken with the mean gradient of all, and its loss is their mean.

    There is one point per real optimizer step: gradients of several micro-batches are one step, and a step that fp16
    skipped is taken again, with the same knobs on the next batch, until it is real.

    Args:
        model: placed on the runtime's device; put into training mode.
        optimizer: of the model's parameters; its knobs are set before every step.
        batches: at least ``micro_batches`` for every step.
        loss: outputs and targets to the mean loss of the batch, a scalar tensor.
        knobs: called once per step, in order, before the step; None ends the training.
        runtime: device, precision and memory format.
        clock: returns seconds.
        first_step: index of the first step, for a continued run.
        block_steps: steps per yielded block; the last block may be shorter.
        round_steps: a block also ends at every multiple of this number, such as an epoch; 0 for no such ends.
        micro_batches: batches whose gradients are averaged for one step.
        scaler: of the loss, if an earlier run is continued; None for a new one.

    Raises:
        ValueError: if a block would have no step, or a step no batch.
        RuntimeError: if the batches run out (a generator must not raise StopIteration).
    """
    if block_steps < 1:
        raise ValueError(f"`block_steps >= 1` must hold, but got {block_steps=}.")
    if micro_batches < 1:
        raise ValueError(f"`micro_batches >= 1` must hold, but got {micro_batches=}.")
    model.train()
    stepper = _Stepper(model, optimizer, loss, runtime, scaler or runtime.scaler())
    losses = torch.empty(block_steps, device=runtime.device)
    rows: list[Row] = []
    started = clock()
    for step in itertools.count(first_step):
        now = knobs(step)
        if now is None:
            break
        apply(optimizer, now)
        row = (float(step), now.lr, now.momentum, clock() - started)
        losses[len(rows)] = stepper.step(batches, micro_batches)
        rows.append(row)
        if len(rows) == block_steps or (round_steps and (step + 1) % round_steps == 0):
            yield _read(rows, losses, runtime.team)
            rows.clear()
    if rows:
        yield _read(rows, losses, runtime.team)


@dataclass(frozen=True)
class _Stepper:
    """Takes real optimizer steps."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    runtime: Runtime
    scaler: torch.amp.GradScaler

    def step(self, batches: Iterator[Batch], micro_batches: int) -> Tensor:
        """Take one step; returns the mean loss of its micro-batches, NaN if no scale makes its gradients finite."""
        for _ in range(MOST_SKIPS):
            value = self._try([next(batches) for _ in range(micro_batches)])
            if value is not None:
                return value
        return torch.tensor(torch.nan, device=self.runtime.device)

    def _try(self, batches: list[Batch]) -> Tensor | None:
        """Try one step; None if fp16 skipped it. Only with fp16 does the host wait for the device to know."""
        self.optimizer.zero_grad(set_to_none=True)
        is_first = not self.optimizer.state
        values = []
        for batch in batches:
            inputs, targets = self.runtime.batch(batch)
            value = self.loss(self.runtime.forward(self.model, inputs), targets)
            share = value if len(batches) == 1 else value / len(batches)
            self.scaler.scale(share).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            values.append(share.detach())
        if self.runtime.team is not None:  # before fp16 looks for an overflow, which then all processes see
            self.runtime.team.average_gradients(self.model)
        self.scaler.step(self.optimizer)
        if self.scaler.is_enabled():
            before = self.scaler.get_scale()
            self.scaler.update()
            if self.scaler.get_scale() < before:
                if is_first:
                    # torch's fused SGD has allocated its momentum and, skipping, never written it: the next step would
                    # add whatever lay in that memory.
                    self.optimizer.state.clear()
                return None
        return values[0] if len(values) == 1 else torch.stack(values).sum()


def _read(rows: list[Row], losses: Tensor, team: Team | None) -> Curve:
    """The block so far as columns; the one place where the host waits for the device."""
    step, lr, momentum, elapsed_s = np.array(rows, dtype=np.float64).T
    if team is not None:
        team.average(losses[: len(rows)])
    loss = losses[: len(rows)].cpu().numpy().astype(np.float64)
    return Curve(step, lr, momentum, loss, elapsed_s)
