"""Keeps the model of a trial on the worker's disk, in a folder per trial; see `superconv_tune.trial.keeper.Keeper`.

A folder appears with all of its files, or not at all. `superconv_tune.kept.shelf` makes one folder of the chosen ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.files import write_atomically
from superconv_tune.core.yardstick import Direction, Yardstick
from superconv_tune.kept.answers import are_of_classes, in_units
from superconv_tune.kept.description import Answer, Description, Member, as_json, described
from superconv_tune.kept.weights import format_of, packed, packed_tensors
from superconv_tune.lr.schedule import as_mapping
from superconv_tune.problems.features import sha256_of
from superconv_tune.problems.payload import Payload, assembled, task_of
from superconv_tune.record.trial import Fit, TrialOutcome, TrialRequest
from superconv_tune.training.randomness import isolated

DRAFT = "draft.json"  # written last into the folder of a trial
MOST_BYTES = 2 * 2**30  # of the weights of one model; a larger one is not kept
MOST_OUTPUT_BYTES = 64 * 2**20  # of the outputs on the test part, without which the ensemble has no estimate


@dataclass(frozen=True)
class Draft:
    """A model as its trial left it.

    Attributes:
        member: the model.
        description: how it was made and is to be used.
        recipe: number of the recipe that it was trained with; 0 for a long run.
    """

    member: Member
    description: Description
    recipe: int


@dataclass(frozen=True)
class ModelKeeper:
    """Keeps the models of each recipe that validate best: any of them may be the one that stands in the end.

    Attributes:
        folder: of the drafts; workers on one machine share it.
        payload: the question.
        most: number of models of a recipe that stay.
    """

    folder: Path
    payload: Payload
    most: int

    def keep(self, request: TrialRequest, outcome: TrialOutcome, model: Any, outputs: Any) -> None:
        """Keep a model that was trained to its end: a network, or one that was fitted.

        Args:
            request: the trial.
            outcome: its results, those on the validation and the test part among them.
            model: the trained model.
            outputs: its outputs on the test part, as the metric reads them.

        Raises:
            ValueError: if it has a state that cannot be kept, is too large, or its frozen network is another one now.
            OSError: if the folder cannot be written.
        """
        if outcome.shortened or outcome.validation is None or outcome.test is None:
            return
        payload = self.payload.of(request.family)
        content = packed(_whole(payload, model))
        if len(content) > MOST_BYTES:
            raise ValueError(f"its weights take {len(content):,} bytes, and at most {MOST_BYTES:,} are kept")
        weights = format_of(model)
        description = described(payload, request.precision, _recipe(request, outcome))
        tested = self._tested(outputs, description.answer)
        member = Member(
            trial=request.trial_id,
            seed=request.seed,
            validation=outcome.validation,
            test=outcome.test,
            test_items=outcome.test_items,
            weights=weights,
            file=f"weights.{weights}",
            sha256=hashlib.sha256(content).hexdigest(),
            outputs="test.safetensors" if tested else "",
        )
        draft = Draft(member, description, request.recipe or 0)
        files = {member.file: content} | ({member.outputs: tested} if tested else {})
        _write(self.folder / request.trial_id, files | {DRAFT: as_json(draft)})
        self._drop_others(draft.recipe)

    def _tested(self, outputs: Any, answer: Answer) -> bytes:
        """Outputs, targets and groups of the test part, which an ensemble's estimate needs; empty if it has none."""
        arrays = self.payload.arrays
        are_numbers = answer.kind == "numbers" and isinstance(outputs, Tensor)
        if arrays is None or not (are_of_classes(outputs, answer) or are_numbers):
            return b""
        found = {
            "outputs": in_units(outputs, answer) if are_numbers else outputs,
            "targets": torch.from_numpy(np.array(arrays.test.targets)),
        }
        if arrays.test.groups is not None:
            found["groups"] = torch.from_numpy(arrays.test.groups)
        size = sum(tensor.numel() * tensor.element_size() for tensor in found.values())
        return packed_tensors(found) if size <= MOST_OUTPUT_BYTES else b""

    def _drop_others(self, recipe: int) -> None:
        """Remove all drafts of a recipe but the best; another worker may be doing the same."""
        members = [draft.member for draft in drafts_in(self.folder) if draft.recipe == recipe]
        for member in best(members, self.payload.spec.direction)[self.most :]:
            remove(self.folder / member.trial)


def _whole(payload: Payload, model: Any) -> Any:
    """The model from the inputs on: a head that was trained on features together with the network that gives them.

    Raises:
        ValueError: if the factory gives another network now.
    """
    if payload.backbone is None:
        return model
    with isolated(torch.device("cpu")):
        task = task_of(payload.spec, payload.task) if payload.task else None
        whole = assembled(payload, model, task)
    if sha256_of(whole.backbone) != payload.backbone.sha256:
        raise ValueError("its factory now gives another network than the one that computed the features")
    return whole


def _recipe(request: TrialRequest, outcome: TrialOutcome) -> dict[str, Any]:
    """The settings of a cycle, or what differs from those of the family in a fit."""
    if isinstance(request.work, Fit):
        return dict(encode(request.work.options))
    return {**encode(request.params), "max_lr": outcome.max_lr, "schedule": dict(as_mapping(request.schedule))}


def keeper_of(payload: Payload, folder: Path) -> ModelKeeper | None:
    """Keeps the models of a question in a folder; None if the user wants none."""
    most = payload.spec.keep_models
    return ModelKeeper(folder, payload, most) if most else None


def drafts_in(folder: Path) -> list[Draft]:
    """The models that trials have left in a folder; one that another worker is removing may be missing."""
    found = []
    for place in sorted(folder.glob(f"[!.]*/{DRAFT}")):  # one with a dot is still being written
        with suppress(FileNotFoundError):
            found.append(decode(Draft, json.loads(place.read_text(encoding="utf-8"))))
    return found


def remove(draft: Path) -> None:
    """Remove the folder of a draft; a kill meanwhile leaves files that are no draft any more."""
    (draft / DRAFT).unlink(missing_ok=True)
    shutil.rmtree(draft, ignore_errors=True)


def best(members: Iterable[Member], direction: Direction) -> list[Member]:
    """The models, the one that validated best first; those of equal worth in the order of their trials."""
    worth = Yardstick("validation", direction).worth
    return sorted(members, key=lambda member: (-worth(member.validation), member.trial))


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files, which appears at once; an earlier one of the same name is replaced."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, content in files.items():
            write_atomically(part / name, content)
        remove(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
