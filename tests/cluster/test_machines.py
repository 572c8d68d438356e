"""Records that were left on other machines come to this one, whole and once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from superconv_tune.cluster.machines import drop, keep, taken
from superconv_tune.kept.keeper import DRAFT, ModelKeeper
from superconv_tune.kept.predictor import load
from superconv_tune.kept.shelf import publish
from superconv_tune.tracking.attempt import RECORD
from tests.kept.confirmed import confirmed, request
from tests.kept.questions import QUESTIONS

FILES = {RECORD: b"{}", "curves.parquet": bytes(range(256))}


def spilled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        for file, content in FILES.items():
            (folder / name / file).write_bytes(content)
    return folder


def test_what_was_left_there_is_here_and_no_longer_there(tmp_path: Path) -> None:
    there, here = spilled(tmp_path / "there", "0001-1", "0002-1"), tmp_path / "here"
    (there / "0003-1").mkdir()  # which is being written
    kept = keep(taken(there, RECORD), here)
    assert sorted(kept) == ["0001-1", "0002-1"]
    drop(there, kept)
    assert [left.name for left in there.iterdir()] == ["0003-1"]
    assert taken(here, RECORD) == {"0001-1": FILES, "0002-1": FILES}


def test_on_a_shared_disk_nothing_is_taken_and_nothing_lost(tmp_path: Path) -> None:
    shared = spilled(tmp_path / "shared", "0001-1")
    assert keep(taken(shared, RECORD), shared) == []
    assert taken(shared, RECORD) == {"0001-1": FILES}


def test_where_nothing_was_left_there_is_nothing_to_bring(tmp_path: Path) -> None:
    assert taken(tmp_path / "no folder", RECORD) == {}
    assert keep({}, tmp_path / "here") == []
    assert not (tmp_path / "here").exists()


def test_a_copy_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    here = tmp_path / "here"
    cut = tmp_path / ".here.0001-1.part"
    cut.mkdir()
    (cut / RECORD).write_bytes(b"{")
    there = spilled(tmp_path / "there", "0001-1")
    assert keep(taken(there, RECORD), here) == ["0001-1"]
    assert taken(here, RECORD) == {"0001-1": FILES}


def test_models_that_were_left_on_two_machines_become_one_folder(tmp_path: Path) -> None:
    """As `collect` does it; a disk of their own is all that makes machines of them."""
    question = QUESTIONS["table"](tmp_path)
    asked = confirmed(tmp_path, question, models=1)
    for number, place in enumerate(("one", "two")):
        outcome = replace(asked.outcomes[0], trial_id=f"c{number}", validation=0.5 + number / 10)
        keeper = ModelKeeper(tmp_path / place / "drafts", asked.payload, 3)
        keeper.keep(request(number), outcome, load(asked.folder).models[0].module, torch.zeros(9, 3))  # type: ignore[attr-defined]
    here = tmp_path / "here" / "drafts"
    for place in ("one", "two"):
        there = tmp_path / place / "drafts"
        drop(there, keep(taken(there, DRAFT), here))
        assert list(there.iterdir()) == []
    kept = publish(here, tmp_path / "here" / "model", ["c0", "c1"], 3)
    assert kept is not None
    assert (kept.models, kept.seed) == (2, 1)
    inputs = asked.test_inputs
    np.testing.assert_array_equal(load(tmp_path / "here").predict(inputs), load(asked.folder).predict(inputs))
