"""The long run: one cycle with the recipe of a search, checkpointed, continued exactly after an interruption."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ValidationError

from superconv_tune.core.codec import decode
from superconv_tune.core.curve import Curve
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.horizon import HorizonRule, prior
from superconv_tune.lr.schedule import Schedule, schedule_from
from superconv_tune.lr.span import Span
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import EvaluationSet, Problem
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.training import checkpoint
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, train
from superconv_tune.training.memory import device_for
from superconv_tune.training.randomness import seed_all

CHECKPOINT, WEIGHTS, RESULT = "checkpoint.pt", "weights.pt", "result.json"
FIELDS = set(ExperimentSpec.model_fields)


@dataclass(frozen=True)
class LongRun:
    """One long cycle.

    Attributes:
        problem: the question.
        params: of the recipe, with the length of this run.
        schedule: of the recipe.
        plan: what the schedule runs over.
        runtime: device and precision.
        seed: everything random derives from it.
        folder: for checkpoint, weights and result.
    """

    problem: Problem
    params: Hyperparameters
    schedule: Schedule
    plan: Span
    runtime: Runtime
    seed: int
    folder: Path


@dataclass(frozen=True)
class Progress:
    """After an epoch: epochs done, the epochs of the run, the mean training loss of the last one."""

    epochs: int
    of: float
    loss: float


def open_run(recipe: Path, epochs: float, max_lr: float | None, folder: Path) -> LongRun:
    """A long run from a recipe.

    The peak is the recipe's, moved to the new length by the horizon rule with the optimizer's prior, unless given.

    Raises:
        UserError: if the recipe is none, or its data or model do not work any more.
    """
    content = _read(recipe)
    try:
        spec = ExperimentSpec.model_validate(
            {"name": "train", **{k: v for k, v in content.items() if k in FIELDS - {"schedule"}}}
        )
        params: Hyperparameters = decode(Hyperparameters, content["params"])
        found_lr, schedule = float(content["params"]["max_lr"]), schedule_from(content["schedule"])
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{recipe} is no recipe of this version ({error}). Search again, or render its study again."
        ) from error
    rule = HorizonRule(found_lr, params.cycle_epochs, prior(spec.optimizer.name)[0])
    payload, _ = prepare(spec)
    device = device_for(with_gpu=True)
    problem = realise(payload, device)
    params = replace(params, cycle_epochs=epochs)
    steps = max(1, round(epochs * problem.train.steps_per_epoch(params.batch_size)))
    plan = Span.of(params, steps, max_lr or rule.max_lr(epochs))
    folder.mkdir(parents=True, exist_ok=True)
    return LongRun(problem, params, schedule, plan, Runtime(device, content["precision"]), int(content["seed"]), folder)


def follow(run: LongRun) -> Iterator[Progress]:
    """Train, an epoch per item, from the checkpoint if there is one; then write weights and result.

    The curve is the same bit for bit as without an interruption, on the same machine.

    Raises:
        UserError: if the checkpoint in the folder is of another run.
    """
    problem, params = run.problem, run.params
    seed_all(run.seed)
    model = run.runtime.place(problem.make_model())
    optimizer = problem.make_optimizer(model, params)
    first, loss_before = _continued(run, model, optimizer)
    knobs = run.schedule.knobs(run.plan)
    per_epoch = problem.train.steps_per_epoch(params.batch_size)
    blocks = train(
        model,
        optimizer,
        problem.train.stream(params.batch_size, run.seed, first),
        lambda outputs, targets: problem.loss(outputs, targets, params.label_smoothing),
        lambda step: knobs(step / max(1, run.plan.steps - 1)) if step < run.plan.steps else None,
        runtime=run.runtime,
        clock=time.time,
        first_step=first,
        block_steps=per_epoch,
    )
    done, losses = first, loss_before
    for block in blocks:
        done += len(block)
        losses = [*losses, *block.loss.tolist()]
        checkpoint.save(run.folder / CHECKPOINT, model, optimizer, done, {"plan": _identity(run), "losses": losses})
        yield Progress(done // per_epoch, run.params.cycle_epochs, _mean(block))
    torch.save(model.state_dict(), run.folder / WEIGHTS)
    result = {
        "metric": problem.metric.name,
        "validation": _value(run, model, problem.validation),
        "test": _value(run, model, problem.test),
        "epochs": params.cycle_epochs,
        "max_lr": run.plan.max_lr,
        "losses": losses,
    }
    (run.folder / RESULT).write_text(json.dumps(result), encoding="utf-8")


def _continued(run: LongRun, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, list[float]]:
    if not (run.folder / CHECKPOINT).exists():
        return 0, []
    step, extra = checkpoint.load(run.folder / CHECKPOINT, model, optimizer)
    if extra["plan"] != _identity(run):
        raise UserError(f"--output: {run.folder} holds a run with another plan. Choose another folder for this one.")
    return step, extra["losses"]


def _identity(run: LongRun) -> str:
    return repr((run.schedule, run.plan, run.params, run.seed))


def _mean(block: Curve) -> float:
    return float(block.loss.mean())


def _value(run: LongRun, model: torch.nn.Module, part: EvaluationSet) -> float:
    outputs, targets = evaluate(model, part.batches(), run.runtime)
    return run.problem.metric.compute(outputs, targets)


def _read(recipe: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{recipe} cannot be read ({error}). Name the recipe.yaml of a study.") from error
    if not isinstance(content, dict) or content.get("recipe_version") != 1:
        raise UserError(f"{recipe} is no recipe of version 1. Name the recipe.yaml of a study.")
    return content
