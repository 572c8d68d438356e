"""From a factory's network with weights to what is trained: features, fresh heads, scaled groups."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data import cache
from superconv_tune.data.batches import ResidentSource
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.features import Assembled
from superconv_tune.problems.payload import DataCard, Payload, assembled, portable, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.purpose import Confirm, RangeTest
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest, Work
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.question import brief_of
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.problems.pretrained import NETWORK, saved
from tests.samples import photos

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The folder of a factory and its weights, whose batch norm has seen data."""
    (tmp_path / "nets.py").write_text(NETWORK, encoding="utf-8")
    return saved(tmp_path / "weights.pt", seed=0)


def spec_of(weights: Path, *, factory: str = "network", data: Any = "digits", **content: Any) -> ExperimentSpec:
    keys = {key: content.pop(key) for key in list(content) if key not in ExperimentSpec.model_fields}
    args = {"weights": str(weights)} | keys.pop("args", {})
    model = {"factory": f"{weights.with_name('nets.py')}:{factory}", "args": args} | keys
    path = weights.with_name("spec.json")
    path.write_text(json.dumps({"name": "t", "data": data, "model": model, **content}), encoding="utf-8")
    return load_spec(path, {})


def ran(problem: Problem, work: Work, **params: Any) -> TrialOutcome:
    request = TrialRequest(
        "t",
        1,
        Confirm(1) if isinstance(work, Cycle) else RangeTest(),
        work,
        params=Hyperparameters(**params),
        schedule=Schedule(),
        seed=0,
        deadline=4e9,
    )
    return run(request, problem, NullTracker(), lambda: 0.0)


def tried(spec: ExperimentSpec) -> tuple[Payload, Problem, DataCard]:
    payload, card = prepare(spec)
    payload, problem, _ = try_out(payload, CPU, Hyperparameters())
    return payload, problem, card


def entries(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache").iterdir()}


def test_features_are_the_outputs_of_the_backbone(weights: Path) -> None:
    payload, card = prepare(spec_of(weights, freeze="backbone", head="linear"))
    plain, _ = prepare(spec_of(weights))
    assert payload.arrays is not None
    assert plain.arrays is not None
    assert plain.arrays.normaliser is not None
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    net = names["network"](weights).eval()
    net.fc = nn.Identity()
    mean, inverse_std = plain.arrays.normaliser.on(CPU)
    for part in ("train", "validation", "test"):
        ours, given = getattr(payload.arrays, part), getattr(plain.arrays, part)
        inputs = (torch.from_numpy(np.asarray(given.inputs)).float() - mean) * inverse_std
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(np.asarray(ours.inputs)), net(inputs), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(ours.targets, given.targets)
    assert card.input_shape == (1, 8, 8)
    assert any("192 features" in note and "not augmented" in note for note in card.notes)


def test_features_are_found_again_and_made_anew_for_other_weights(weights: Path, tmp_path: Path) -> None:
    spec = spec_of(weights, freeze="backbone", head="linear", normalise="model")
    prepare(spec)
    before = entries(tmp_path)
    prepare(spec)
    changed: dict[str, Any] = {"head": "mlp", "split": {"seed": 1}}  # neither changes a feature
    prepare(spec_of(weights, freeze="backbone", normalise="model", **changed))
    assert entries(tmp_path) == before
    saved(weights, seed=1)
    prepare(spec)
    after = entries(tmp_path)
    assert len(after) == len(before) + 1
    prepare(spec_of(weights, freeze="backbone", head="linear"))  # another mean and std
    assert len(entries(tmp_path)) == len(after) + 1


def test_a_head_on_features_learns_and_joins_its_backbone(weights: Path) -> None:
    payload, problem, _ = tried(spec_of(weights, freeze="backbone", head="linear"))
    travelled = realise(portable(pickle.loads(pickle.dumps(payload))), CPU)
    outcome = ran(travelled, Cycle(0.05), cycle_epochs=6, batch_size=64)
    assert outcome.validation is not None
    assert outcome.validation > 0.8
    head = problem.make_model()
    assert sum(parameter.numel() for parameter in head.parameters()) == 192 * 10 + 10
    whole = assembled(payload, head).eval()
    assert isinstance(whole, Assembled)
    inputs, features = next(iter(raw_validation(weights, payload))), next(iter(problem.validation.batches()))[0]
    with torch.no_grad():
        torch.testing.assert_close(whole(inputs), head(features), rtol=1e-4, atol=1e-4)


def raw_validation(weights: Path, payload: Payload) -> list[Tensor]:
    """The inputs of the validation part, as the backbone gets them."""
    plain, _ = prepare(spec_of(weights))
    assert plain.arrays is not None
    assert payload.backbone is not None
    assert payload.backbone.normaliser is not None
    mean, inverse_std = payload.backbone.normaliser.on(CPU)
    return [(torch.from_numpy(np.asarray(plain.arrays.validation.inputs)).float() - mean) * inverse_std]


def test_features_keep_the_groups_of_their_items(tmp_path: Path, weights: Path) -> None:
    weights = saved(weights, seed=0, channels=3)
    keys: dict[str, Any] = {"split": {"group": r"([0-9])[0-9]?\.png"}, "args": {"channels": 3}, "head": "linear"}
    data = {"path": str(photos(tmp_path / "photos"))}
    plain, features = (prepare(spec_of(weights, data=data, **keys, freeze=each))[0] for each in ("conv", "backbone"))
    assert plain.arrays is not None
    assert features.arrays is not None
    for part in ("train", "validation", "test"):
        groups = getattr(plain.arrays, part).groups
        assert len(np.unique(groups)) > 1
        np.testing.assert_array_equal(getattr(features.arrays, part).groups, groups)


def test_its_own_head_starts_from_its_own_weights(weights: Path) -> None:
    payload, problem, _ = tried(spec_of(weights, freeze="backbone"))
    stored = torch.load(weights, weights_only=True)
    head = problem.make_model()
    assert torch.equal(head.weight, stored["fc.weight"])  # type: ignore[arg-type]
    assert payload.arrays is not None
    assert payload.arrays.normaliser is None  # or else these weights would mean something else


def test_a_head_that_is_no_end_is_not_trained_alone(weights: Path) -> None:
    with pytest.raises(UserError, match=r"no last linear layer .* `head: linear`"):
        prepare(spec_of(weights, factory="scaled", freeze="backbone"))
    payload, _ = prepare(spec_of(weights, factory="scaled", freeze="backbone", head="linear"))
    assert payload.backbone is not None
    assert payload.backbone.width == 10  # the head comes on top of what the network gives


def test_images_are_not_augmented_for_features_but_for_the_network(tmp_path: Path, weights: Path) -> None:
    weights = saved(weights, seed=0, channels=3)
    data = {"path": str(photos(tmp_path / "photos"))}
    frozen, _ = prepare(spec_of(weights, data=data, args={"channels": 3}, freeze="backbone", head="linear"))
    tuned, _ = prepare(spec_of(weights, data=data, args={"channels": 3}, head="linear", layer_decay=0.5))
    assert frozen.spec.data is not None
    assert tuned.spec.data is not None
    assert (frozen.spec.data.augment, frozen.spec.space.augment) == ((), 1)
    assert (tuned.spec.data.augment, tuned.spec.space.augment) == (("flip", "shift"), (1, 0))
    source = realise(tuned, CPU).train
    assert isinstance(source, ResidentSource)
    assert source.augmentations == ("flip", "shift")


def test_images_are_decoded_as_large_as_the_network_takes_them(tmp_path: Path, weights: Path) -> None:
    weights = saved(weights, seed=0, channels=3)
    data = {"path": str(photos(tmp_path / "photos"))}  # of 24 x 20 pixels
    sizes = {}
    for size in (12, 64):
        payload, card = prepare(spec_of(weights, data=data, args={"channels": 3}, head="linear", size=size))
        model = realise(payload, CPU).make_model()
        seen: list[Tensor] = []
        model.get_submodule("conv").register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        model(next(realise(payload, CPU).train.stream(4, 0))[0])
        assert payload.spec.data is not None
        sizes[size] = (card.input_shape[-1], payload.spec.data.args["size"], seen[0].shape[-1])
    assert sizes == {12: (12, 12, 12), 64: (20, 20, 64)}


def test_pixels_are_normalised_as_the_network_says(weights: Path, tmp_path: Path) -> None:
    payload, _ = prepare(spec_of(weights, normalise="model"))
    assert payload.arrays is not None
    assert payload.arrays.normaliser is not None
    levels = 1.0 if payload.arrays.train.inputs.dtype != np.uint8 else 255.0
    assert payload.arrays.normaliser.mean == (0.5 * levels,)
    assert payload.arrays.normaliser.std == (0.25 * levels,)
    grey = spec_of(saved(weights, seed=0, channels=3), args={"channels": 3}, normalise="imagenet")
    inputs, _ = next(realise(prepare(grey)[0], CPU).train.stream(4, 0))
    assert inputs.shape == (4, 3, 8, 8)  # grey images are the same in every channel
    wrong = spec_of(weights, args={"channels": 3}, normalise={"mean": [0.1, 0.2], "std": [1, 1]})
    payload, _ = prepare(wrong)
    assert next(realise(payload, CPU).train.stream(4, 0))[0].shape[1] == 2


@pytest.mark.parametrize(("keys", "scales"), [({"layer_decay": 0.5}, [0.5, 1.0]), ({"lr_scale": {"conv": 0.1}}, [0.1])])
def test_a_factory_of_an_optimizer_gets_named_groups(weights: Path, keys: dict[str, Any], scales: list[float]) -> None:
    names = weights.with_name("names.txt")
    optimizer = {"factory": f"{weights.with_name('nets.py')}:sgd", "args": {"names": str(names)}}
    _, problem, _ = tried(spec_of(weights, head="linear", optimizer=optimizer, **keys))
    found = dict(line.rsplit(" ", 1) for line in names.read_text().splitlines())
    assert found["conv weights"] == f"{scales[0]:g}"
    assert any(name.startswith(("fc", "others")) and scale == "1" for name, scale in found.items())
    assert ran(problem, Cycle(0.02), cycle_epochs=1, batch_size=64).status == "finished"


def test_a_ramp_over_scaled_groups_is_that_of_the_head(weights: Path) -> None:
    _, problem, _ = tried(spec_of(weights, head="linear", layer_decay=0.5))
    seen: list[tuple[float, ...]] = []

    def watched(model: nn.Module, params: Hyperparameters) -> torch.optim.Optimizer:
        optimizer = problem.make_optimizer(model, params)
        optimizer.register_step_pre_hook(lambda *_: seen.append(rates_of(optimizer)))
        return optimizer

    outcome = ran(
        replace(problem, make_optimizer=watched), Ramps(1e-4, 1.0, steps=60, is_centred=False, is_checked=False)
    )
    assert outcome.range_curve is not None
    recorded = outcome.range_curve.lr
    np.testing.assert_allclose([head for _, head in seen][: len(recorded)], recorded)
    np.testing.assert_allclose([below / head for below, head in seen], 0.5)


def rates_of(optimizer: torch.optim.Optimizer) -> tuple[float, ...]:
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    return rates["conv weights"], rates["fc weights"]


def test_frozen_norms_are_the_same_after_a_trial(weights: Path) -> None:
    _, problem, _ = tried(spec_of(weights, head="linear", freeze=["conv", "norm"]))
    models: list[nn.Module] = []

    def kept() -> nn.Module:
        models.append(problem.make_model())
        return models[-1]

    assert ran(replace(problem, make_model=kept), Cycle(0.05), cycle_epochs=2, batch_size=64).status == "finished"
    stored, trained = torch.load(weights, weights_only=True), models[-1].state_dict()
    frozen = [name for name in stored if not name.startswith("fc.")]
    assert len(frozen) == 7
    assert all(torch.equal(trained[name], stored[name]) for name in frozen)


def test_the_card_says_what_the_forecast_rests_on(weights: Path) -> None:
    _, pretrained = prepare(spec_of(weights, layer_decay=0.5))
    _, scratch = prepare(spec_of(weights, pretrained=False, head="linear"))
    assert [any("trained from scratch" in words for words in card.warnings) for card in (pretrained, scratch)] == [
        True,
        False,
    ]


TOKENS = """
import torch
from torch import nn
from superconv_tune.problems.user import Task

def task():
    words = torch.randint(10, (200, 6), generator=torch.Generator().manual_seed(0))
    return Task(train=(words, (words[:, 0] > 4).long()))

def net():
    return nn.Sequential(nn.Embedding(10, 8), nn.Flatten(), nn.Linear(48, 2))

def broken():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Linear(48, 2))
"""


def test_whole_numbers_reach_an_embedding_as_they_are(weights: Path) -> None:
    weights.with_name("nets.py").write_text(TOKENS, encoding="utf-8")
    task = {"factory": f"{weights.with_name('nets.py')}:task"}
    path = weights.with_name("spec.json")

    def spec(factory: str) -> ExperimentSpec:
        model = {"factory": f"{weights.with_name('nets.py')}:{factory}", "freeze": "backbone"}
        path.write_text(json.dumps({"name": "t", "task": task, "model": model}), encoding="utf-8")
        return load_spec(path, {})

    payload, problem, _ = tried(spec("net"))
    assert payload.backbone is not None
    assert (payload.backbone.as_given, payload.backbone.width) == (True, 48)
    assert ran(problem, Cycle(0.1), cycle_epochs=1, batch_size=32).status == "finished"
    with pytest.raises(UserError, match=r"model, given inputs of the shape \[4, 6\], failed: .*; and as floats: "):
        prepare(spec("broken"))


def test_a_frozen_and_a_tuned_network_are_two_families(weights: Path) -> None:
    spec = spec_of(weights)
    assert spec.model is not None
    keys = {"factory": spec.model.factory, "args": spec.model.args, "head": "linear"}
    path = weights.with_name("spec.json")
    models = [keys | {"freeze": "backbone"}, keys | {"layer_decay": 0.5}, "mlp"]
    path.write_text(json.dumps({"name": "t", "data": "digits", "model": models}), encoding="utf-8")
    spec = load_spec(path, {})
    payload, card = prepare(spec)
    assert sum("trained from scratch" in words for words in card.warnings) == 1
    assert brief_of(spec).fine_tuned == {"network 2"}
    sent = pickle.loads(pickle.dumps(portable(payload)))
    shapes = {}
    for name, each in sent.families.items():
        found, problem, _ = try_out(each, CPU, Hyperparameters())
        assert found.arrays is not None
        shapes[name] = found.arrays.train.inputs.shape[1:]
        assert ran(problem, Cycle(0.02), cycle_epochs=1, batch_size=64).status == "finished"
    assert shapes == {"network": (192,), "network 2": (1, 8, 8), "mlp": (1, 8, 8)}


LOADERS = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from superconv_tune.problems.user import Loader, Task

def task():
    data = TensorDataset(torch.randn(60, 1, 8, 8), torch.arange(60) % 10)
    part = Loader(lambda size, seed: DataLoader(data, size), 60)
    return Task(train=part, validation=part, test=part)
"""


def test_loaders_cannot_be_looked_at(weights: Path) -> None:
    weights.with_name("own.py").write_text(LOADERS, encoding="utf-8")
    task = {"factory": str(weights.with_name("own.py")) + ":task"}
    with pytest.raises(UserError, match=r"head, freeze: backbone cannot be used with loaders"):
        prepare(spec_of(weights, data=None, task=task, head="linear", freeze="backbone"))
    payload, _ = prepare(spec_of(weights, data=None, task=task, freeze="conv", layer_decay=0.5))
    assert ran(realise(payload, CPU), Cycle(0.01), cycle_epochs=1, batch_size=20).status == "finished"


def test_items_that_differ_have_no_features(weights: Path) -> None:
    weights.with_name("own.py").write_text(
        """
import torch
from torch.utils.data import Dataset
from superconv_tune.problems.user import Task

class Noisy(Dataset):
    def __len__(self):
        return 60
    def __getitem__(self, row):
        return torch.randn(1, 8, 8), row % 2

def task():
    return Task(train=Noisy())
""",
        encoding="utf-8",
    )
    task = {"factory": str(weights.with_name("own.py")) + ":task"}
    with pytest.raises(UserError, match=r"differ each time they are read"):
        prepare(spec_of(weights, data=None, task=task, head="linear", freeze="backbone"))
