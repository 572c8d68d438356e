"""Good specs become values, bad ones one message for everything that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval
from superconv_tune.data.augment import AUGMENTATIONS
from superconv_tune.lr.policies import Cosine, Linear, OneCycle, Policy, Step, Triangular2, WarmupStableDecay
from superconv_tune.lr.schedule import Schedule
from superconv_tune.spec.load import DEFAULT, load_spec
from superconv_tune.spec.space import Space
from superconv_tune.spec.spec import Augmentation, ExperimentSpec, defaults, search_space

SPECS = Path("search_spaces")
HEAVY = {"torch", "torchmetrics", "pandas", "PIL", "pyarrow", "sklearn", "optuna", "ray", "mlflow"}
GOOD = {"name": "x", "data": "digits", "target": 0.9}


def write(folder: Path, content: object) -> Path:
    path = folder / "spec.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def refused(folder: Path, content: object, **overrides: object) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        load_spec(write(folder, content), overrides)
    return caught.value.messages


def shipped(path: Path, folder: Path) -> ExperimentSpec:
    """A spec of ours; data outside of the project, which not every machine has, are looked for in ``folder``."""
    (folder / "train-images-idx3-ubyte.gz").touch()
    named = yaml.safe_load(path.read_text(encoding="utf-8")).get("data")
    return load_spec(path, {"data.path": str(folder)} if isinstance(named, dict) and "path" in named else {})


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_spec_loads_and_says_what_it_answers(path: Path, tmp_path: Path) -> None:
    spec = shipped(path, tmp_path)
    header = path.read_text(encoding="utf-8").split("name:")[0]
    assert spec.target is not None
    assert "?" in header
    assert "# Data:" in header


def test_the_built_in_default_is_the_shipped_digits() -> None:
    texts = [path.read_text(encoding="utf-8").splitlines() for path in (DEFAULT, SPECS / "digits.yaml")]
    assert texts[0][1:] == texts[1][1:]  # the first line names the schema, by its place beside the file
    assert load_spec(None, {}).name == "digits"


def test_names_agree_with_the_tables_that_give_them_their_meaning() -> None:
    assert set(Augmentation.__args__) == set(AUGMENTATIONS)  # type: ignore[attr-defined]
    assert set(Space.model_fields) == {field.name for field in fields(Hyperparameters)}


def test_a_spec_is_checked_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    """A typing error is answered at once, and the tables of formats, models and metrics are read for it."""
    path = write(tmp_path, {**GOOD, "data": "digit", "model": "lenet", "metric": "acuracy", "sampler": "tp"})
    lines = [
        "import sys",
        "from pathlib import Path",
        "import superconv_tune.commands.search",
        "from superconv_tune.core.errors import UserError",
        "from superconv_tune.spec.load import load_spec",
        "try:",
        f"    load_spec(Path({str(path)!r}), {{}})",
        "except UserError as error:",
        "    print(len(error.messages))",
        f"print(*({HEAVY!r} & sys.modules.keys()))",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["4", "", ""]


def test_the_space_and_the_defaults_inside_it(tmp_path: Path) -> None:
    space = {"weight_decay": 1e-4, "batch_size": [32, 256], "pct_start": {"low": 0.4, "high": 0.5}}
    spec = load_spec(write(tmp_path, {**GOOD, "space": space}), {})
    searched = search_space(spec)
    assert "weight_decay" not in searched
    assert searched["batch_size"] == Choice((32, 256))
    assert searched["lr_multiplier"] == Interval(0.35, 2.0, log=True)
    found = defaults(spec)
    assert (found.weight_decay, found.batch_size) == (1e-4, 256)
    assert found.pct_start == pytest.approx(0.45)


def test_powers_of_ten_are_numbers_everywhere(tmp_path: Path) -> None:
    text = "name: x\ndata: {format: digits, args: {a: 1e-4, b: -2.5E+3, c: '1e-4', d: e4, e: .5e2}}\n"
    data = load_spec(write(tmp_path, text), {}).data
    assert data is not None
    assert data.args == {"a": 1e-4, "b": -2500.0, "c": "1e-4", "d": "e4", "e": 50.0}


def test_options_win_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    spec = load_spec(
        path, {"target": "none", "budget": "1h30m", "trials": "7", "resources.workers": "3", "model": "mlp"}
    )
    assert (spec.target, spec.budget_s, spec.trials) == (None, 5400.0, 7)
    assert spec.resources.workers == 3
    assert spec.model is not None
    assert spec.model.name == "mlp"


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.npz").touch()
    (tmp_path / "p.py").touch()
    path = write(tmp_path, {"name": "x", "data": {"format": "npz", "path": "d/a.npz"}, "output": "here"})
    own = tmp_path / "own.yaml"
    own.write_text("name: y\ntask: {factory: 'p.py:task'}\n", encoding="utf-8")
    monkeypatch.chdir("/")
    data, task = load_spec(path, {}).data, load_spec(own, {}).task
    assert load_spec(path, {}).output == str(tmp_path / "here")
    assert load_spec(path, {"output": "there"}).output == "there"
    assert data is not None
    assert data.path == str(tmp_path / "d/a.npz")
    assert task is not None
    assert task.factory == f"{tmp_path / 'p.py'}:task"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tarket": 0.9}, ("tarket", "target")),
        ({"target": 94}, ("target", "0.94")),
        ({"target": "high"}, ("target", "number", "high")),
        ({"target": -1}, ("target", "between 0 and 1")),
        ({"reliability": 0.95}, ("reliability", "from 0.5 to 0.94, but got 0.95")),
        ({"reliability": 0.4}, ("reliability", "most trainings may miss")),
        ({"budget": "soon"}, ("budget", "10m", "soon")),
        ({"budget": 3}, ("budget", "too short")),
        ({"data": "digit"}, ("data.format", "digits")),
        ({"data": {"format": "idx"}}, ("data", "path")),
        ({"data": {"format": "digits", "path": "x"}}, ("data", "reads no file")),
        ({"data": None}, ("task", "neither data nor task")),
        ({"task": "a_module:task"}, ("task", "both")),
        ({"task": "a.py:task", "data": None}, ("task.factory", "no file", "a.py", "There is: spec.yaml")),
        ({"model": {"factory": "a.py:net"}}, ("model.factory", "no file", "a.py")),
        ({"data": {"format": "npz", "path": "spce.npz"}}, ("data.path", "no file", "spce.npz", "spec.yaml")),
        ({"data": {"format": "idx", "path": "no/where"}}, ("data.path", "There is no folder")),
        ({"resources": 4}, ("resources", "workers", "4")),
        ({"target": 10**400}, ("target", "finite")),
        ({"task": "a.py", "data": None}, ("task.factory", "a.py")),
        ({"model": "lenet"}, ("model.name", "Did you mean 'lenet5'?")),
        ({"model": {"name": "mlp", "factory": "a:b"}}, ("model", "both")),
        ({"model": {"name": "mlp", "factory": "a:b", "head": "linear"}}, ("model", "both")),
        ({"model": {"name": "mlp", "width": 0}}, ("model.width", "0")),
        ({"metric": "acuracy"}, ("metric", "accuracy")),
        ({"loss": "mse"}, ("loss", "mse", "accuracy")),
        ({"optimizer": "adam"}, ("optimizer", "adam")),
        ({"schedule": "onecycle"}, ("schedule: policy is unknown", "Did you mean 'one_cycle'?")),
        ({"schedule": 5}, ("schedule", "name of a policy", "5")),
        ({"schedule": None}, ("schedule", "name of a policy", "None")),
        ({"schedule": {"policy": "cosine", "cycles": 2}}, ("schedule: cycles is an option of triangular", "warmup")),
        (
            {"schedule": {"policy": "step", "gamma": 3, "milestones": [2]}},
            ("schedule", "gamma", "milestones", "3", "2"),
        ),
        ({"schedule": "cosine,warmup=lin"}, ("schedule", "Did you mean 'linear'?")),
        ({"schedule": {"policy": "one_cycle", "pct_start": 0.4}}, ("schedule", "pct_start", "space")),
        ({"schedule": "one_cycle,three_phase=true", "space": {"pct_start": 0.6}}, ("space", "0.6", "three_phase=true")),
        ({"baselines": "step,lineer"}, ("baselines.1: policy is unknown: 'lineer'. Did you mean 'linear'?",)),
        ({"baselines": [{"policy": "step", "power": 2}]}, ("baselines.0: power is an option of", "not of step")),
        ({"baselines": 3}, ("baselines", "in a list, or none", "3")),
        ({"baselines": {"policy": "step"}}, ("baselines", "in a list, or none")),
        ({"scheduler": "asha"}, ("scheduler", "complete cycles")),
        ({"sampler": "grid"}, ("sampler", "grid")),
        ({"strategy": "asha"}, ("strategy", "ladder")),
        ({"trials": 0}, ("trials", "0")),
        ({"seed": True}, ("seed", "True")),
        ({"split": {"validation": 0.6, "test": 0.35}}, ("split", "leave 5 % to train on", "0.9")),
        ({"split": {"validation": 15}}, ("split.validation", "15")),
        ({"resources": {"gpus_per_trial": 2}}, ("resources.gpus_per_trial", "one GPU")),
        ({"resources": {"gpus_per_trial": -0.5}}, ("resources.gpus_per_trial", "-0.5")),
        ({"resources": {"gpus_per_trial": "all"}}, ("resources.gpus_per_trial", "all")),
        ({"resources": {"workers": 0}}, ("resources.workers", "0")),
        ({"space": {"max_lr": 0.1}}, ("space.max_lr", "lr_multiplier")),
        ({"space": {"weight_decay": {"low": 1e-2, "high": 1e-4}}}, ("space.weight_decay", "inverted")),
        ({"space": {"weight_decay": {"low": 0, "high": 1e-4, "log": True}}}, ("space.weight_decay", "above 0")),
        ({"space": {"batch_size": {"low": 32, "high": 64}}}, ("space.batch_size", "[64, 128, 256]")),
        ({"space": {"batch_size": [32, 32]}}, ("space.batch_size", "twice")),
        ({"space": {"augment": 2}}, ("space.augment", "0, 1 or the list [0, 1]")),
        ({"space": {"augment": {"low": 0, "high": 1}}}, ("space.augment", "0, 1 or the list [0, 1]")),
        ({"space": {"base_momentum": 1.5}}, ("space.base_momentum", "0.99")),
        ({"name": "a/b"}, ("name", "a/b")),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_the_mend(
    change: dict[str, object], said: tuple[str, ...], tmp_path: Path
) -> None:
    (message,) = refused(tmp_path, {**GOOD, **change})
    for words in said:
        assert words in message
    assert "pydantic" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("- 1\n", "holds a list"),
        ("a: [", "not valid YAML"),
        ("name: x\nname: y\n", "twice"),
        ("data: &d {format: npz}\nmodel: {<<: *d, name: x, name: y}\n", "'name' is given twice"),
        ("a: !!python/object:os.x {}", "not valid YAML"),
        ("a: 2024-13-01", "not valid YAML"),
    ],
)
def test_what_is_no_mapping_is_told(text: str, said: str, tmp_path: Path) -> None:
    (message,) = refused(tmp_path, text)
    assert said in message


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    messages = refused(tmp_path, {"name": "x", "data": "digits", "target": 94, "modell": "mlp", "budget": "soon"})
    assert len(messages) == 3


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("target", "94", "--target:"),
        ("model", "lenet", "--model:"),
        ("schedule", "onecycle", "--schedule:"),
        ("baselines", "step,gama=2", "--baseline:"),
        ("resources.workers", "0", "--workers:"),
        ("data.path", "no_such_file.npz", "--data:"),
    ],
)
def test_a_wrong_option_is_named_as_an_option(key: str, value: str, said: str, tmp_path: Path) -> None:
    (message,) = refused(tmp_path, GOOD, **{key: value})
    assert message.startswith(said)


def test_an_option_mends_an_empty_section_and_leaves_a_wrong_one_to_be_told(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, {**GOOD, "resources": None}), {"resources.workers": "3"}).resources.workers == 3
    (message,) = refused(tmp_path, {**GOOD, "resources": 4}, **{"resources.workers": "3"})
    assert "resources" in message


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_spec_comes_back_out_of_the_journal_as_it_was(path: Path, tmp_path: Path) -> None:
    spec = shipped(path, tmp_path)
    assert ExperimentSpec.model_validate(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec


# Each with the same as a text, as `--schedule` takes it.
SCHEDULE_FORMS = [
    ({"policy": "triangular2", "cycles": 4}, "triangular2,cycles=4", Triangular2(cycles=4.0), {}),
    (
        {"policy": "one_cycle", "three_phase": True, "anneal": "linear"},
        "one_cycle,three_phase=true,anneal=linear",
        OneCycle(three_phase=True, anneal="linear"),
        {},
    ),
    (
        {"policy": "cosine", "warmup": "exponential", "warmup_share": 0.1},
        "cosine,warmup=exponential,warmup_share=0.1",
        Cosine(),
        {"warmup": "exponential", "warmup_share": 0.1},
    ),
    (
        {"policy": "step", "milestones": [0.3, 0.6, 0.9], "gamma": 0.2},
        "step,milestones=0.3/0.6/0.9,gamma=0.2",
        Step(milestones=(0.3, 0.6, 0.9), gamma=0.2),
        {},
    ),
    ({"policy": "wsd", "decay_share": 0.3}, "wsd,decay_share=0.3", WarmupStableDecay(decay_share=0.3), {}),
]


@pytest.mark.parametrize(("mapping", "text", "policy", "options"), SCHEDULE_FORMS, ids=lambda value: str(value)[:20])
def test_a_schedule_is_reached_with_all_its_options(
    mapping: dict[str, object], text: str, policy: Policy, options: dict[str, Any], tmp_path: Path
) -> None:
    expected = Schedule(policy=policy, **options)
    path = write(tmp_path, {**GOOD, "schedule": mapping, "baselines": [mapping, "linear"]})
    spec = load_spec(path, {})
    assert spec.schedule == expected
    assert spec.baselines == (expected, Schedule(policy=Linear()))
    dumped = json.loads(json.dumps(spec.model_dump(mode="json")))
    assert dumped["schedule"] == mapping
    assert dumped["baselines"] == [mapping, {"policy": "linear"}]
    assert ExperimentSpec.model_validate(dumped) == spec
    inline = load_spec(write(tmp_path, GOOD), {"schedule": text, "baselines": f"{text},linear"})
    assert (inline.schedule, inline.baselines) == (spec.schedule, spec.baselines)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("none", []),
        (["none"], []),
        ([], []),
        ("step, linear,step", ["step", "linear"]),
        (["cosine", {"policy": "cosine"}, "cosine,warmup=linear"], ["cosine", "cosine(warmup=linear)"]),
        ("step,gamma=0.2,milestones=0.5/0.9,constant", ["step(milestones=0.5/0.9, gamma=0.2)", "constant"]),
    ],
)
def test_baselines_are_policies_without_repetition(given: object, expected: list[str], tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, {**GOOD, "baselines": given}), {})
    assert [schedule.label for schedule in spec.baselines] == expected


def test_a_spec_says_one_cycle_against_three_policies_unless_told_otherwise(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD), {})
    assert spec.schedule == Schedule()
    assert [schedule.label for schedule in spec.baselines] == ["step", "linear", "constant"]
    assert spec.model_dump(mode="json")["schedule"] == {"policy": "one_cycle"}
    journalled = spec.model_dump(mode="json") | {"baselines": ["step", "linear", "constant"]}  # as it once was
    assert ExperimentSpec.model_validate(journalled) == spec


def test_data_without_a_spec_ask_how_far_one_gets(tmp_path: Path) -> None:
    archive = tmp_path / "my data.npz"
    archive.touch()
    spec = load_spec(None, {"data.path": str(archive)})
    assert spec.data is not None
    assert (spec.name, spec.data.format, spec.data.path, spec.target) == ("my-data", "npz", str(archive), None)
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    moved = load_spec(write(tmp_path, GOOD), {"data.path": str(tmp_path)})
    assert moved.data is not None
    assert (moved.data.format, moved.target) == ("idx", 0.9)


def test_a_file_with_a_long_name_gives_as_much_of_it_as_a_study_may_have(tmp_path: Path) -> None:
    archive = tmp_path / f"{'a' * 120}.npz"
    archive.touch()
    assert load_spec(None, {"data.path": str(archive)}).name == "a" * 100


def test_what_another_mapping_has_is_taken_over(tmp_path: Path) -> None:
    text = "name: t\ndata: digits\nmodel:\n- &small {name: mlp, width: 0.5}\n- {<<: *small, width: 2}\n"
    found = load_spec(write(tmp_path, text), {})
    assert [(each.name, each.width) for each in found.families] == [("mlp", 0.5), ("mlp", 2)]


def test_data_that_no_format_reads_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (message,) = refused(tmp_path, GOOD, **{"data.path": str(tmp_path / "photos")})
    assert "task" in message
    assert "npz" in message


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(UserError, match=r"spec\.yaml"):
        load_spec(tmp_path / "spce.yaml", {})


@pytest.mark.parametrize("data", [{"path": "photos"}, {"path": "photos", "format": "auto", "augment": ["flip"]}])
def test_a_path_alone_says_its_format(data: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "photos" / "ant").mkdir(parents=True)
    (tmp_path / "photos" / "ant" / "1.JPG").touch()
    found = load_spec(write(tmp_path, {**GOOD, "data": data}), {}).data
    assert found is not None
    assert (found.format, found.path) == ("image_folder", str(tmp_path / "photos"))
    assert found.augment == (tuple(data["augment"]) if "augment" in data else None)  # type: ignore[arg-type]


def test_a_path_alone_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    (message,) = refused(tmp_path, {**GOOD, "data": {"path": "fotos"}})
    assert "no file or folder" in message


@pytest.mark.parametrize("key", ["storage", "tracking_uri"])
def test_an_address_with_a_password_that_has_no_clear_end_is_refused_without_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(UserError, match=rf"{key}: holds a character.*percent-encoded") as refused:
        load_spec(write(tmp_path, {**GOOD, key: "postgresql://u:open/sesame@h/d"}), {})
    cause = refused.value.__cause__  # what a traceback would show besides
    assert cause is not None
    assert "sesame" not in str(refused.value) + str(cause)
    spec = load_spec(write(tmp_path, {**GOOD, key: "postgresql://u:open%2Fsesame@h/d"}), {})
    assert getattr(spec, key).reveal() == "postgresql://u:open%2Fsesame@h/d"
    assert "sesame" not in spec.model_dump_json() + repr(spec)


WEIGHTS = {"factory": "nets:net"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"name": "mlp", "freeze": "fc", "size": 32},
            "model: freeze, size: for networks of a factory, but mlp is built",
        ),
        (
            WEIGHTS | {"layer_decay": 0.5, "lr_scale": {"fc": 2}},
            "layer_decay and lr_scale both scale the learning rate",
        ),
        (WEIGHTS | {"freeze": "backbone", "layer_decay": 0.5}, "only the head is trained. Leave out layer_decay"),
        (WEIGHTS | {"layer_decay": 1.5}, "model.layer_decay"),
        (WEIGHTS | {"lr_scale": {"fc": 0}}, "model.lr_scale"),
        (WEIGHTS | {"head": "lineal"}, "model.head: is unknown: 'lineal'. Did you mean 'linear'?"),
        (WEIGHTS | {"normalise": {"mean": [0.5], "std": [0.1, 0.2]}}, "has 1 means, but 2 stds"),
        (WEIGHTS | {"normalise": "imagnet"}, "model.normalise.of: is unknown: 'imagnet'. Did you mean 'imagenet'?"),
        (WEIGHTS | {"size": 0}, "model.size"),
    ],
)
def test_what_a_network_with_weights_cannot_be(tmp_path: Path, model: object, message: str) -> None:
    messages = refused(tmp_path, {**GOOD, "model": model})
    assert len(messages) == 1
    assert message in messages[0]


def test_a_network_is_pretrained_if_anything_says_so(tmp_path: Path) -> None:
    keys: list[dict[str, object]] = [
        {},
        {"head": "linear", "size": 32},
        {"freeze": ["stem"]},
        {"layer_decay": 0.7},
        {"lr_scale": {"stem": 0.1}},
        {"normalise": "model"},
        {"args": {"pretrained": True}},
        {"args": {"weights": "DEFAULT"}},
        {"pretrained": True},
        {"pretrained": False, "layer_decay": 0.7},
    ]
    models = [load_spec(write(tmp_path, {**GOOD, "model": WEIGHTS | each}), {}).model for each in keys]
    assert [model is not None and model.is_pretrained for model in models] == [False] * 2 + [True] * 7 + [False]


def test_one_name_is_frozen_like_a_list_of_one(tmp_path: Path) -> None:
    models = [
        load_spec(write(tmp_path, {**GOOD, "model": WEIGHTS | {"freeze": each}}), {}).model for each in ("a", ["a"])
    ]
    assert models[0] == models[1]
    assert models[0] is not None
    assert models[0].freeze == ("a",)
    assert not models[0].has_features


TABLE = {"format": "table", "path": "t.csv"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"data": "digits"}, "group is not known to the format digits, but to hf, jsonl, table, image_folder"),
        ({"task": {"factory": "x:task"}}, "a task brings its own groups: Task(…, groups=array)"),
        ({"data": {"format": "image_folder", "path": "."}}, "group '(x' is no regular expression: missing )"),
        ({"data": TABLE, "split": {"group": True}}, "is a column of a table, or a regular expression"),
        ({"data": {**TABLE, "args": {"group": "x"}}, "split": {}}, "Write `split: {group: x}`"),
    ],
)
def test_groups_that_cannot_be_read_are_refused(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    messages = refused(tmp_path, {"name": "x", "split": {"group": "(x"}} | content)
    assert any(said in message for message in messages), messages


def test_a_group_is_a_name_or_a_number_or_an_option(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    for value, option in ((3, None), ("3", None), (None, "3")):
        path = write(tmp_path, {"name": "x", "data": TABLE, "split": {"group": value, "test": 0.3}})
        spec = load_spec(path, {} if option is None else {"split.group": option})
        assert (spec.split.group, spec.split.test) == ("3", 0.3)
        assert ExperimentSpec.model_validate(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
