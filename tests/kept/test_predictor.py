"""What a loaded model says is what was recorded when it was confirmed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import superconv_tune
from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import load as load_data
from superconv_tune.data.split import split
from superconv_tune.kept.description import read_index
from superconv_tune.kept.predictor import load
from superconv_tune.kept.weights import tensors_in
from superconv_tune.measures.metrics import METRICS
from tests.kept.confirmed import Confirmed, confirmed
from tests.kept.questions import LOADERS, PRICES, QUESTIONS, mean_and_variance, task, wide
from tests.problems.pretrained import saved
from tests.samples import CLASSES, flowers


@pytest.fixture(scope="module", params=list(QUESTIONS))
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Confirmed:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERCONV_TUNE_CACHE", str(folder / "cache"))
        return confirmed(folder, QUESTIONS[request.param](folder))


@pytest.fixture
def table(tmp_path: Path) -> Confirmed:
    return confirmed(tmp_path, QUESTIONS["table"](tmp_path))


def test_every_recorded_test_prediction_is_reproduced(asked: Confirmed) -> None:
    predictor = load(asked.folder)
    found = predictor.predict(asked.test_inputs)
    if asked.payload.kind == "regression":
        recorded = METRICS[asked.payload.spec.metric_name].compute(
            torch.from_numpy(found), torch.from_numpy(asked.test_targets.astype(float))
        )
        assert recorded == pytest.approx(asked.best.test)
        return
    labels = np.asarray(predictor.labels)[asked.test_targets]
    if asked.best.test_correct is not None:
        np.testing.assert_array_equal(found == labels, asked.correct(asked.best))
    probabilities = predictor.predict_proba(asked.test_inputs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    logits = torch.from_numpy(np.log(np.clip(probabilities, 1e-300, 1.0)))
    value = METRICS[asked.payload.spec.metric_name].compute(logits, torch.from_numpy(asked.test_targets))
    assert value == pytest.approx(asked.best.test)


def test_models_together_reach_their_estimate(asked: Confirmed) -> None:
    predictor, ensemble = load(asked.folder, ensemble=True), asked.kept.ensemble
    assert ensemble is not None
    assert ensemble.models == len(predictor.models) == 2
    found = predictor.predict(asked.test_inputs)
    metric = METRICS[asked.payload.spec.metric_name]
    if asked.payload.kind == "regression":
        value = metric.compute(torch.from_numpy(found), torch.from_numpy(asked.test_targets.astype(float)))
    else:
        logits = torch.from_numpy(np.log(predictor.predict_proba(asked.test_inputs)))
        value = metric.compute(logits, torch.from_numpy(asked.test_targets))
    assert value == pytest.approx(ensemble.value)
    if metric.item_level:
        assert ensemble.low is not None
        assert ensemble.high is not None
        assert ensemble.low <= ensemble.value <= ensemble.high


def test_labels_are_what_the_user_gave(tmp_path: Path) -> None:
    for kind, labels in (("own_labels", (-1, 1)), ("table", CLASSES), ("digits", tuple(range(10)))):
        (tmp_path / kind).mkdir()
        found = load(confirmed(tmp_path / kind, QUESTIONS[kind](tmp_path / kind), models=1).folder)
        assert found.labels == labels


def test_a_table_is_predicted_from_its_file_and_from_a_frame(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["numbers"](tmp_path))
    raw = load_data("table", tmp_path / "wide.csv", {})
    rows = split(raw, 0.15, 0.15, 0).test
    assert rows is not None
    expected = load(asked.folder).predict(asked.test_inputs)
    wide().iloc[rows].drop(columns="label").to_csv(tmp_path / "new.csv", index=False)
    for given in (tmp_path / "new.csv", str(tmp_path / "new.csv"), wide().iloc[rows]):
        np.testing.assert_array_equal(load(asked.folder).predict(given), expected)
    assert np.ptp(expected) > 100  # in the units of the targets


def test_images_are_predicted_from_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_CACHE", str(tmp_path / "cache"))
    asked = confirmed(tmp_path, QUESTIONS["pictures"](tmp_path))
    raw = load_data("image_folder", tmp_path / "photos", {})
    rows = split(raw, 0.15, 0.15, 0).test
    assert rows is not None
    names = [raw.names["train"][row] for row in rows]
    found = superconv_tune.load(asked.folder.parent).predictions(tmp_path / "photos")
    said = dict(zip(found.items, found.values, strict=True))
    right = [said[name] == name.partition("/")[0] for name in names]
    np.testing.assert_array_equal(right, asked.correct(asked.best))


def test_loaders_give_what_their_model_takes(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(LOADERS, encoding="utf-8")
    asked = confirmed(tmp_path, {"task": {"factory": "own.py:task"}}, models=1)
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    outputs = load(asked.folder).predict(inputs)
    assert outputs.shape == (200, 2)
    right = outputs.argmax(axis=1) == (inputs.sum(1) > 0).long().numpy()
    np.testing.assert_array_equal(right, asked.correct(asked.best))
    with pytest.raises(UserError, match="no probabilities"):
        load(asked.folder).predict_proba(inputs)


def test_numbers_from_loaders_are_predicted_in_their_units(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, task(tmp_path, PRICES) | {"metric": "r2", "loss": "mse"})
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    targets = 3e5 + 1e5 * inputs.double().sum(1, keepdim=True)
    found = load(asked.folder).predict(inputs)
    assert found.shape == (200, 1)
    assert METRICS["r2"].compute(torch.from_numpy(found), targets) == pytest.approx(asked.best.test)
    together = load(asked.folder, ensemble=True).predict(inputs)
    assert METRICS["r2"].compute(torch.from_numpy(together), targets) > 0.5


def test_what_no_loader_gives_is_refused(tmp_path: Path) -> None:
    folder = confirmed(tmp_path, task(tmp_path, LOADERS), models=1).folder
    for given, words in ((tmp_path / "x.npy", "but got a PosixPath"), (np.zeros((3, 4)), "but got a ndarray")):
        with pytest.raises(UserError, match=f"as the loaders of its own task give them.*{words}"):
            load(folder).predict(given)


def test_a_model_that_gives_several_tensors_is_kept(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, mean_and_variance(tmp_path), models=1)
    mean, variance = load(asked.folder).predict(asked.test_inputs)
    assert mean.shape == variance.shape == (len(asked.test_targets),)
    assert float(np.abs(mean.numpy() - asked.test_targets).mean()) == pytest.approx(asked.best.test)


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name: str, table: Confirmed) -> None:
    with pytest.raises(UserError, match=f"device: '{name}' cannot be used here .*Name one such as cpu"):
        load(table.folder, device=name)


def test_nothing_of_the_users_files_is_needed(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["own_labels"](tmp_path))
    expected = load(asked.folder).predict(asked.test_inputs)
    for file in ("own.py", "layers.py", "spec.json"):
        (tmp_path / file).unlink()
    np.save(tmp_path / "x.npy", asked.test_inputs)
    moved = asked.folder.rename(tmp_path / "moved")
    program = f"""
import sys
for name in ("ray", "mlflow", "optuna"):
    sys.modules[name] = None
import numpy, superconv_tune
numpy.save({str(tmp_path / "said.npy")!r}, superconv_tune.load({str(moved)!r}).predict({str(tmp_path / "x.npy")!r}))
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, cwd=Path.cwd())
    np.testing.assert_array_equal(np.load(tmp_path / "said.npy"), expected)
    assert "runs the code" in json.loads((moved / "model.json").read_text(encoding="utf-8"))["description"]["note"]


def test_the_callers_random_numbers_are_left_alone(table: Confirmed) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load(table.folder).predict(table.test_inputs)
    assert torch.equal(torch.rand(1), expected)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no model: no fresh one was trained"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"model.json cannot be read.*Name the folder"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "does not describe a model"), ("[]", "does not describe"), ('{"format": 99}', "of format 99, and this")],
)
def test_a_description_that_is_none_is_refused(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        load(tmp_path)


def test_damaged_and_missing_weights_are_refused(table: Confirmed) -> None:
    (first, *_) = json.loads((table.folder / "model.json").read_text(encoding="utf-8"))["members"]
    file = table.folder / first["file"]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="is damaged"):
        load(table.folder)
    file.unlink()
    with pytest.raises(UserError, match="Copy the whole folder"):
        load(table.folder)


def test_code_that_makes_another_network_now_is_refused(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, QUESTIONS["factory"](tmp_path))
    index = asked.folder / "model.json"
    index.write_text(index.read_text(encoding="utf-8").replace('"hidden": 8', '"hidden": 9'), encoding="utf-8")
    with pytest.raises(UserError, match="do not fit the network"):
        load(asked.folder)


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Confirmed:
    monkeypatch.setenv("SUPERCONV_TUNE_CACHE", str(tmp_path / "cache"))
    return confirmed(tmp_path, QUESTIONS["frozen"](tmp_path), models=1)


def test_the_kept_weights_count_and_not_those_that_the_factory_reads_now(frozen: Confirmed, tmp_path: Path) -> None:
    expected = load(frozen.folder).predict_proba(frozen.test_inputs)
    saved(tmp_path / "weights.pt", seed=1)
    np.testing.assert_array_equal(load(frozen.folder).predict_proba(frozen.test_inputs), expected)
    (tmp_path / "weights.pt").unlink()  # the factory still reads it, whatever comes of it
    with pytest.raises(UserError, match=r"network.* failed.*weights\.pt"):
        load(frozen.folder)


def test_a_head_says_the_same_from_inputs_as_from_the_features_of_its_trial(frozen: Confirmed) -> None:
    (member,) = read_index(frozen.folder).members
    recorded = tensors_in((frozen.folder / member.outputs).read_bytes())["outputs"]
    (model,) = load(frozen.folder).models
    torch.testing.assert_close(model.outputs(frozen.test_inputs), recorded, rtol=1e-5, atol=1e-5)


def test_no_items_are_refused(table: Confirmed) -> None:
    with pytest.raises(UserError, match="no items"):
        load(table.folder).predict(flowers().iloc[:0])
