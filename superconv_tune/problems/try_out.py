"""Tries a user's question out on a device, and finds how it may be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.payload import Payload, is_standardised, outputs_per_item, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.rehearse import ModelCard, Rehearsal, rehearse
from superconv_tune.problems.source import describe_error
from superconv_tune.problems.targets import Scaled, are_ordinary, knows_no_units
from superconv_tune.training.randomness import isolated, seed_all

SCALED = "the scale of the targets is far from 1: the loss is of standardised ones, and metrics are in their units"


def try_out(payload: Payload, device: torch.device, params: Hyperparameters) -> tuple[Payload, Problem, ModelCard]:
    """Rehearse the question; returns it with what was found, which every worker has to know, and its problem.

    Raises:
        UserError: if the data, the model, the loss, the metric or the optimizer does not work.
    """
    payload = _with_inputs(payload, device)
    problem = realise(payload, device)
    found = rehearse(problem, params, outputs_per_item(payload))
    payload = replace(payload, handling=found.handling)
    if not _wants_scale(payload, found):
        value = found.handling.untrained
        trivial = problem.trivial_value if value is None else value
        return payload, replace(problem, handling=found.handling, trivial_value=trivial), found.card
    assert payload.arrays is not None
    payload = replace(payload, form=Scaled.of(payload.arrays.train.targets, keeps_sign=True))
    return payload, realise(payload, device), replace(found.card, notes=(*found.card.notes, SCALED))


def _wants_scale(payload: Payload, found: Rehearsal) -> bool:
    """Whether the user's model knows nothing of the units of its targets, which are beyond a network's reach."""
    return (
        is_standardised(payload)
        and payload.has_own_model
        and payload.arrays is not None
        and not are_ordinary(payload.arrays.train.targets)
        and isinstance(found.outputs, Tensor)
        and knows_no_units(found.outputs)
    )


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
