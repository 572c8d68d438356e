"""Tries a user's question out on a device, and finds how it may be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.nested import joined
from superconv_tune.data.parts import exact
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.payload import Array, Payload, is_standardised, outputs_per_item, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.rehearse import ModelCard, rehearse
from superconv_tune.problems.source import describe_error
from superconv_tune.problems.targets import Scaled, are_ordinary, knows_no_units
from superconv_tune.training.randomness import isolated, seed_all

SCALED = (
    "The scale of the targets is far from 1: the model learns standardised ones and gives such numbers; metrics "
    "are in the units of the targets."
)


def try_out(payload: Payload, device: torch.device, params: Hyperparameters) -> tuple[Payload, Problem, ModelCard]:
    """Rehearse the question; returns it with what was found, which every worker has to know, and its problem.

    Raises:
        UserError: if the data, the model, the loss, the metric or the optimizer does not work.
    """
    payload = _with_inputs(payload, device)
    problem = realise(payload, device)
    found = rehearse(problem, params, outputs_per_item(payload))
    payload = replace(payload, handling=found.handling)
    targets = _targets(payload, problem)
    if targets is None or are_ordinary(targets) or not knows_no_units(found.outputs):
        value = found.handling.untrained
        trivial = problem.trivial_value if value is None else value
        return payload, replace(problem, handling=found.handling, trivial_value=trivial), found.card
    payload = replace(payload, form=Scaled.of(targets, keeps_sign=True))
    return payload, realise(payload, device), replace(found.card, warnings=(*found.card.warnings, SCALED))


def _targets(payload: Payload, problem: Problem) -> Array | None:
    """Numbers that a user's own model is to predict for one of our losses, which knows no scale; None for others.

    Where the user's loaders read the data, those of the validation part stand for all.
    """
    if not is_standardised(payload) or not payload.has_own_model:
        return None
    if payload.arrays is not None:
        return payload.arrays.train.targets
    targets = joined([targets for _, targets in problem.validation.batches()])
    found: Array = targets.cpu().numpy()
    return exact(found) if found.dtype.kind == "f" else None


def _with_inputs(payload: Payload, device: torch.device) -> Payload:
    """The question with the inputs that the user's own model takes: whole numbers as they are, or else as floats.

    Raises:
        UserError: if it takes neither.
    """
    if payload.task is None or payload.arrays is None or not payload.has_own_model:
        return payload
    if not np.issubdtype(payload.arrays.train.inputs.dtype, np.integer):
        return payload
    faults = []
    for as_given in (True, False):
        asked = replace(payload, handling=Handling(as_given=as_given))
        fault = _fault(realise(asked, device))
        if fault is None:
            return asked
        faults.append(fault)
    raise UserError(
        f"model, given whole numbers of the shape {list(payload.arrays.train.inputs.shape[1:])} an item, failed: "
        f"{faults[0]}; and given them as floats: {faults[1]}."
    )


def _fault(problem: Problem) -> str | None:
    """Why the model cannot read a batch; None if it can, or if its function does not work, which is reported later."""
    with isolated(problem.device):
        seed_all(0)
        try:
            model = problem.make_model().to(problem.device)
        except Exception:  # noqa: BLE001 - a user's factory may do anything
            return None
        try:
            with torch.no_grad():
                model(next(_few(problem)))
        except Exception as error:  # noqa: BLE001 - likewise
            return describe_error(error)
    return None


def _few(problem: Problem) -> Iterator[Tensor]:
    """Inputs of two items, which a norm over the batch needs."""
    return (inputs for inputs, _ in problem.train.stream(2, 0))
