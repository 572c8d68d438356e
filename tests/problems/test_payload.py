"""From a spec to a problem that trains, built in or the user's own."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from superconv_tune.core.errors import UserError
from superconv_tune.core.trial import Hyperparameters, TrialRequest
from superconv_tune.problems.payload import Payload, prepare, realise
from superconv_tune.problems.problem import Problem
from superconv_tune.spec.load import load_spec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

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
    request = TrialRequest("t", 1, "confirm", Hyperparameters(**params), 0, "one_cycle", 0, deadline=4e9, pick_lr=0.1)
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
        ("from superconv_tune.problems.user import Task\ndef task(): return Task(train=([[1.0]], [1]))", "no model"),
        (
            "import numpy as np\nfrom superconv_tune.problems.user import Task\n"
            "def task(): return Task(train=(np.ones((3, 2)), [0, 1]), model=object)",
            "3 inputs",
        ),
    ],
)
def test_a_broken_factory_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        prepare(own(tmp_path, text))
    assert said in str(caught.value)
    assert "own.py" in str(caught.value) or "task" in str(caught.value)


def test_augmentation_needs_images(tmp_path: Path) -> None:
    data = {"format": "mnist1d", "args": {"samples": 500}, "augment": ["flip"]}
    with pytest.raises(UserError, match="images"):
        realise(prepare(spec_of(tmp_path, data=data))[0], CPU)


def test_the_shipped_own_problem_trains() -> None:
    spec = load_spec(Path("search_spaces/own_problem.yaml"), {})
    problem = realise(prepare(spec)[0], CPU)
    assert learned(problem, cycle_epochs=15, batch_size=32) > 0.8
