"""The schema of specs: it is what the code makes, it takes what is shipped, and it helps an editor."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from superconv_tune.lr.options import options_of
from superconv_tune.lr.policies import SCHEDULES
from superconv_tune.spec.json_schema import PATH, as_text
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.spec.template import MODELINE

SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
SHIPPED = [*Path("search_spaces").glob("*.yaml"), *PATH.parent.glob("*.yaml")]


def test_the_committed_schema_is_what_the_code_makes() -> None:
    assert PATH.read_text(encoding="utf-8") == as_text(), "run `make reference`, and commit what it writes"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=str)
def test_every_shipped_spec_fits_and_names_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    VALIDATOR.validate(yaml.safe_load(text))
    first, *_ = text.splitlines()
    assert (path.parent / first.removeprefix(MODELINE)).resolve() == PATH.resolve()


@pytest.mark.parametrize(
    "keys",
    [
        {"data": {"path": "photos"}},
        {"data": {"format": "auto", "path": "photos", "augment": ["flip"]}},
        {"task": "mine.py:task", "metric": {"name": "own", "direction": "max"}},
        {"task": {"factory": "mine.py:task", "args": {"size": 3}}, "model": {"factory": "m:net", "select": 0}},
        {"data": "digits", "model": ["resnet9", {"name": "mlp", "width": 2}, {"factory": "net.py:net"}, "trees"]},
        {"data": "digits", "target": "none", "horizon": None, "budget": "1h30m", "trials": 8},
        {"data": "digits", "schedule": "cosine,warmup=linear", "baselines": "step,gamma=0.2,linear"},
        {"data": "digits", "schedule": {"policy": "step", "milestones": [0.3, 0.6]}, "baselines": ["wsd"]},
        {"data": "digits", "space": {"cycle_epochs": 3, "batch_size": [32], "weight_decay": {"low": 0.1, "high": 0.2}}},
        {"data": "digits", "resources": {"workers": 2, "gpus_per_trial": 0.5}, "tracking_uri": "none"},
    ],
)
def test_what_a_spec_takes_the_schema_takes(keys: dict[str, Any]) -> None:
    ExperimentSpec.model_validate({"name": "x"} | _with_a_format(keys))
    VALIDATOR.validate({"name": "x"} | keys)


def _with_a_format(keys: dict[str, Any]) -> dict[str, Any]:
    """As a spec is when it was loaded: the format is found from the path."""
    data = keys.get("data")
    return keys | {"data": data | {"format": "image_folder"}} if isinstance(data, dict) else keys


@pytest.mark.parametrize(
    "keys",
    [
        {"data": "digts"},
        {"data": "digits", "model": "resnet8"},
        {"data": "digits", "model": ["resnet9", "resnet8"]},
        {"data": "digits", "model": {"name": "resnet9", "width": 0}},
        {"data": "digits", "epochs": 3},
        {"data": "digits", "budget": "soon"},
        {"data": "digits", "schedule": {"policy": "cosine", "gamma": 0.1}},
        {"data": "digits", "schedule": {"policy": "wsd", "decay_share": 2}},
        {"data": "digits", "space": {"max_lr": 0.1}},
        {"data": "digits", "space": {"cycle_epochs": {"low": 1}}},
        {"data": "digits", "sampler": "tpee"},
    ],
)
def test_what_the_schema_marks_a_spec_refuses(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExperimentSpec.model_validate({"name": "x"} | keys)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"name": "x"} | keys)


@given(st.data())
def test_every_policy_with_its_defaults_fits(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SCHEDULES)))
    options = {option.name: option.default for option in options_of(SCHEDULES[name]).values() if option.name != "name"}
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)))) if options else set()
    given_options = {key: list(value) if isinstance(value := options[key], tuple) else value for key in chosen}
    VALIDATOR.validate({"name": "x", "data": "digits", "schedule": {"policy": name} | given_options})


def test_every_key_is_described() -> None:
    sections = [SCHEMA, *(option for known in SCHEMA["$defs"].values() for option in known.get("anyOf", [known]))]
    keys = [(name, key) for section in sections for name, key in section.get("properties", {}).items()]
    assert len(keys) > 60
    assert not [name for name, key in keys if name != "policy" and not key.get("description")]
    assert "None" not in PATH.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm")
def test_an_editor_completes_keys_and_words(tmp_path: Path) -> None:
    installed = ["npm", "install", "--silent", "--prefix", str(tmp_path), "yaml-language-server@1"]
    if subprocess.run(installed, check=False, capture_output=True, timeout=200).returncode != 0:
        pytest.skip("npm's registry cannot be reached")
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"{MODELINE}{PATH.resolve()}\nname: x\nmodel: re\nspace:\n  cyc\n", encoding="utf-8")
    with _Server(tmp_path / "node_modules" / ".bin" / "yaml-language-server", spec) as server:
        assert "cycle_epochs" in server.completions(line=4, character=5)
        assert {"resnet9", "resnet_cifar"} <= server.completions(line=2, character=9)
        assert {"budget", "target"} <= server.completions(line=5, character=0)


class _Server:
    """A language server that has one file open."""

    def __init__(self, program: Path, file: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._uri = file.as_uri()
        self._calls = 0
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._send({"method": "initialized", "params": {}})
        document = {"uri": self._uri, "languageId": "yaml", "version": 1, "text": file.read_text(encoding="utf-8")}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def completions(self, line: int, character: int) -> set[str]:
        """What is offered at a place, counted from 0."""
        place = {"textDocument": {"uri": self._uri}, "position": {"line": line, "character": character}}
        return {item["label"] for item in self._ask("textDocument/completion", place)["items"]}

    def _ask(self, method: str, params: object) -> Any:
        self._calls += 1
        self._send({"id": self._calls, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._calls and "method" not in message:
                return message["result"]
            if "method" in message and "id" in message:  # the server asks for settings: there are none
                wanted = message.get("params") or {}
                self._send({"id": message["id"], "result": [None] * len(wanted.get("items", []))})

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0"} | message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message
