"""Runs one batch through model, loss, metric and optimizer, with a message of its own for each possible fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.source import describe_error, first_line
from superconv_tune.training.randomness import isolated, seed_all


@dataclass(frozen=True)
class ModelCard:
    """Description of the model, for the record.

    Attributes:
        parameters: number of trained parameters.
        frozen: number of frozen parameters.
        outputs: shape of its output for one item.
    """

    parameters: int
    frozen: int
    outputs: tuple[int, ...]


def rehearse(problem: Problem, params: Hyperparameters, expected: int | None) -> ModelCard:
    """Make a fresh model, and try one forward and backward pass, one step, and the metric of the outputs.

    Args:
        problem: the data, model, loss and metric.
        params: hyperparameters of the optimizer.
        expected: number of outputs per item that the targets need: classes, or numbers to predict; None if it is not
            known, or the user's own loss decides it.

    Raises:
        UserError: at the first fault, because all later checks depend on it.
    """
    with isolated(problem.device):
        seed_all(0)
        model = _module(_checked("model", problem.make_model)).to(problem.device)
        optimizer = _optimizer(_checked("optimizer", lambda: problem.make_optimizer(model, params)))
        batches = problem.train.stream(params.batch_size, 0)
        inputs, targets = _pair(_checked("data: a training batch", lambda: next(batches)))
        model.train()
        shape = list(inputs.shape)
        outputs = _outputs(_checked(f"model, given inputs of the shape {shape},", lambda: model(inputs)), targets)
        _check_shape(outputs, targets, expected)
        value = _checked("loss", lambda: problem.loss(outputs, targets, params.label_smoothing))
        _check_value(value)
        _checked("loss: its backward pass", value.backward)
        _check_gradients(model)
        _checked("optimizer: its step", optimizer.step)
        _checked(f"metric {problem.metric.name}", lambda: _metric(problem, outputs.detach(), targets))
    sizes = {
        trained: sum(p.numel() for p in model.parameters() if p.requires_grad is trained) for trained in (True, False)
    }
    return ModelCard(sizes[True], sizes[False], tuple(outputs.shape[1:]))


def _checked(what: str, attempt: Callable[[], Any]) -> Any:
    """The result of ``attempt``; an exception of it becomes a UserError that names ``what``."""
    try:
        return attempt()
    except UserError:
        raise
    except Exception as error:
        cause = error.__cause__ or error
        raise UserError(f"{what} failed: {describe_error(cause)}. Nothing was started; fix it first.") from error


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        shown = "None" if made is None else f"a {type(made).__name__}"
        raise UserError(f"model: its function returned {shown}. Return a fresh torch.nn.Module.")
    if not any(parameter.requires_grad for parameter in made.parameters()):
        raise UserError(
            f"model: {type(made).__name__} has no parameter to train. Make its layers attributes of the module, or put "
            f"them into an nn.ModuleList and not a plain list, and leave requires_grad on."
        )
    return made


def _optimizer(made: object) -> torch.optim.Optimizer:
    if isinstance(made, torch.optim.Optimizer):
        return made
    shown = "None" if made is None else f"a {type(made).__name__}"
    raise UserError(f"optimizer.factory: returned {shown}. Return a torch.optim.Optimizer of the groups it is given.")


def _pair(batch: object) -> tuple[Tensor, Tensor]:
    if isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        return batch[0], batch[1]
    raise UserError(
        "task: a training batch is not a pair of tensors (inputs, targets). Make the loader yield such pairs."
    )


def _outputs(outputs: object, targets: Tensor) -> Tensor:
    if not isinstance(outputs, Tensor):
        raise UserError(f"model: gives a {type(outputs).__name__}. Return one tensor of outputs, [n, classes] or [n].")
    shape = list(outputs.shape)
    if not shape or shape[0] != len(targets):
        raise UserError(
            f"model: gives {shape} for a batch of {len(targets)}. The first axis has to be that of the items."
        )
    if not outputs.isfinite().all():
        count = int((~outputs.isfinite()).sum())
        raise UserError(
            f"model: {count} of {outputs.numel()} outputs are NaN or infinite before any step. Look at its layers, its "
            f"initial weights and the scale of the inputs."
        )
    return outputs


def _check_shape(outputs: Tensor, targets: Tensor, expected: int | None) -> None:
    """Report the commonest mistake before the loss fails with a message of its own."""
    shape, given = list(outputs.shape), outputs[0].numel()
    if targets.is_floating_point():
        if expected is not None and given != expected:
            raise UserError(
                f"model: gives {shape}, but there are {expected} numbers to predict per item. Give it as many outputs."
            )
        return
    if expected is not None and given < expected and not (given == 1 and expected == 2):
        one = "; or one in all, with loss: bce" if expected == 2 else ""
        raise UserError(
            f"model: gives {shape}, but there are {expected} classes. It needs one output per class, "
            f"[n, {expected}]{one}."
        )
    if targets.dim() == 1 and 1 < given <= int(targets.max()):
        raise UserError(
            f"model: gives {shape}, but the targets go up to {int(targets.max())}: classes count from 0. Give the "
            f"model more outputs, or fix the targets."
        )


def _check_value(value: object) -> None:
    if not isinstance(value, Tensor):
        raise UserError(f"loss: returned a {type(value).__name__}. Return a scalar tensor, the mean over the batch.")
    if value.numel() != 1:
        raise UserError(f"loss: returned the shape {list(value.shape)}. Return the mean over the batch, one number.")
    if not value.isfinite():
        raise UserError(
            f"loss: is {value.item()} in the first batch, before any step. Look for a logarithm or a division of zero, "
            f"and at the scale of the targets."
        )
    if not value.requires_grad:
        raise UserError(
            "loss: does not depend on the model: it has no gradient. Is there a detach(), item() or no_grad?"
        )


def _check_gradients(model: nn.Module) -> None:
    gradients = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    if not gradients:
        raise UserError("loss: no parameter of the model gets a gradient. Is there a detach() or no_grad in forward?")
    if not all(gradient.isfinite().all() for gradient in gradients):
        raise UserError("loss: its gradient is NaN or infinite in the first batch. Look for a square root of zero.")


def _metric(problem: Problem, outputs: Tensor, targets: Tensor) -> None:
    try:
        float(problem.metric.compute(outputs, targets))
    except TypeError as error:
        raise UserError(f"metric {problem.metric.name}: did not return a number ({first_line(error)}).") from error
