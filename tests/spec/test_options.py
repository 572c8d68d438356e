"""An option and the key that it replaces take the same words, and mean the same by them."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.options import option_of
from superconv_tune.spec.spec import ExperimentSpec

COMMANDS = ("search", "range_test", "submit")
BASE: dict[str, Any] = {"name": "x", "data": {"format": "table", "path": "t.csv"}}

# Words of every option that has a key. `none` and `None` are the words that people try first, in files
# (hydra-ecosystem/hydra#1473, bw2/ConfigArgParse#198) and in options (ashleve/lightning-hydra-template#629).
WORDS: dict[str, tuple[str, ...]] = {
    "data.path": ("other.csv",),
    "data.args.label": ("last", "3", "-1", "size", "008"),
    "split.group": ("none", "patient", "3", "(person[0-9]+)_"),
    "model": ("mlp",),
    "metric": ("rmse", "auroc"),
    "target": ("none", "None", "0.9", "1", "1e-1", ".5"),
    "reliability": ("0.5", ".75"),
    "budget": ("90", "90s", "10m", "1h30m", "0.5h"),
    "horizon": ("none", "20", "1.5", "1e3"),
    "schedule": ("cosine", "step,gamma=0.2"),
    "baselines": ("none", "None", "step", "step,gamma=0.2,linear"),
    "strategy": ("ladder", "free"),
    "sampler": ("auto", "random"),
    "trials": ("none", "7", "1_000"),
    "keep_models": ("0", "3", "05"),
    "seed": ("0", "7", "010"),  # which YAML 1.1 takes for 8: opensanctions/opensanctions#3845
    "resources.workers": ("auto", "3", "03"),
    "tracking_uri": ("none", "None", "http://127.0.0.1:5000"),
    "storage": ("sqlite:///x.db",),
    "output": ("/there",),
    "optimizer.name": ("sgd", "adamw"),
    "space.batch_size": ("64",),
    "space.weight_decay": ("1e-4", "0.001", "0"),
    "space.base_momentum": ("0.9",),
}
WRONG: dict[str, tuple[str, ...]] = {
    "target": ("high", "94", "nothing"),
    "reliability": ("none", "often", "90"),
    "budget": ("1:30", "1:30.5", "none", "3", "soon"),  # the first is 90 in YAML 1.1: yaml/pyyaml#272, #395
    "horizon": ("0", "-1", "long"),
    "trials": ("0", "many", "1.5"),
    "keep_models": ("-1", "none", "1.5"),
    "seed": ("-1", "none", "1.5"),
    "resources.workers": ("0", "none", "1.5"),
    "model": ("none", "lenet"),
    "strategy": ("none",),
    "space.batch_size": ("1.5", "none"),
}


def cases(words: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(key, word) for key, those in words.items() for word in those]


def in_file(folder: Path, key: str, word: str) -> ExperimentSpec:
    """The spec whose file has the word, without quotes, under the key."""
    content = yaml.safe_load(yaml.safe_dump(BASE))
    section = content
    *sections, last = key.split(".")
    for name in sections:
        section = section.setdefault(name, {})
    section[last] = "WORD"
    text = yaml.safe_dump(content).replace("WORD", word)
    (folder / "file.yaml").write_text(text, encoding="utf-8")
    return load_spec(folder / "file.yaml", {})


def as_option(folder: Path, key: str, word: str) -> ExperimentSpec:
    (folder / "plain.yaml").write_text(yaml.safe_dump(BASE), encoding="utf-8")
    return load_spec(folder / "plain.yaml", {key: word})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("t.csv", "other.csv"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(("key", "word"), cases(WORDS))
def test_a_word_means_the_same_in_both(key: str, word: str, folder: Path) -> None:
    found, other = in_file(folder, key, word).model_dump(), as_option(folder, key, word).model_dump()
    for each in (found, other):  # text for the reader of the data, which takes numbers of YAML for names
        each["data"]["args"] = {name: str(value) for name, value in each["data"]["args"].items()}
    assert found == other


@pytest.mark.parametrize(("key", "word"), cases(WRONG))
def test_a_word_is_refused_in_both(key: str, word: str, folder: Path) -> None:
    for ask in (in_file, as_option):
        with pytest.raises(UserError) as caught:
            ask(folder, key, word)
        (message,) = caught.value.messages
        assert (option_of(key) if ask is as_option else key) in message


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_with_a_key_is_tried_here(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"superconv_tune.commands.{command}")
    seen: dict[str, object] = {}

    def stop(_spec: Path, overrides: dict[str, object], **_kwargs: object) -> None:
        seen.update(overrides)
        raise UserError("seen")

    monkeypatch.setattr("superconv_tune.spec.load.load_spec", stop)
    parameters = inspect.signature(getattr(module, command), eval_str=True).parameters.values()
    free = [
        each.name for each in parameters if "str | None" in str(each.annotation) or "list[str]" in str(each.annotation)
    ]
    left_out = {
        "address",
        "resume",
        "logs",
        "stop",
        "fetch",
        "data_on_nodes",
        "require",
    }  # of another kind, or they end it early
    given = [text for name in free if name not in left_out for text in (f"--{name.replace('_', '-')}", "word")]
    done = CliRunner().invoke(module.app, ["t.yaml", *given])
    assert "seen" in done.output
    assert set(seen) <= set(WORDS)
    assert {option_of(key) for key in seen} <= set(given[::2])
    assert {"--data", "--label", "--target" if command != "range_test" else "--optimizer"} <= {*map(option_of, seen)}


def test_an_option_replaces_the_word_of_a_shorthand(folder: Path) -> None:
    """`optimizer: adamw` and `--optimizer sgd`: the option was ignored without a word."""
    (folder / "short.yaml").write_text("name: x\ndata: digits\noptimizer: adamw\n", encoding="utf-8")
    assert load_spec(folder / "short.yaml", {"optimizer.name": "sgd"}).optimizer.name == "sgd"
    labelled = load_spec(folder / "short.yaml", {"data.args.label": "last"}).data
    assert labelled is not None
    assert (labelled.format, labelled.args) == ("digits", {"label": "last"})
