"""Another program says the same with the ONNX file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.kept import onnx_file
from superconv_tune.kept.onnx_file import write_onnx
from superconv_tune.kept.predictor import load
from tests.kept.confirmed import Confirmed, confirmed
from tests.kept.questions import LOADERS, NETWORKS, QUESTIONS, task

# torch's own exporter; nothing of it is ours to change
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def compare(asked: Confirmed, path: Path, *, ensemble: bool = False) -> onnxruntime.InferenceSession:
    """Write the model, and compare it with itself under onnxruntime, for one item and for all."""
    predictor = load(asked.folder, ensemble=ensemble)
    write_onnx(predictor, path)
    running = session(path)
    for inputs in (asked.test_inputs, asked.test_inputs[:1]):
        (found,) = running.run(None, {"inputs": inputs})
        if asked.payload.kind == "regression":
            scale = np.ptp(asked.test_targets)
            np.testing.assert_allclose(found / scale, predictor.predict(inputs) / scale, atol=1e-4)
        else:
            np.testing.assert_allclose(found, predictor.predict_proba(inputs), atol=1e-4)
    return running


def test_it_says_the_same_of_the_test_part(tmp_path: Path) -> None:
    compare(confirmed(tmp_path, QUESTIONS["numbers"](tmp_path)), tmp_path / "model.onnx", ensemble=True)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("kind", list(NETWORKS))
def test_every_kind_of_model_says_the_same(
    kind: str, ensemble: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_CACHE", str(tmp_path / "cache"))
    asked = confirmed(tmp_path, QUESTIONS[kind](tmp_path))
    running = compare(asked, tmp_path / "model.onnx", ensemble=ensemble)
    about = running.get_modelmeta().custom_metadata_map
    assert json.loads(about["labels"]) == list(load(asked.folder).labels)
    assert json.loads(about["reading"])["name"] in ("arrays", "images", "table")
    assert about["inputs"].startswith(asked.test_inputs.dtype.name)


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = confirmed(tmp_path, task(tmp_path, LOADERS), models=1)
    (tmp_path / "fitted").mkdir()
    fitted = confirmed(tmp_path / "fitted", QUESTIONS["trees"](tmp_path), models=1)
    for each in (asked, fitted):
        with pytest.raises(UserError, match="only networks that predict classes or numbers"):
            write_onnx(load(each.folder), tmp_path / "model.onnx")
    monkeypatch.setattr(onnx_file, "onnxscript", None)
    with pytest.raises(UserError, match=r"superconv-tune\[onnx\]"):
        write_onnx(load(asked.folder), tmp_path / "model.onnx")
