"""What is found out about the network of a factory, once, in the driver: where it ends, its scale, its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.batches import ResidentSet
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import RawData
from superconv_tune.data.split import Split
from superconv_tune.models.pretrained import Anatomy, anatomy
from superconv_tune.problems.features import Backbone, differs_from_its_head, on_features
from superconv_tune.problems.networks import Network, pixel_normaliser
from superconv_tune.problems.payload import Arrays, DataCard, Payload, network_of, task_of
from superconv_tune.problems.source import describe_error
from superconv_tune.spec.spec import ModelSpec
from superconv_tune.training.memory import device_for
from superconv_tune.training.randomness import isolated, seed_all

FEW = 4  # items that show where a network ends
FROM_SCRATCH = (
    "The forecast for longer cycles, and the word infeasible with it, rest on tasks whose networks were trained from "
    "scratch; this one has pretrained weights, for which that was not tested."
)
OF_ARRAYS = ("head", "normalise")  # keys of a model that need to see the data; and `freeze: backbone`


@dataclass(frozen=True)
class Looked:
    """The data as they were read, and their split."""

    raw: RawData
    rows: Split


def with_network(payload: Payload, card: DataCard, looked: Looked | None) -> tuple[Payload, DataCard]:
    """The question with what was found out about the network of a factory, and with its features if it is frozen.

    Args:
        payload: the question.
        card: facts about its data, to which notes and warnings are added.
        looked: the data; None if the user's loaders read them.

    Raises:
        UserError: if the network does not work, or does not fit what the spec says of it.
    """
    wanted = payload.spec.model
    if wanted is None or payload.model is None or wanted.is_fitted:
        return payload, card
    if wanted.is_pretrained and FROM_SCRATCH not in card.warnings:
        card = replace(card, warnings=(*card.warnings, FROM_SCRATCH))
    if looked is None or payload.arrays is None:
        return payload, card
    device = device_for(with_gpu=payload.spec.resources.gpus_per_trial != 0)
    with isolated(device):
        network = network_of(payload, task_of(payload.spec, payload.task) if payload.task else None)
        if wanted.normalise.of != "data":
            scale = pixel_normaliser(wanted, network.given(), payload.arrays.train.inputs)
            payload = replace(payload, arrays=replace(payload.arrays, normaliser=scale))
        if not network.needs_anatomy:
            return payload, card
        given, inputs, found = _examined(payload, network)
        payload, network = replace(payload, anatomy=found), replace(network, anatomy=found)
        if not wanted.has_features:
            return payload, card
        raise_any(_feature_faults(payload, network, inputs))
        parts, backbone = on_features(looked.raw, looked.rows, card.fingerprint, network, given, device)
    train = parts["train"]
    scaled = Normaliser.of(train.inputs, np.arange(len(train))) if wanted.head != "own" else None
    arrays = Arrays(train, parts["validation"], parts["test"], scaled)
    return replace(payload, arrays=arrays, backbone=backbone), replace(card, notes=(*card.notes, backbone.note))


def _examined(payload: Payload, network: Network) -> tuple[Backbone, Tensor, Anatomy]:
    """How the network reads inputs; a few of them, read; and where it ends.

    Raises:
        UserError: if it fails with inputs as they are and as floats.
    """
    assert payload.arrays is not None
    train, normaliser = payload.arrays.train, payload.arrays.normaliser
    few = torch.from_numpy(np.array(train.inputs[: min(FEW, len(train))]))
    seed_all(0)
    model = network.given()
    may_be_given = payload.task is not None and not few.is_floating_point()
    faults = []
    for as_given in (True, False) if may_be_given else (False,):
        part = ResidentSet(few, torch.zeros(len(few)), normaliser, as_given=as_given)
        inputs, _ = next(iter(part.batches()))
        try:
            found = Backbone(normaliser, as_given, tuple(few.shape[1:]), train.inputs.dtype.name)
            return found, inputs, anatomy(model, inputs)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's model may do anything
            faults.append(describe_error(error))
    raise UserError(f"model, given inputs of the shape {list(few.shape)}, failed: {'; and as floats: '.join(faults)}.")


def _feature_faults(payload: Payload, network: Network, inputs: Tensor) -> list[str]:
    """What stands against training the head alone on features."""
    if payload.live_rows is not None:
        return [
            "model.freeze: the items of the task's Dataset differ each time they are read, so that their features "
            "cannot be kept. Freeze modules by their names instead: the network is then computed in every step."
        ]
    if payload.spec.model is None or payload.spec.model.head != "own":
        return []
    network.head_alone(0)  # raises if there is none
    if differs_from_its_head(network, inputs):
        return [
            "model.freeze: the network changes the outputs of its last linear layer, which alone would learn something "
            "else. Write `head: linear` for a fresh one."
        ]
    return []


def loader_faults(models: Sequence[ModelSpec | None]) -> list[str]:
    """Keys of models that need more of the data than loaders show."""
    return list(dict.fromkeys(fault for model in models if model is not None for fault in _loader_faults(model)))


def _loader_faults(model: ModelSpec) -> list[str]:
    changed = model.model_dump(exclude_defaults=True)
    given = [key for key in OF_ARRAYS if key in changed] + ["freeze: backbone"] * model.has_features
    return [
        f"model: {', '.join(given)} cannot be used with loaders, whose items are not known. Do it in the factory; "
        f"`freeze` takes names of modules, and `layer_decay`, `lr_scale` and `size` work."
    ] * bool(given)
