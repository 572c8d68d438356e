"""Several families under ``model``: how they are written, named, dumped, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.spec import ExperimentSpec, ModelSpec, named_families, of_family

NET = "def net(**_): ...\n"


def spec(folder: Path, model: Any, option: str | None = None) -> ExperimentSpec:
    (folder / "net.py").write_text(NET, encoding="utf-8")
    content = {"name": "it", "data": "digits"} | ({} if model is None else {"model": model})
    (folder / "spec.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_spec(folder / "spec.yaml", {} if option is None else {"model": option})


def test_a_list_of_models_competes_and_is_dumped_as_it_was_written(tmp_path: Path) -> None:
    found = spec(
        tmp_path, ["lenet5", {"factory": "net.py:net", "args": {"k": 1}}, "trees", {"name": "lenet5", "width": 2}]
    )
    assert found.model is None
    assert list(named_families(found)) == ["lenet5", "net", "trees", "lenet5 2"]
    assert found.families[1].factory == f"{tmp_path}/net.py:net"
    dumped = found.model_dump(mode="json")
    assert [each["name"] or "net" for each in dumped["model"]] == ["lenet5", "net", "trees", "lenet5"]
    assert "families" not in dumped
    assert ExperimentSpec.model_validate(dumped) == found
    assert of_family(found, "lenet5 2").model == ModelSpec(name="lenet5", width=2)
    assert named_families(of_family(found, "net")) == {}


def test_an_option_names_several_with_commas(tmp_path: Path) -> None:
    found = spec(tmp_path, "resnet9", "trees, linear,mlp")
    assert [each.name for each in found.families] == ["trees", "linear", "mlp"]


def test_one_in_a_list_is_one(tmp_path: Path) -> None:
    found = spec(tmp_path, ["mlp"])
    assert found.model == ModelSpec(name="mlp")
    assert (found.families, named_families(found)) == ((), {})


def test_a_fitted_family_alone_is_named(tmp_path: Path) -> None:
    assert list(named_families(spec(tmp_path, "trees"))) == ["trees"]


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (["mlp", "tres"], r"model\.1\.name: is unknown: 'tres'. Did you mean 'trees'"),
        (["mlp", {"name": "mlp", "widht": 2}], r"model\.1\.widht: unknown key. Did you mean 'width'"),
        (["mlp", "mlp"], "model: mlp is named twice"),
        ([], "takes either a name or a factory, but got neither"),
        (["mlp", {"factory": "nte.py:net"}], r"model\.1\.factory: there is no file"),
        ({"name": "trees", "width": 2}, "width is for networks, and trees is none"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(model: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=complaint):
        spec(tmp_path, model)
