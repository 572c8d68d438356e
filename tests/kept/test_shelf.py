"""The folder of kept models: which are chosen, and that at any time it is the old one or the new."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from superconv_tune.kept.description import read_index
from superconv_tune.kept.keeper import ModelKeeper, drafts_in
from superconv_tune.kept.predictor import load
from superconv_tune.kept.shelf import facts, publish
from superconv_tune.problems.payload import Payload, network
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import TrialOutcome
from superconv_tune.spec.load import load_spec
from superconv_tune.verdict.statistics import interval, proportion, wilson
from tests.kept.confirmed import request

ALL = tuple(f"c{number}" for number in range(9))
CHANGES = ("link", "replace", "rename", "unlink", "mkdir", "rmdir")  # what `os` can do to a folder


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_after(changes: int) -> Iterator[None]:
    """A process that is killed at one of its changes of the disk: that one and all later ones do not happen."""
    left = changes

    def mortal(change: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if writes(*args):
                left -= 1
                if left < 0:
                    raise Killed
            return change(*args, **kwargs)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, mortal(getattr(os, name), lambda *_: True))
        patch.setattr(io, "open", mortal(io.open, lambda _path, mode="r", *_: "w" in mode))
        yield


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Payload:
    place = tmp_path_factory.mktemp("question") / "spec.json"
    place.write_text('{"name": "digits", "data": "digits", "model": {"name": "mlp", "width": 0.1}}', encoding="utf-8")
    return prepare(load_spec(place, {}))[0]


def keep(payload: Payload, drafts: Path, number: int, validation: float, recipe: int = 1, most: int = 9) -> nn.Module:
    """Keep an untrained model as if a trial had reached ``validation``."""
    torch.manual_seed(number)
    model = network(payload, None)()
    assert payload.arrays is not None
    outputs = torch.randn(len(payload.arrays.test), 10, generator=torch.Generator().manual_seed(number))
    outcome = TrialOutcome(f"c{number}", 1, "finished", validation, max_lr=0.1, validation=validation, test=0.5)
    asked = replace(request(number), purpose=Confirm(recipe))
    ModelKeeper(drafts, payload, most).keep(asked, outcome, model, outputs)
    return model


def test_the_best_on_validation_comes_first_and_the_rest_is_left_out(payload: Payload, tmp_path: Path) -> None:
    for number, validation in enumerate((0.5, 0.9, 0.7, 0.8)):
        keep(payload, tmp_path / "drafts", number, validation)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ALL, 3)
    assert kept is not None
    assert (kept.models, kept.seed) == (3, 1)
    assert [member.trial for member in read_index(tmp_path / "model").members] == ["c1", "c3", "c2"]
    assert not (tmp_path / "drafts").exists()
    assert len(list((tmp_path / "model").iterdir())) == 1 + 2 * 3
    assert kept == facts(tmp_path / "model", ALL)


def test_a_lower_metric_may_be_the_better_one(payload: Payload, tmp_path: Path) -> None:
    spec = payload.spec.model_copy(
        update={"metric": payload.spec.metric.model_copy(update={"name": "mine", "direction": "min"})}
    )
    for number, validation in enumerate((0.5, 0.9, 0.7)):
        keep(replace(payload, spec=spec), tmp_path / "drafts", number, validation)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ALL, 1)
    assert kept is not None
    assert (kept.seed, kept.ensemble) == (0, None)


def test_a_worker_leaves_no_more_of_a_recipe_than_can_be_kept(payload: Payload, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    for number, validation in enumerate((0.5, 0.9, 0.7)):
        keep(payload, drafts, number, validation, most=2)
    assert {draft.member.trial for draft in drafts_in(drafts)} == {"c1", "c2"}
    keep(payload, drafts, 3, 0.1, recipe=2, most=2)
    assert {draft.member.trial for draft in drafts_in(drafts)} == {"c1", "c2", "c3"}


def test_only_trials_that_count_are_published(payload: Payload, tmp_path: Path) -> None:
    for number in range(3):
        keep(payload, tmp_path / "drafts", number, 0.5 + number / 10)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ["c0", "c1"], 3)
    assert kept is not None
    assert (kept.models, kept.seed) == (2, 1)
    assert facts(tmp_path / "model", ["c0"]) is None


def test_a_resumed_study_chooses_among_old_and_new_models(payload: Payload, tmp_path: Path) -> None:
    for number, validation in enumerate((0.5, 0.9)):
        keep(payload, tmp_path / "drafts", number, validation)
    publish(tmp_path / "drafts", tmp_path / "model", ALL, 2)
    keep(payload, tmp_path / "drafts", 2, 0.7)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ALL, 2)
    assert [member.trial for member in read_index(tmp_path / "model").members] == ["c1", "c2"]
    assert kept is not None
    assert kept.ensemble is not None
    assert len(list((tmp_path / "model").iterdir())) == 1 + 2 * 2
    assert publish(tmp_path / "drafts", tmp_path / "model", ALL, 2) == kept


def test_the_estimate_of_all_together_is_that_of_their_mean_probability(payload: Payload, tmp_path: Path) -> None:
    for number in range(3):
        keep(payload, tmp_path / "drafts", number, 0.5)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ALL, 3)
    assert payload.arrays is not None
    targets = payload.arrays.test.targets
    outputs = [torch.randn(len(targets), 10, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    mean = np.mean([each.double().softmax(1).numpy() for each in outputs], axis=0)
    right = (mean.argmax(1) == targets).mean()
    assert kept is not None
    assert kept.ensemble is not None
    assert kept.ensemble.value == pytest.approx(right)
    assert (kept.ensemble.low, kept.ensemble.high) == pytest.approx(wilson(right, len(targets), 0.95))


def test_items_in_groups_count_by_their_groups(payload: Payload, tmp_path: Path) -> None:
    arrays = payload.arrays
    assert arrays is not None
    groups = np.sort(arrays.test.targets)
    grouped = replace(payload, arrays=replace(arrays, test=replace(arrays.test, groups=groups)))
    for number in range(2):
        keep(grouped, tmp_path / "drafts", number, 0.5)
    kept = publish(tmp_path / "drafts", tmp_path / "model", ALL, 2)
    outputs = [torch.randn(len(groups), 10, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    right = torch.stack(outputs).double().softmax(2).mean(0).argmax(1).numpy() == arrays.test.targets
    assert kept is not None
    assert kept.ensemble is not None
    limits = (kept.ensemble.low, kept.ensemble.high)
    assert limits == pytest.approx(interval(proportion(right[None], groups), 0.95))
    assert limits != pytest.approx(wilson(right.mean(), len(groups), 0.95))


@pytest.mark.parametrize("links", [True, False])
def test_a_kill_at_any_moment_leaves_the_old_models_or_the_new(
    links: bool, payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def refused(*_: object) -> None:
            raise OSError(errno.EPERM, "no links on this disk")

        monkeypatch.setattr(os, "link", refused)
    inputs = np.arange(64.0, dtype=np.float32).reshape(1, 1, 8, 8).astype(np.uint8)
    before, after = tmp_path / "before", tmp_path / "after"
    keep(payload, before / "drafts", 0, 0.5)
    publish(before / "drafts", before / "model", ALL, 2)
    for number in (1, 2):
        keep(payload, before / "drafts", number, 0.6)
    old = load(before / "model").predict_proba(inputs)
    shutil.copytree(before, after)
    publish(after / "drafts", after / "model", ALL, 2)
    new = load(after / "model").predict_proba(inputs)
    seen = set()
    for moment in range(200):
        place = tmp_path / f"killed-{moment}"
        shutil.copytree(before, place)
        try:
            with killed_after(moment):
                publish(place / "drafts", place / "model", ALL, 2)
        except Killed:
            found = load(place / "model", ensemble=True)
            said = load(place / "model").predict_proba(inputs)
            seen.add("new" if np.array_equal(said, new) else "old")
            assert np.array_equal(said, new) or np.array_equal(said, old)
            assert len(found.models) == (2 if np.array_equal(said, new) else 1)
            again = publish(place / "drafts", place / "model", ALL, 2)  # the report makes up for it
            assert again is not None
            assert again.models == 2
            assert len(list((place / "model").iterdir())) == 1 + 2 * 2
        else:
            break
    assert seen == {"old", "new"}


def test_a_kill_of_the_same_publication_again_leaves_the_models(payload: Payload, tmp_path: Path) -> None:
    """As where the first was killed after it had written the index, and the report makes up for it."""
    once = tmp_path / "once"
    for number in range(2):
        keep(payload, once / "drafts", number, 0.5)
    shutil.copytree(once / "drafts", tmp_path / "drafts")
    publish(once / "drafts", once / "model", ALL, 2)
    shutil.copytree(tmp_path / "drafts", once / "drafts")
    for moment in range(200):
        place = tmp_path / f"killed-{moment}"
        shutil.copytree(once, place)
        try:
            with killed_after(moment):
                publish(place / "drafts", place / "model", ALL, 2)
        except Killed:
            assert len(load(place / "model", ensemble=True).models) == 2
        else:
            break
    assert moment > 3


def test_a_kill_while_a_trial_keeps_its_model_leaves_all_of_it_or_nothing(payload: Payload, tmp_path: Path) -> None:
    for moment in range(200):
        drafts = tmp_path / f"{moment}" / "drafts"
        keep(payload, drafts, 0, 0.5)
        try:
            with killed_after(moment):
                keep(payload, drafts, 1, 0.6)
        except Killed:
            for draft in drafts_in(drafts):
                names = {file.name for file in (drafts / draft.member.trial).iterdir()}
                assert names == {"weights.safetensors", "test.safetensors", "draft.json"}
            keep(payload, drafts, 1, 0.6)
            kept = publish(drafts, drafts.with_name("model"), ALL, 2)
            assert kept is not None
            assert kept.models == 2
        else:
            break
    assert moment > 5


def test_a_disk_that_cannot_be_written_leaves_the_old_models(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(payload, tmp_path / "drafts", 0, 0.5)
    publish(tmp_path / "drafts", tmp_path / "model", ALL, 2)
    keep(payload, tmp_path / "drafts", 1, 0.6)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", full)
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            publish(tmp_path / "drafts", tmp_path / "model", ALL, 2)
    assert [member.trial for member in read_index(tmp_path / "model").members] == ["c0"]
    assert (tmp_path / "drafts").exists()


def test_nothing_is_kept_of_a_study_that_keeps_no_models(payload: Payload, tmp_path: Path) -> None:
    assert publish(tmp_path / "drafts", tmp_path / "model", ALL, 0) is None
    keep(payload, tmp_path / "drafts", 0, 0.5)
    assert publish(tmp_path / "drafts", tmp_path / "model", ALL, 0) is None
    assert not (tmp_path / "model").exists()
