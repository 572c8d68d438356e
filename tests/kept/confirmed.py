"""Confirmation trials of small questions, whose models are kept."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from superconv_tune.core.bits import unpack
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.kept.keeper import ModelKeeper
from superconv_tune.kept.shelf import publish
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.kept import KeptModels
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import Cycle, Fit, TrialOutcome, TrialRequest
from superconv_tune.spec.load import load_spec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

PARAMS = Hyperparameters(cycle_epochs=3.0, batch_size=16)


@dataclass(frozen=True)
class Confirmed:
    """A question whose fresh models were confirmed.

    Attributes:
        payload: the question.
        outcomes: of its trials.
        folder: of the models that are kept.
        kept: what is in it.
    """

    payload: Payload
    outcomes: Sequence[TrialOutcome]
    folder: Path
    kept: KeptModels

    @property
    def best(self) -> TrialOutcome:
        """The trial that validated best."""
        sign = 1.0 if self.payload.spec.direction == "max" else -1.0
        return max(self.outcomes, key=lambda outcome: (sign * (outcome.validation or 0.0), outcome.trial_id == "c0"))

    def correct(self, outcome: TrialOutcome) -> NDArray[np.bool_]:
        """Which test items a model had right."""
        assert outcome.test_correct is not None
        return unpack(outcome.test_correct, outcome.test_items)

    @property
    def test_inputs(self) -> NDArray[Any]:
        """The inputs of the test part; of a frozen network the payload itself holds the features."""
        payload, spec = self.payload, self.payload.spec
        if payload.backbone is not None:
            assert spec.model is not None
            payload, _ = prepare(spec.model_copy(update={"model": spec.model.model_copy(update={"freeze": ()})}))
        assert payload.arrays is not None
        return np.asarray(payload.arrays.test.inputs)

    @property
    def test_targets(self) -> NDArray[Any]:
        assert self.payload.arrays is not None
        return self.payload.arrays.test.targets


def request(number: int, **changes: Any) -> TrialRequest:
    known = {"work": Cycle(0.05, reads_test=True), "params": PARAMS, "schedule": Schedule(), "seed": number}
    return TrialRequest(f"c{number}", 1, Confirm(1), **{**known, "deadline": math.inf, **changes})


def confirmed(folder: Path, spec: Mapping[str, Any], models: int = 2, most: int = 3) -> Confirmed:
    """Train fresh models of a question, keep them, and publish them in ``folder / "model"``."""
    place = folder / "spec.json"
    place.write_text(json.dumps({"name": "kept"} | dict(spec)), encoding="utf-8")
    payload, _ = prepare(load_spec(place, {}))
    device = torch.device("cpu")
    if payload.is_fitted:
        problem = realise(payload, device)
    else:
        payload, problem, _ = try_out(payload, device, PARAMS)
    keeper = ModelKeeper(folder / "drafts", payload, most)
    work = {"work": Fit(reads_test=True), "deadline": time.time() + 600.0} if payload.is_fitted else {}
    requests = [request(number, **work) for number in range(models)]
    outcomes = [run(each, problem, NullTracker(), time.time, keeper=keeper) for each in requests]
    assert [outcome.status for outcome in outcomes] == ["finished"] * models
    kept = publish(folder / "drafts", folder / "model", [f"c{number}" for number in range(models)], most)
    assert kept is not None
    return Confirmed(payload, outcomes, folder / "model", kept)
