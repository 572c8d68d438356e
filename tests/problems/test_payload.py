"""From a spec to a problem that trains, built in or the user's own."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data import cache
from superconv_tune.data.batches import ResidentSet, ResidentSource
from superconv_tune.data.parts import Part, Rows
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import Arrays, DataCard, Payload, portable, realise
from superconv_tune.problems.prepare import OF_TEXTS, prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.spec.load import load_spec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.samples import photos

CPU = torch.device("cpu")

LOADERS = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from superconv_tune.problems.user import Loader, Task

def task():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 4, generator=generator)
    data = TensorDataset(inputs, (inputs.sum(1) > 0).long())

    def make(batch_size, seed):
        return DataLoader(data, batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed))

    def read(batch_size, seed):
        return DataLoader(data, batch_size)

    part = Loader(read, 400)
    return Task(train=Loader(make, 400), validation=part, test=part, model=lambda: nn.Linear(4, 2))
"""

REGRESSION = """
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task

def task(noise=0.0):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((300, 3)).astype("float32")
    y = (x @ [1.0, -2.0, 0.5] + noise * rng.standard_normal(300)).astype("float32")
    return Task(train=(x, y), model=lambda: nn.Linear(3, 1))
"""


def spec_of(folder: Path, **content: Any) -> Any:
    path = folder / "spec.json"
    path.write_text(json.dumps({"name": "t", **content}), encoding="utf-8")
    return load_spec(path, {})


def own(folder: Path, text: str, **content: Any) -> Any:
    (folder / "own.py").write_text(text, encoding="utf-8")
    return spec_of(folder, task={"factory": "own.py:task"}, **content)


def travelled(payload: Payload) -> Payload:
    copy: Payload = pickle.loads(pickle.dumps(payload))
    return copy


def learned(problem: Problem, **params: Any) -> float:
    """Validation after a short cycle."""
    request = TrialRequest(
        "t",
        1,
        Confirm(1),
        Cycle(0.1, reads_test=True),
        params=Hyperparameters(**params),
        schedule=Schedule(),
        seed=0,
        deadline=4e9,
    )
    outcome = run(request, problem, NullTracker(), lambda: 0.0)
    assert outcome.status == "finished", outcome.reason
    assert outcome.validation is not None
    return outcome.validation


def test_digits_travel_and_train(tmp_path: Path) -> None:
    payload, card = prepare(spec_of(tmp_path, data="digits", model="mlp"))
    assert card.train_items + card.validation_items + card.test_items == 1797
    assert (card.classes, card.input_shape, sum(card.class_counts)) == (10, (1, 8, 8), card.train_items)
    problem = realise(travelled(payload), CPU)
    assert 0.05 < problem.trivial_value < 0.2
    assert problem.chance_loss == pytest.approx(math.log(10))
    assert learned(problem, cycle_epochs=8, batch_size=64) > 0.9


def test_the_same_spec_has_the_same_split_and_another_seed_another(tmp_path: Path) -> None:
    cards = [prepare(spec_of(tmp_path, data="digits", split={"seed": seed}))[1] for seed in (0, 0, 1)]
    assert cards[0] == cards[1]
    assert cards[0].split_digest != cards[2].split_digest
    assert cards[0].fingerprint == cards[2].fingerprint


def test_pixels_are_normalised_on_the_training_part(tmp_path: Path) -> None:
    problem = realise(prepare(spec_of(tmp_path, data="digits", model="mlp"))[0], CPU)
    inputs, _ = next(problem.train.stream(batch_size=10_000, seed=0))
    assert float(inputs.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(inputs.std()) == pytest.approx(1.0, abs=1e-2)


def test_a_users_arrays_for_regression(tmp_path: Path) -> None:
    payload, card = prepare(own(tmp_path, REGRESSION, metric="rmse"))
    assert (card.kind, card.classes) == ("regression", None)
    problem = realise(travelled(payload), CPU)
    assert payload.arrays is not None
    assert problem.trivial_value == pytest.approx(np.std(payload.arrays.validation.targets), rel=1e-5)
    assert problem.chance_loss == pytest.approx(np.mean(payload.arrays.validation.targets**2), rel=1e-5)
    assert learned(problem, cycle_epochs=20, batch_size=16) < 0.1


def test_a_users_loaders(tmp_path: Path) -> None:
    payload, card = prepare(own(tmp_path, LOADERS))
    assert (card.kind, card.train_items, card.input_shape) == ("loader", 400, (4,))
    problem = realise(travelled(payload), CPU)
    assert learned(problem, cycle_epochs=10, batch_size=20) > 0.95


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_this", "nothing_like_this"),
        ("def other(): pass", "task"),
        ("def task(): raise RuntimeError('no disk')", "no disk"),
        ("def task(): return 3", "returned a int"),
        (
            "from superconv_tune.problems.user import Task\ndef task(): return Task(train=(1, 2, 3), model=object)",
            "pair",
        ),
        (
            "import numpy as np\nfrom superconv_tune.problems.user import Task\n"
            "def task(): return Task(train=(np.ones((3, 2)), [0, 1]), model=object)",
            "3 inputs",
        ),
    ],
)
def test_a_broken_factory_is_reported_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        prepare(own(tmp_path, text))
    assert said in str(caught.value)
    assert "own.py" in str(caught.value) or "task" in str(caught.value)


HEAD = """
import numpy as np
from torch import nn
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.user import Loader, Task

X = np.random.default_rng(0).standard_normal((200, 3)).astype("float32")
Y = (X.sum(1) > 0).astype(int)

NONE = Loader(lambda batch_size, seed: [], 9)

def error(outputs, targets):
    return float((outputs.argmax(-1) != targets).float().mean())

def net(outputs=2):
    return nn.Linear(3, outputs)

def task():
    return """

OWN_METRIC = {"name": "error", "direction": "min"}


@pytest.mark.parametrize(
    ("made", "content", "said"),
    [
        ("Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, error))", {}, ("accuracy", "direction: min")),
        ("Task((X, Y), net, metric=Metric('accuracy', 'max', 0.0, 1.0, error))", {}, ("name of its own",)),
        ("Task((X, Y), net)", {"metric": OWN_METRIC}, ("error", "brings none")),
        ("Task((X, X.sum(1)), net)", {}, ("accuracy", "numbers", "rmse")),
        ("Task((X, Y), net)", {"metric": "rmse"}, ("rmse", "2 classes", "accuracy")),
        ("Task((X, Y), net)", {"metric": "top5_accuracy"}, ("top5_accuracy", "2 classes")),
        ("Task((X, 0 * Y), net)", {}, ("same",)),
        ("Task((X / 0, Y), net)", {}, ("inputs", "infinite")),
        ("Task((X, Y), net, loss=nn.functional.cross_entropy)", {"space": {"label_smoothing": 0.1}}, ("own loss",)),
        ("Task((X, X.sum(1)), net)", {"metric": "mae", "space": {"label_smoothing": [0, 0.1]}}, ("mse",)),
        ("Task(NONE, net)", {}, ("all three",)),
        (
            "Task(NONE, net, NONE, NONE)",
            {},
            ("empty",),
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    made: str, content: dict[str, Any], said: tuple[str, ...], tmp_path: Path
) -> None:
    with np.errstate(divide="ignore", invalid="ignore"), pytest.raises(UserError) as caught:
        prepare(own(tmp_path, HEAD + made, **content))
    (message,) = caught.value.messages
    for words in said:
        assert words in message


def test_a_metric_of_ones_own_steers_the_search(tmp_path: Path) -> None:
    text = HEAD + "Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, error))"
    spec = own(tmp_path, text, metric=OWN_METRIC)
    problem = realise(travelled(prepare(spec)[0]), CPU)
    assert (problem.metric.name, problem.metric.direction, spec.direction) == ("error", "min", "min")
    assert problem.trivial_value == pytest.approx(0.5, abs=0.1)
    assert learned(problem, cycle_epochs=10, batch_size=20) < 0.1


def test_a_metric_may_return_a_tensor_of_one_value(tmp_path: Path) -> None:
    share = "lambda outputs, targets: (outputs.argmax(-1) != targets).float().mean()"
    text = HEAD + f"Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, {share}))"
    problem = realise(travelled(prepare(own(tmp_path, text, metric=OWN_METRIC))[0]), CPU)
    assert type(learned(problem, cycle_epochs=1, batch_size=20)) is float
    assert type(problem.trivial_value) is float


def test_one_logit_and_bce(tmp_path: Path) -> None:
    payload, _ = prepare(own(tmp_path, HEAD + "Task((X, Y), lambda: net(1))", loss="bce"))
    assert learned(realise(payload, CPU), cycle_epochs=20, batch_size=20) > 0.9


def test_what_a_loss_of_ones_own_makes_of_zeros_is_not_taken_for_chance(tmp_path: Path) -> None:
    """Of log-probabilities, zeros are certainty, and their loss is none."""
    own_loss = "lambda outputs, targets: nn.functional.nll_loss(outputs.log_softmax(1), targets)"
    problem = realise(prepare(own(tmp_path, HEAD + f"Task((X, Y), net, loss={own_loss})"))[0], CPU)
    assert problem.chance_loss == math.inf


def test_a_constant_guess_of_five_names_the_five_most_frequent(tmp_path: Path) -> None:
    rows = np.repeat(np.arange(10), [10, 80, 20, 30, 90, 10, 40, 10, 20, 50])
    np.savez(tmp_path / "d.npz", x=np.zeros((len(rows), 2), np.float32), y=rows)
    spec = spec_of(tmp_path, data={"format": "npz", "path": "d.npz"}, metric="top5_accuracy")
    assert realise(prepare(spec)[0], CPU).trivial_value == pytest.approx(290 / 360, abs=0.03)


def arrays_of(folder: Path, targets: Any, **content: Any) -> Any:
    x = np.random.default_rng(0).normal(size=(len(targets), 2)).astype(np.float32)
    np.savez(folder / "d.npz", x=x, y=targets)
    args = content.pop("args", {})
    return spec_of(folder, data={"format": "npz", "path": "d.npz", "args": args}, **content)


def test_a_metric_that_is_named_says_what_whole_numbers_are(tmp_path: Path) -> None:
    grades = np.arange(200) % 5 + 3
    for targets, metric, kind in (
        (grades, None, "classification"),
        (grades, "accuracy", "classification"),
        (grades, "rmse", "regression"),
        (grades.astype(float), None, "regression"),
        (grades.astype(float), "accuracy", "classification"),
    ):
        payload, card = prepare(arrays_of(tmp_path, targets, **({} if metric is None else {"metric": metric})))
        assert (payload.kind, card.kind) == (kind, kind)


@pytest.mark.parametrize(
    ("targets", "metric", "args", "said"),
    [
        (np.arange(200) % 5, "rmse", {"kind": "classification"}, "`args: {kind: regression}`"),
        (np.arange(200) % 5, "accuracy", {"kind": "regression"}, "`args: {kind: classification}`"),
        (np.array(["ant", "bee"] * 100), "rmse", {}, "rmse does not fit targets that are 2 classes. Choose accuracy"),
        (np.arange(200) / 8, "accuracy", {}, "accuracy does not fit targets that are numbers. Choose rmse"),
    ],
)
def test_a_metric_that_fits_no_targets_is_refused_with_a_way_out(
    targets: Any, metric: str, args: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        prepare(arrays_of(tmp_path, targets, metric=metric, args=args))
    assert said in str(caught.value)


def test_classes_of_a_format_that_knows_no_numbers_are_not_said_to_be_any(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rmse does not fit targets that are 10 classes\. Choose [a-z0-9_, ]*\.$"):
        prepare(spec_of(tmp_path, data="digits", metric="rmse"))


def test_a_question_without_a_model_gets_the_one_for_its_shape(tmp_path: Path) -> None:
    """The choice is in the payload's spec, and so in journal and recipe."""
    for content, wanted in (
        ({"data": "digits"}, ("lenet5", None)),
        ({"data": {"format": "mnist1d", "args": {"samples": 100}}}, ("cnn1d", None)),
        ({"data": "digits", "model": {"name": "mlp", "width": 2}}, ("mlp", 2)),
    ):
        spec = prepare(spec_of(tmp_path, **content))[0].spec
        assert spec.model is not None
        assert (spec.model.name, spec.model.width) == wanted
    payload, _ = prepare(own(tmp_path, HEAD + "Task((X, Y))"))
    assert payload.spec.model is not None
    assert payload.spec.model.name == "mlp"
    assert learned(realise(payload, CPU), cycle_epochs=10, batch_size=20) > 0.9


def test_texts_are_read_as_bytes_and_learned(tmp_path: Path) -> None:
    text = """
import numpy as np
from superconv_tune.problems.user import Task

def task():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice([["red", "sun"], ["blue", "sea"]][i % 2] + ["and", "the"], 6)) for i in range(300)]
    rows = np.zeros((300, 40), np.uint8)
    for row, text in zip(rows, texts):
        row[: len(text)] = list(text.encode())
    return Task(train=(rows, np.arange(300) % 2))
"""
    payload, _ = prepare(own(tmp_path, text, model="text_bytes"))
    assert payload.arrays is not None
    assert payload.arrays.normaliser is None
    assert learned(realise(payload, CPU), cycle_epochs=6, batch_size=20) > 0.9


def test_a_table_of_one_text_is_read_by_the_model_of_texts(tmp_path: Path) -> None:
    lines = [f"a {['red', 'blue'][index % 2]} thing,{'ab'[index % 2]}" for index in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["what,label", *lines]) + "\n", encoding="utf-8")
    payload, card = prepare(spec_of(tmp_path, data={"format": "table", "path": "t.csv"}))
    assert payload.spec.model is not None
    assert payload.spec.model.name == "text_bytes"
    assert OF_TEXTS in card.warnings
    assert payload.arrays is not None
    assert payload.arrays.normaliser is None
    assert learned(realise(payload, CPU), cycle_epochs=5, batch_size=20) > 0.9


def test_a_dataset_with_another_transform_has_the_same_test_items(tmp_path: Path) -> None:
    head = "import torch\nfrom torch.utils.data import TensorDataset" + HEAD
    made = "Task(TensorDataset(torch.from_numpy({} * X), torch.from_numpy(Y)), net)"
    one, other = (prepare(own(tmp_path, head + made.format(scale)))[1] for scale in (1, 2))
    assert one.fingerprint != other.fingerprint
    assert one.test_part == other.test_part


def test_other_validation_data_are_other_data(tmp_path: Path) -> None:
    prints = {
        prepare(own(tmp_path, HEAD + f"Task((X, Y), net, validation=(X + {shift}, Y))"))[1].fingerprint
        for shift in (0, 1)
    }
    assert len(prints) == 2


def test_models_and_optimizers_of_ones_own(tmp_path: Path) -> None:
    text = """
import torch

def net(hidden):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, hidden), torch.nn.Linear(hidden, 10))

def nadam(params, eps):
    return torch.optim.NAdam(params, eps=eps)
"""
    (tmp_path / "parts.py").write_text(text, encoding="utf-8")
    spec = spec_of(
        tmp_path,
        data="digits",
        model={"factory": "parts.py:net", "args": {"hidden": 7}},
        optimizer={"factory": "parts.py:nadam", "args": {"eps": 1e-7}},
    )
    problem = realise(travelled(prepare(spec)[0]), CPU)
    model = problem.make_model()
    optimizer = problem.make_optimizer(model, Hyperparameters(weight_decay=0.3))
    assert sum(parameter.numel() for parameter in model.parameters()) == 64 * 7 + 7 + 7 * 10 + 10
    assert isinstance(optimizer, torch.optim.NAdam)
    assert [(group["decay"], group["weight_decay"], group["eps"]) for group in optimizer.param_groups] == [
        (True, 0.3, 1e-7),
        (False, 0.0, 1e-7),
    ]


def test_augmentation_needs_images(tmp_path: Path) -> None:
    data = {"format": "mnist1d", "args": {"samples": 500}, "augment": ["flip"]}
    with pytest.raises(UserError, match="images"):
        realise(prepare(spec_of(tmp_path, data=data))[0], CPU)


def test_the_shipped_own_problem_trains() -> None:
    spec = load_spec(Path("search_spaces/own_problem.yaml"), {})
    problem = realise(prepare(spec)[0], CPU)
    assert learned(problem, cycle_epochs=15, batch_size=32) > 0.8


def photo_spec(folder: Path, **content: Any) -> Any:
    return spec_of(folder, data={"path": str(photos(folder / "photos", per_class=40)), **content}, model="mlp")


def test_images_travel_as_a_reference_and_train_on_shared_memory(tmp_path: Path) -> None:
    payload, card = prepare(photo_spec(tmp_path))
    assert (card.train_items, card.validation_items, card.test_items) == (84, 18, 18)
    stored = pickle.dumps(payload, protocol=5)
    assert payload.arrays is not None
    base = payload.arrays.train.inputs
    assert isinstance(base, Rows)
    assert len(stored) < base.base.nbytes / 4
    problem = realise(pickle.loads(stored), CPU)
    assert isinstance(problem.train, ResidentSource)
    assert isinstance(problem.test, ResidentSet)
    assert problem.train.inputs.data_ptr() == problem.test.inputs.data_ptr()  # one mapping for all three parts
    assert learned(problem, cycle_epochs=30, batch_size=12) > 0.9


def test_for_another_machine_the_values_travel(tmp_path: Path) -> None:
    here = prepare(photo_spec(tmp_path))[0]
    stored = pickle.dumps(portable(here), protocol=5)
    shutil.rmtree(cache.place())
    there = realise(pickle.loads(stored), CPU)
    assert isinstance(there.train, ResidentSource)
    assert here.arrays is not None
    assert len(stored) < 1.2 * here.arrays.train.inputs.base.nbytes  # type: ignore[union-attr]  # once, not per part
    inputs, targets = next(iter(there.test.batches()))
    np.testing.assert_array_equal(targets, here.arrays.test.targets)
    assert inputs.shape == here.arrays.test.inputs.shape


def test_shared_rows_give_the_batches_of_the_images_themselves(tmp_path: Path) -> None:
    payload = prepare(photo_spec(tmp_path, augment=["flip", "shift"]))[0]
    shared, arrays_ = realise(payload, CPU), payload.arrays
    assert arrays_ is not None
    copied = {
        name: Part(np.asarray(getattr(arrays_, name).inputs), getattr(arrays_, name).targets)
        for name in ("train", "validation", "test")
    }
    apart = realise(replace(payload, arrays=Arrays(**copied, normaliser=arrays_.normaliser)), CPU)
    for one, other in zip(islice(shared.train.stream(8, 3), 15), apart.train.stream(8, 3), strict=False):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    for one, other in zip(shared.test.batches(), apart.test.batches(), strict=True):
        assert torch.equal(one[0], other[0])


def test_a_size_that_was_derived_stands_in_the_spec_and_gives_the_same_images_elsewhere(tmp_path: Path) -> None:
    payload, card = prepare(photo_spec(tmp_path))
    assert payload.spec.data is not None
    assert payload.spec.data.args["size"] == payload_side(payload) == 20
    again, same = prepare(payload.spec)
    assert (same.fingerprint, same.split_digest) == (card.fingerprint, card.split_digest)
    assert again.spec == payload.spec


@pytest.mark.parametrize("group", [None, r"(\d+)\.png"])
def test_images_of_another_size_are_the_same_test_items(group: str | None, tmp_path: Path) -> None:
    spec = prepare(photo_spec(tmp_path))[0].spec
    spec = spec.model_copy(update={"split": spec.split.model_copy(update={"group": group})})
    assert spec.data is not None
    data = [spec.data.model_copy(update={"args": {"size": size}}) for size in (8, 12)]
    one, other = (prepare(spec.model_copy(update={"data": each}))[1] for each in data)
    assert one.fingerprint != other.fingerprint
    assert one.test_part == other.test_part


@pytest.mark.parametrize(
    ("data", "space", "augment", "searched"),
    [
        ({}, {}, ("flip", "shift"), (1, 0)),
        ({}, {"augment": 0}, ("flip", "shift"), 0),
        ({"augment": ["shift"]}, {}, ("shift",), 1),
        ({"augment": ["shift"]}, {"augment": [0, 1]}, ("shift",), (0, 1)),
        ({"augment": []}, {}, (), 1),
        ({"args": {"channels": "grey"}}, {}, (), 1),
    ],
)
def test_coloured_images_of_a_folder_are_augmented_unless_the_spec_says_otherwise(
    tmp_path: Path, data: dict[str, Any], space: dict[str, Any], augment: tuple[str, ...], searched: object
) -> None:
    photos(tmp_path / "photos")
    payload, card = prepare(spec_of(tmp_path, data={"path": "photos", **data}, space=space))
    assert payload.spec.data is not None
    assert (payload.spec.data.augment, payload.spec.space.augment) == (augment, searched)
    assert any("flipped" in note for note in card.notes) == (searched == (1, 0))
    problem = realise(payload, CPU)
    assert isinstance(problem.train, ResidentSource)
    assert problem.train.augmentations == augment
    assert (problem.plain_train is None) == (augment == ())


def test_augmentation_without_augmentations_is_refused(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    with pytest.raises(UserError, match=r"space\.augment: no augmentations are named"):
        prepare(spec_of(tmp_path, data={"path": "photos", "augment": []}, space={"augment": [0, 1]}))


def payload_side(payload: Payload) -> int:
    assert payload.arrays is not None
    return int(payload.arrays.train.inputs.shape[-1])


def test_the_card_says_how_data_were_read_and_what_is_doubtful(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", per_class=40)
    for index in range(30):
        (folder / "cat" / f"{index}.png").unlink()
    shutil.copy(folder / "ant" / "0.png", folder / "bee" / "0.png")
    card = prepare(spec_of(tmp_path, data={"path": "photos"}))[1]
    assert card.notes[0].startswith("image_folder ")
    assert any("with another label" in warning for warning in card.warnings)
    assert any("balanced_accuracy" in warning for warning in card.warnings)
    again: DataCard = decode(DataCard, json.loads(json.dumps(encode(card))))
    assert again == card


def test_a_given_validation_part_is_used_as_it_is(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("val", 100)):
        photos(tmp_path / "photos" / part, per_class=20, first=first)
    payload, card = prepare(spec_of(tmp_path, data={"path": "photos"}))
    assert (card.train_items, card.validation_items, card.test_items) == (51, 60, 9)
    assert payload.arrays is not None


def test_a_text_stays_bytes(tmp_path: Path) -> None:
    lines = [f"{'good' if row % 2 else 'bad'} story number {row},{row % 2}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    payload, card = prepare(spec_of(tmp_path, data={"path": "t.csv"}))
    assert payload.arrays is not None
    assert payload.arrays.normaliser is None
    assert payload.arrays.train.inputs.dtype == np.uint8
    assert card.input_shape == (len("good story number 59"),)
