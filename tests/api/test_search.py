"""`superconv_tune.search` runs what the command runs, leaves the program as it was, and returns what was found."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import superconv_tune
from superconv_tune.data.cache import PLACE
from superconv_tune.spec.load import load_spec, read_yaml
from superconv_tune.study.verification import Verification
from tests.study.conftest import CONTENT, workplace_in

QUICK: dict[str, Any] = {
    "budget": "60s", "trials": 2, "sampler": "random", "baselines": "none", "tracking_uri": "none", "debug": True,
    "quiet": True, "space": {"cycle_epochs": {"low": 1, "high": 4, "log": True}, "batch_size": 32},
    "split": {"validation": 0.2, "test": 0.4},
}  # fmt: skip
HEAVY = ("torch", "ray", "mlflow", "optuna", "pandas", "numpy", "sklearn", "pydantic")


def clouds() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    classes = np.arange(900) % 3
    return 2.0 * np.eye(6)[classes] + rng.standard_normal((900, 6)), np.array(["ant", "bee", "cat"])[classes]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def study(root: Path) -> superconv_tune.Study:
    """Of a table, in a program with settings of its own."""
    torch.set_num_threads(2)
    level = logging.getLogger().level
    filters = list(warnings.filters)
    inputs, names = clouds()
    frame = pd.DataFrame(inputs, columns=list("abcdef")).assign(insect=names)
    found = superconv_tune.search(frame, label="insect", target=0.6, name="insects", output=root / "runs", **QUICK)
    assert (torch.get_num_threads(), logging.getLogger().level) == (2, level)
    assert list(warnings.filters) == filters
    return found


def test_a_table_is_answered(study: superconv_tune.Study) -> None:
    assert study.verdict == "demonstrated"
    assert study.estimate is not None
    assert study.estimate.low > 0.6
    assert not study.interrupted
    assert study.recipe is not None
    assert study.recipe["data"]["path"] == str(study.folder / "data.parquet")
    assert study.recipe == read_yaml(study.folder / "recipe.yaml", "recipe", "")
    assert study.report().read_text(encoding="utf-8").strip().startswith("<!doctype html>")
    assert study.details == json.loads((study.folder / "verdict.json").read_text(encoding="utf-8"))


def test_its_model_predicts_new_lines(study: superconv_tune.Study) -> None:
    inputs, names = clouds()
    frame = pd.DataFrame(inputs, columns=list("abcdef"))
    for model in (study.model(), study.model(ensemble=True)):
        assert (model.predict(frame) == names).mean() > 0.6
        assert model.labels == ("ant", "bee", "cat")
    assert (study.predict(frame) == study.model().predict(frame)).all()


def test_it_shows_itself(study: superconv_tune.Study) -> None:
    assert str(study).startswith("DEMONSTRATED: Yes.")
    assert repr(study) == f"<Study 'insects': {str(study).splitlines()[0]}>"
    shown = study._repr_html_()
    assert shown.count("<tr>") == len(str(study).splitlines()) - 1
    assert 'href="' in shown


def test_the_leaderboard_is_a_table_of_what_was_confirmed(study: superconv_tune.Study) -> None:
    assert study.estimate is not None
    board = study.leaderboard()
    assert board.iloc[0]["value"] == pytest.approx(study.estimate.value)
    assert {"family", "part", "low", "high"} <= set(board.columns)


def test_it_can_be_opened_again(study: superconv_tune.Study) -> None:
    again = superconv_tune.Study.open("insects", study.folder.parent)
    assert (again.verdict, again.estimate, again.recipe) == (study.verdict, study.estimate, study.recipe)
    assert not again.interrupted
    with pytest.raises(superconv_tune.UserError, match="no study 'other'"):
        superconv_tune.Study.open("other", study.folder.parent)


def test_the_command_verifies_it_from_its_file(study: superconv_tune.Study) -> None:
    verification = Verification("insects", str(study.folder.parent), None)
    done = list(verification.repetitions(2))
    assert verification.judge(done).agrees


def test_a_checked_spec_is_the_same_question_also_in_a_thread(root: Path, study: superconv_tune.Study) -> None:
    """In a thread, as in a server, signals cannot be caught."""
    opened = study.findings.study.opened
    data = {"format": "table", "path": str(study.folder / "data.parquet"), "args": {"label": "insect"}}
    keys = {key: value for key, value in QUICK.items() if key not in ("debug", "quiet")}
    spec = load_spec({"name": "it", "data": data, "target": 0.6, "output": str(root / "others")} | keys, {})
    found: list[superconv_tune.Study] = []
    thread = Thread(target=lambda: found.append(superconv_tune.search(spec, trials=1, debug=True, quiet=True)))
    thread.start()
    thread.join()
    other = found[0].findings.study.opened
    assert other.environment["data"] == opened.environment["data"]
    assert (other.spec["trials"], opened.spec["trials"]) == (1, 2)
    assert found[0].verdict == "demonstrated"


def test_an_interruption_returns_what_was_found(tmp_path: Path) -> None:
    place = workplace_in(tmp_path)
    (place.folder / "interrupt").touch()
    found = superconv_tune.search(CONTENT | {"task": {"factory": f"{place.task}:task"}, "output": place.output},
                                  name="early", debug=True, quiet=True)  # fmt: skip
    assert found.interrupted
    assert found.findings.study.outcomes
    assert superconv_tune.Study.open("early", place.output).interrupted


@pytest.mark.parametrize(
    ("data", "keys", "said"),
    [
        (4, {}, "data: got a int"),
        ("nowhere.csv", {}, "no file or folder"),
        (clouds(), {"target": 80}, r"^target: accuracy lies between 0 and 1, but got 80. Did you mean 0.8"),
        (clouds(), {"metrik": "accuracy"}, "metrik: unknown key. Did you mean 'metric'"),
        (clouds(), {"workers": "many"}, r"^workers: must be auto"),
        (clouds(), {"address": "cluster:6379", "debug": True}, "Leave one of them out|no token"),
        ((np.zeros((9, 2)), np.arange(9) % 2), {}, "too few"),
        (pd.DataFrame({"a": range(30)}), {"label": "b"}, "'b'"),
        ({"data": "digits", "model": "lenet"}, {}, "Did you mean 'lenet5'"),
    ],
)
def test_a_mistake_leaves_no_trace(data: object, keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(superconv_tune.UserError, match=said):
        superconv_tune.search(data, **QUICK | {"output": tmp_path / "runs"} | keys)
    assert not list(tmp_path.glob("runs/*"))


def test_a_failure_of_ours_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(MemoryError):
        superconv_tune.search(clouds(), **QUICK | {"output": tmp_path / "runs"})
    assert not list(tmp_path.glob("runs/*"))


def test_a_name_that_is_taken_keeps_its_files(study: superconv_tune.Study) -> None:
    before = (study.folder / "data.parquet").read_bytes()
    with pytest.raises(superconv_tune.UserError, match="exists"):
        superconv_tune.search(clouds(), name="insects", **QUICK | {"output": study.folder.parent})
    assert (study.folder / "data.parquet").read_bytes() == before


def test_importing_the_package_is_light() -> None:
    code = f"import superconv_tune, sys; print(*({set(HEAVY)!r} & sys.modules.keys())); print(*dir(superconv_tune))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, names = done.stdout.splitlines()
    assert loaded == ""
    assert set(superconv_tune.__all__) <= set(names.split())


@pytest.mark.parametrize("name", superconv_tune.__all__)
def test_every_public_name_is_there_and_described(name: str) -> None:
    assert getattr(superconv_tune, name).__doc__


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        superconv_tune.serch  # noqa: B018
