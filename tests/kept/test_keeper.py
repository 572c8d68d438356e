"""A trial keeps its model, and is none the worse if it cannot."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from superconv_tune.kept import keeper as module
from superconv_tune.kept.keeper import ModelKeeper, drafts_in, keeper_of
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import Cycle, TrialOutcome
from superconv_tune.spec.load import load_spec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.kept.confirmed import PARAMS, request
from tests.kept.questions import QUESTIONS
from tests.problems.pretrained import saved

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Payload:
    place = tmp_path_factory.mktemp("question") / "spec.json"
    place.write_text('{"name": "digits", "data": "digits", "model": {"name": "mlp", "width": 0.1}}', encoding="utf-8")
    return prepare(load_spec(place, {}))[0]


def trained(payload: Payload, keeper: ModelKeeper | None, cycle: Cycle | None = None) -> TrialOutcome:
    asked = replace(request(0), params=replace(PARAMS, cycle_epochs=0.2), work=cycle or Cycle(0.05, reads_test=True))
    return run(asked, realise(payload, CPU), NullTracker(), time.time, keeper=keeper)


def plain(outcome: TrialOutcome) -> TrialOutcome:
    """What does not depend on the time that it took."""
    return replace(outcome, wall_s=0, train_s=0, eval_s=0, cycle_curve=None)


def test_the_outcome_is_the_same_with_and_without_a_keeper(payload: Payload, tmp_path: Path) -> None:
    kept = trained(payload, ModelKeeper(tmp_path, payload, 3))
    assert plain(kept) == plain(trained(payload, None))
    (draft,) = drafts_in(tmp_path)
    assert (draft.member.validation, draft.member.test) == (kept.validation, kept.test)
    assert draft.description.recipe["max_lr"] == kept.max_lr
    assert draft.description.recipe["cycle_epochs"] == 0.2


def test_only_a_cycle_that_reads_the_test_part_is_kept(payload: Payload, tmp_path: Path) -> None:
    assert trained(payload, ModelKeeper(tmp_path, payload, 3), Cycle(0.05)).status == "finished"
    assert drafts_in(tmp_path) == []


def test_the_best_of_every_recipe_stays(payload: Payload, tmp_path: Path) -> None:
    """Whichever is confirmed last, the study may end with an earlier recipe, or that of another family."""
    both = replace(payload, families={"one": payload, "other": payload})
    keeper = ModelKeeper(tmp_path, both, 1)
    for number, (family, recipe) in enumerate((("one", 1), ("one", 1), ("other", 2), ("other", 3), ("one", 1))):
        asked = replace(request(number), family=family, purpose=Confirm(recipe))
        asked = replace(asked, params=replace(PARAMS, cycle_epochs=0.2), work=Cycle(0.05, reads_test=True))
        run(asked, realise(payload, CPU), NullTracker(), time.time, keeper=keeper)
    assert sorted(draft.recipe for draft in drafts_in(tmp_path)) == [1, 2, 3]


def test_a_cycle_that_was_cut_short_is_not_kept(payload: Payload, tmp_path: Path) -> None:
    outcome = TrialOutcome("c0", 1, "finished", 0.5, validation=0.5, test=0.5, shortened=True)
    ModelKeeper(tmp_path, payload, 3).keep(request(0), outcome, nn.Linear(1, 1), torch.zeros(1))
    assert drafts_in(tmp_path) == []


@pytest.mark.parametrize("fault", ["size", "disk", "state"])
def test_a_model_that_cannot_be_kept_costs_no_trial(
    fault: str, payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "drafts"
    if fault == "size":
        monkeypatch.setattr(module, "MOST_BYTES", 100)
    elif fault == "disk":
        folder.write_text("a file where the folder should be", encoding="utf-8")
    else:
        monkeypatch.setattr(nn.Linear, "get_extra_state", lambda _: {"steps": 3}, raising=False)
    with caplog.at_level(logging.WARNING):
        outcome = trained(payload, ModelKeeper(folder, payload, 3))
    assert outcome.status == "finished"
    assert outcome.test is not None
    assert "The model of trial c0 is not kept" in caplog.text
    assert drafts_in(folder) == []


def test_a_head_is_not_kept_with_another_network_than_the_one_that_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "spec.json"
    place.write_text(json.dumps({"name": "heads"} | QUESTIONS["frozen"](tmp_path)), encoding="utf-8")
    payload, _ = prepare(load_spec(place, {}))
    saved(tmp_path / "weights.pt", seed=1)
    with caplog.at_level(logging.WARNING):
        assert trained(payload, ModelKeeper(tmp_path / "drafts", payload, 3)).status == "finished"
    assert "another network than the one that computed the features" in caplog.text
    assert drafts_in(tmp_path / "drafts") == []


def test_outputs_that_are_too_large_are_left_out(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OUTPUT_BYTES", 100)
    trained(payload, ModelKeeper(tmp_path, payload, 3))
    (draft,) = drafts_in(tmp_path)
    assert draft.member.outputs == ""
    assert {file.name for file in (tmp_path / "c0").iterdir()} == {"weights.safetensors", "draft.json"}


def test_what_is_kept_is_strict_json_without_addresses(payload: Payload, tmp_path: Path) -> None:
    spec = payload.spec.model_copy(update={"storage": "postgresql://me:secret@host/db"})
    handled = replace(payload, spec=spec)
    trained(handled, ModelKeeper(tmp_path, handled, 3))
    text = (tmp_path / "c0" / "draft.json").read_text(encoding="utf-8")
    assert "secret" not in text
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


def test_zero_models_need_no_keeper(payload: Payload, tmp_path: Path) -> None:
    none = replace(payload, spec=payload.spec.model_copy(update={"keep_models": 0}))
    assert keeper_of(none, tmp_path) is None
    found = keeper_of(payload, tmp_path)
    assert found is not None
    assert found.most == 3


def test_an_unfinished_outcome_is_not_kept(payload: Payload, tmp_path: Path) -> None:
    outcome = TrialOutcome("c0", 1, "nan", 0.1, max_lr=math.inf)
    ModelKeeper(tmp_path, payload, 3).keep(request(0), outcome, nn.Linear(1, 1), torch.zeros(1))
    assert drafts_in(tmp_path) == []
