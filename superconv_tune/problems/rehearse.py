"""Runs one batch through model, loss, metric and optimizer, with a message of its own for each possible fault.

What is done to a user's model beyond plain PyTorch is tried here too, and given up where it does not work.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.data.nested import count, mapped, pair, shape_words, tensors
from superconv_tune.measures.metrics import METRICS
from superconv_tune.problems.fit import several_labels
from superconv_tune.problems.guess import finite
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.source import REPORT, describe_error, first_line, is_ours
from superconv_tune.record.trial import Precision
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, has_images
from superconv_tune.training.randomness import isolated, seed_all

SAME = 1e-2  # of the largest output: a larger difference between memory formats is more than rounding
EQUAL = 1e-4  # a metric and the mean over its items differ by rounding only
BROADCASTS = "Using a target size"  # torch's warning of a loss of each output with each target
BROADCAST_MEND = "it compares every output with every target. Give both one shape"


@dataclass(frozen=True)
class ModelCard:
    """Description of the model, for the record.

    Attributes:
        parameters: number of trained parameters.
        frozen: number of frozen parameters.
        outputs: shape of its output for one item; empty where it gives more than one tensor.
        notes: what of the usual way of training does not suit it, in sentences.
        warnings: what in model and loss weakens the answer, in sentences.
    """

    parameters: int
    frozen: int
    outputs: tuple[int, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rehearsal:
    """What was found.

    Attributes:
        card: facts about the model.
        handling: how it may be run.
        outputs: of the untrained model, for one training batch.
    """

    card: ModelCard
    handling: Handling
    outputs: Any


def rehearse(
    problem: Problem, params: Hyperparameters, expected: int | None, precision: Precision = "fp32"
) -> Rehearsal:
    """Make fresh models, and try a forward and a backward pass, a step, an evaluation, and the metric of its outputs.

    Args:
        problem: the data, model, loss and metric.
        params: hyperparameters of the optimizer.
        expected: number of outputs per item that the targets need: classes, or numbers to predict; None if it is not
            known, or the user's own loss decides it.
        precision: number format of the forward pass.

    Raises:
        UserError: at the first fault, because all later checks depend on it.
    """
    with isolated(problem.device):
        model = _fresh(problem)
        _check_freshness(model, _fresh(problem))
        is_double = any(parameter.dtype == torch.float64 for parameter in model.parameters())
        runtime = Runtime(problem.device, precision, is_double=is_double)
        batch = _pair(_checked("data: a training batch", lambda: next(problem.train.stream(params.batch_size, 0))))
        batch = _checked("data: a training batch, on the device,", lambda: runtime.batch(batch))
        outputs, said = _trained(problem, model, params, batch, expected, runtime)
        with_grad, untrained = _evaluated(problem, params.batch_size, runtime)
        fault = _fault_of_channels_last(problem, batch, runtime)
    channels_last = problem.handling.channels_last or fault is None
    handling = replace(
        problem.handling,
        channels_last=channels_last,
        is_double=is_double,
        evaluates_with_grad=with_grad,
        untrained=untrained,
    )
    notes = (f"images keep their memory format, because channels_last {fault}",) if fault else ()
    sizes = {
        trained: sum(p.numel() for p in model.parameters() if p.requires_grad is trained) for trained in (True, False)
    }
    shape = tuple(outputs.shape[1:]) if isinstance(outputs, Tensor) else ()
    return Rehearsal(ModelCard(sizes[True], sizes[False], shape, notes, said), handling, outputs)


def _fresh(problem: Problem) -> nn.Module:
    seed_all(0)
    return _module(_checked("model", problem.make_model)).to(problem.device)


def _trained(
    problem: Problem,
    model: nn.Module,
    params: Hyperparameters,
    batch: Batch,
    expected: int | None,
    runtime: Runtime,
) -> tuple[Any, tuple[str, ...]]:
    """Outputs of the model before it takes a step, and what torch said about the loss."""
    inputs, targets = batch
    optimizer = _optimizer(_checked("optimizer", lambda: problem.make_optimizer(model, params)))
    model.train()
    outputs = _checked(
        f"model, given inputs of the shape {shape_words(inputs)},", lambda: runtime.forward(model, inputs)
    )
    _check_outputs(outputs, targets, is_read=problem.has_own_loss)
    if not problem.has_own_loss:
        _check_shape(outputs, targets, expected)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = _checked("loss", lambda: problem.loss(outputs, targets, params.label_smoothing))
    _check_value(value)
    _checked("loss: its backward pass", value.backward)
    _check_gradients(model)
    _checked("optimizer: its step", optimizer.step)
    said = [str(each.message).strip() for each in caught if str(each.message).startswith(BROADCASTS)]
    return outputs, tuple(f"loss: {words.partition('. ')[0]}: {BROADCAST_MEND}" for words in said[:1])


def _evaluated(problem: Problem, items: int, runtime: Runtime) -> tuple[bool, float | None]:
    """Whether the model needs gradients in evaluation; and the metric of the untrained model, where it is needed.

    A few items are evaluated, or all where that value is needed.
    """
    needs_value = math.isnan(problem.trivial_value)
    model = _fresh(problem)
    batches = problem.validation.batches
    first = batches if needs_value else lambda: [_few(next(iter(batches())), items)]
    part = _checked("data: the validation part", lambda: list(first()))
    with_grad, (outputs, targets) = _checked(
        "model, in evaluation,", lambda: _with_or_without_grad(model, part, runtime)
    )
    _check_metric(problem, targets)
    value = _checked(f"metric {problem.metric.name}", lambda: problem.metric.compute(outputs, targets))
    _check_correct(problem, outputs, targets, value)
    _checked("loss, of the outputs in evaluation,", lambda: float(problem.loss(outputs, targets, 0.0)))
    if not needs_value:
        return with_grad, None
    worst = problem.metric.low if problem.metric.direction == "max" else problem.metric.high
    if not math.isfinite(value) and worst is not None:
        return with_grad, worst
    return with_grad, finite(problem.metric, value, "for the untrained model")


def _few(batch: Batch, items: int) -> Batch:
    """The first items of a batch; all of it where a tensor is not a row per item, such as the nodes of graphs."""
    rows = count(batch[1])
    has_rows = all(tensor.dim() and len(tensor) == rows for tensor in tensors(batch))
    few: Batch = mapped(lambda each: each[:items], batch) if has_rows else batch
    return few


def _with_or_without_grad(model: nn.Module, part: list[Batch], runtime: Runtime) -> tuple[bool, tuple[Any, Any]]:
    """The outputs and targets without gradients, or else with them; if that fails too, the first fault is raised."""
    try:
        return False, evaluate(model, part, runtime)
    except Exception as error:  # noqa: BLE001 - a user's model may do anything
        try:
            return True, evaluate(model, part, replace(runtime, evaluates_with_grad=True))
        except Exception:  # noqa: BLE001 - likewise
            raise error from None


def _fault_of_channels_last(problem: Problem, batch: Batch, runtime: Runtime) -> str | None:
    """Why images do not get the memory format that is faster; None if they may, empty if there are none.

    In evaluation the outputs have to be the same; in training, where dropout draws in the order of the memory, a
    forward and a backward pass have to work.
    """
    inputs, _ = batch
    model = _fresh(problem)
    is_image = isinstance(inputs, Tensor) and inputs.dim() == 4 and inputs.is_floating_point()
    if problem.handling.channels_last or not is_image or not has_images(model):
        return None if problem.handling.channels_last else ""
    try:
        faster = replace(runtime, channels_last=True)
        plain = tensors(evaluate(model, [batch], runtime)[0])
        model = faster.place(_fresh(problem))
        fast = tensors(evaluate(model, [batch], faster)[0])
        model.train()
        placed, wanted = faster.batch(batch)
        torch.autograd.backward(problem.loss(faster.forward(model, placed), wanted, 0.0))
        _check_gradients(model)
    except Exception as error:  # noqa: BLE001 - a user's model may do anything
        return f"fails in this model: {describe_error(error)}"
    return None if all(map(_are_same, plain, fast)) else "changes the outputs of this model"


def _are_same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    return bool(torch.allclose(one, other, rtol=0.0, atol=SAME * float(one.abs().max().clamp(min=1e-12))))


def _checked(what: str, attempt: Callable[[], Any]) -> Any:
    """The result of ``attempt``; an exception of it becomes a UserError that names ``what``."""
    try:
        return attempt()
    except UserError:
        raise
    except Exception as error:
        cause = error.__cause__ or error
        mend = REPORT if is_ours(cause) else "Nothing was started; fix it first."
        raise UserError(f"{what} failed: {describe_error(cause)}. {mend}") from error


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        shown = "None" if made is None else f"a {type(made).__name__}"
        raise UserError(f"model: its function returned {shown}. Return a fresh torch.nn.Module.")
    lazy = {type(part).__name__ for part in made.modules() if any(map(is_lazy, part.parameters(recurse=False)))}
    if lazy:
        raise UserError(
            f"model: {', '.join(sorted(lazy))} gets its size from the first batch only. Give the size, or call the "
            f"model once on a batch before the function returns it."
        )
    if not any(parameter.requires_grad for parameter in made.parameters()):
        raise UserError(
            f"model: {type(made).__name__} has no parameter to train. Make its layers attributes of the module, or put "
            f"them into an nn.ModuleList and not a plain list, and leave requires_grad on."
        )
    return made


def _check_freshness(one: nn.Module, other: nn.Module) -> None:
    """Two models may share frozen parts, but what a trial trains has to be its own."""
    first, second = (
        {p.untyped_storage().data_ptr() for p in model.parameters() if p.requires_grad and p.numel()}
        for model in (one, other)
    )
    if first & second:
        raise UserError(
            f"model: its function gives the same weights each time ({type(one).__name__}), so that every trial would "
            f"go on where the last one ended. Make the layers inside the function, or return copy.deepcopy(model)."
        )


def _optimizer(made: object) -> torch.optim.Optimizer:
    if isinstance(made, torch.optim.Optimizer):
        return made
    shown = "None" if made is None else f"a {type(made).__name__}"
    raise UserError(f"optimizer.factory: returned {shown}. Return a torch.optim.Optimizer of the groups it is given.")


def _pair(batch: object) -> Batch:
    try:
        inputs, targets = pair(batch)
        if count(inputs) and count(targets):
            return inputs, targets
    except ValueError as error:
        raise UserError(f"task: {first_line(error).partition(': ')[2]}. Make the loader yield such pairs.") from error
    raise UserError(
        "task: a training batch is empty. Make the loader yield pairs (inputs, targets) with an item at least."
    )


def _check_outputs(outputs: object, targets: Any, *, is_read: bool) -> None:
    """Faults of outputs; several are fine if the user's own loss reads them."""
    if not isinstance(outputs, Tensor) and not is_read:
        raise UserError(
            f"model: gives {shape_words(outputs)}, but the loss takes one tensor, such as [n, classes] or [n]. Name "
            f"the one with `select`, as in Task(…, select='logits'), or bring a loss and a metric of your own."
        )
    found = [tensor for tensor in tensors(outputs) if tensor.is_floating_point()]
    if isinstance(outputs, Tensor) and (not outputs.dim() or len(outputs) != count(targets)):
        raise UserError(
            f"model: gives {list(outputs.shape)} for a batch of {count(targets)}. The first axis has to be that of the "
            f"items."
        )
    wrong = sum(int((~tensor.isfinite()).sum()) for tensor in found)
    if wrong:
        raise UserError(
            f"model: {wrong} of {sum(tensor.numel() for tensor in found)} outputs are NaN or infinite before any step. "
            f"Look at its layers, its initial weights and the scale of the inputs."
        )


def _check_metric(problem: Problem, targets: Any) -> None:
    known = METRICS.get(problem.metric.name)
    if known is None or known.regression:
        return
    if not isinstance(targets, Tensor) or not (targets.dim() == 1 or targets.shape[1:] == (1,)):
        shape = targets.shape[1:] if isinstance(targets, Tensor) else ()
        raise UserError(several_labels(problem.metric.name, shape))


def _check_correct(problem: Problem, outputs: Any, targets: Any, value: float) -> None:
    """That which items are right is what the intervals take it for: one boolean per item, whose mean is the metric."""
    marks = problem.metric.correct
    if marks is None:
        return
    what = f"metric {problem.metric.name}: its `correct`"
    correct = _checked(what, lambda: marks(outputs, targets))
    wanted = "Return a boolean tensor with one value for each item, or leave `correct` out"
    if not isinstance(correct, Tensor) or correct.dtype != torch.bool:
        shown = correct.dtype if isinstance(correct, Tensor) else shape_words(correct)
        raise UserError(f"{what} returned {shown}. {wanted}.")
    if correct.shape != (count(targets),):
        raise UserError(f"{what} returned the shape {list(correct.shape)} for {count(targets)} items. {wanted}.")
    share = float(correct.double().mean())
    if math.isfinite(value) and abs(share - value) > EQUAL:
        raise UserError(
            f"{what} has the mean {share:.4g}, but the metric is {value:.4g}. It has to be the mean over items; leave "
            f"`correct` out if it is not."
        )


def _check_shape(outputs: Tensor, targets: Any, expected: int | None) -> None:
    """Report the commonest mistake before the loss fails with a message of its own."""
    if not isinstance(targets, Tensor):
        raise UserError(
            f"task: the targets of a batch are {shape_words(targets)}, but the built-in losses take one tensor. Bring "
            f"a loss and a metric of your own: Task(…, loss=function, metric=Metric(…))."
        )
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
    if expected is None and targets.dim() == 1 and 1 < given <= int(targets.max()):
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
