"""Questions that cannot be asked: each gets one clear message before anything starts, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.study.question import ready

HEAD = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.user import Loader, Task

X = np.random.default_rng(0).standard_normal((200, 3)).astype("float32")
Y = (X.sum(1) > 0).astype(int)
V = X.sum(1)

def net():
    return nn.Linear(3, 2)

class Made(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.layer, self.made = nn.Linear(3, 2), forward

    def forward(self, x):
        return self.made(self.layer(x))

class Bad(Dataset):
    def __len__(self):
        return 50

    def __getitem__(self, index):
        if index == 3:
            raise OSError("bad sector")
        return torch.zeros(3), index % 2

def batches(x, y):
    return Loader(lambda size, seed: DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), size), len(x))

GOOD = batches(X, Y)
NONE = Loader(lambda size, seed: [], 200)
SAME = lambda: nn.Linear(3, 2)

"""


@dataclass(frozen=True)
class Bad:
    """A question, and what has to be said of it.

    Attributes:
        said: words of the message.
        task: what the user's function returns, behind ``HEAD``; or a whole file, which has a line ``def task``.
        spec: keys of the spec over the ordinary ones; None takes a key out.
    """

    said: tuple[str, ...]
    task: str = "Task((X, Y), net)"
    spec: dict[str, Any] = field(default_factory=dict)


OWN = {"task": None, "data": "digits"}  # the built-in data, with a factory for something else
ERROR = {"metric": {"name": "error", "direction": "min"}}
SHARE = {"metric": {"name": "share", "direction": "max", "item_level": True}}


def own_share(correct: str) -> str:
    """A task with a metric of its own, which says by this function which items are right."""
    value = "lambda o, t: float((o.argmax(1) == t).double().mean())"
    return f"Task((X, Y), net, metric=Metric('share', 'max', 0.0, 1.0, {value}, {correct}))"


CASES: dict[str, Bad] = {
    # the spec
    "unknown key": Bad(("modell", "Did you mean 'model'"), spec={"modell": "mlp"}),
    "unknown key inside": Bad(("space.momentum",), spec={"space": {"momentum": 0.9}}),
    "inverted range": Bad(("inverted",), spec={"space": {"weight_decay": {"low": 1e-2, "high": 1e-4}}}),
    "target in percent": Bad(("Did you mean 0.94",), spec={"target": 94}),
    "target below zero": Bad(("between 0 and 1",), spec={"target": -0.1}),
    "r2 above one": Bad(("between -inf and 1",), "Task((X, V))", {"metric": "r2", "target": 1.2}),
    "negative rmse": Bad(("between 0 and inf",), "Task((X, V))", {"metric": "rmse", "target": -1}),
    "target in words": Bad(("must be a number", "high"), spec={"target": "high"}),
    "unknown metric": Bad(("auroc",), spec={"metric": "aurok"}),
    "wrong direction": Bad(("auroc is built in",), spec={"metric": {"name": "auroc", "direction": "min"}}),
    "unknown loss": Bad(("cross_entropy",), spec={"loss": "crossentropy"}),
    "loss of numbers": Bad(("huber does not go with the metric accuracy",), spec={"loss": "huber"}),
    "loss of classes": Bad(("bce does not go",), "Task((X, V))", {"metric": "mae", "loss": "bce"}),
    "unknown model": Bad(("text_bytes", "Did you mean 'lenet5'"), "Task((X, Y))", {"model": "lenet"}),
    "no budget": Bad(("is too short",), spec={"budget": 3}),
    "neither data nor task": Bad(("neither data nor task",), spec={"task": None}),
    # metric and targets
    "classes for rmse": Bad(("rmse does not fit targets that are 2 classes",), spec={"metric": "rmse"}),
    "float labels": Bad(("accuracy does not fit targets that are numbers", "whole numbers"), "Task((X, V))"),
    "float classes": Bad(("whole numbers",), "Task((X, Y.astype('float32')), net)"),
    "top five of two": Bad(("top5_accuracy of 2 classes",), spec={"metric": "top5_accuracy"}),
    "metric not brought": Bad(("brings none",), spec=ERROR),
    "metric that raises": Bad(
        ("metric error failed: KeyError", "own.py, line"),
        "Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, lambda outputs, targets: {}['a']))",
        ERROR,
    ),
    "metric of every item": Bad(
        ("metric error: did not return a number", "Return a float"),
        "Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, lambda o, t: (o.argmax(1) != t).float()))",
        ERROR,
    ),
    "metric that is NaN": Bad(
        ("error of the validation part is not finite", "nan"),
        "Task((X, Y), net, metric=Metric('error', 'min', 0.0, 1.0, lambda outputs, targets: float('nan')))",
        ERROR,
    ),
    "correct that raises": Bad(
        ("metric share: its `correct` failed: KeyError", "own.py, line"), own_share("lambda o, t: {}['a']"), SHARE
    ),
    "correct that compares each with each": Bad(
        ("its `correct` returned the shape [30, 30] for 30 items",),
        own_share("lambda o, t: o.argmax(1)[:, None] == t"),
        SHARE,
    ),
    "correct that is no boolean": Bad(
        ("its `correct` returned torch.float32",), own_share("lambda o, t: (o.argmax(1) == t).float()"), SHARE
    ),
    "correct that is no tensor": Bad(
        ("its `correct` returned a ndarray",), own_share("lambda o, t: (o.argmax(1) == t).numpy()"), SHARE
    ),
    "correct whose mean is another metric": Bad(
        ("its `correct` has the mean 0,", "leave `correct` out"), own_share("lambda o, t: t < 0"), SHARE
    ),
    "metric that is a function": Bad(("metric is a function",), "Task((X, Y), net, metric=lambda a, b: 0.0)"),
    "auroc without one class": Bad(
        ("auroc has no value",), "Task((X, Y), net, validation=(X[:30], 0 * Y[:30]))", {"metric": "auroc"}
    ),
    "r2 of a constant": Bad(("r2 has no value",), "Task((X, V), validation=(X, 0 * V))", {"metric": "r2"}),
    "smoothed numbers": Bad(
        ("huber has no labels",), "Task((X, V))", {"metric": "r2", "loss": "huber", "space": {"label_smoothing": 0.1}}
    ),
    "two losses": Bad(
        ("loss: the spec names one",), "Task((X, Y), net, loss=nn.CrossEntropyLoss())", {"loss": "cross_entropy"}
    ),
    "balanced loaders": Bad(("how frequent",), "Task(GOOD, net, GOOD, GOOD)", {"loss": "balanced_cross_entropy"}),
    # the factory
    "syntax error": Bad(("SyntaxError", "own.py, line 1"), "def task(:\n"),
    "a module that is missing": Bad(("nothing_like_this", "pip install"), "import nothing_like_this\ndef task(): 0\n"),
    "no such function": Bad(("has no function 'task'", "tusk"), "def tusk(): pass  # and no def task\n"),
    "a file that is missing": Bad(("no file", "other.py", "own.py"), spec={"task": "other.py:task"}),
    "it raises": Bad(("RuntimeError: no disk", "own.py, line 2"), "def task():\n    raise RuntimeError('no disk')\n"),
    "it ends the program": Bad(("SystemExit", "line 2"), "def task():\n    raise SystemExit(0)\n"),
    "it returns nothing": Bad(("returned None", "Return a Task"), "def task(): pass\n"),
    "it needs an argument": Bad(("'points'", "no arguments", "args"), "def task(points): pass\n"),
    "it gets an argument too many": Bad(
        ("'points'", "called with points"),
        "def task(): pass\n",
        {"task": {"factory": "own.py:task", "args": {"points": 1}}},
    ),
    "a module that is not installed": Bad(
        ("no_timm", "pip install no_timm"), spec={**OWN, "model": {"factory": "no_timm:create_model"}}
    ),
    "a factory that knows no such model": Bad(
        ("resnet1999",),
        "def net(name): raise RuntimeError(f'Unknown model ({name})')\ndef task(): 0\n",
        {**OWN, "model": {"factory": "own.py:net", "args": {"name": "resnet1999"}}},
    ),
    # the data
    "one class": Bad(("all targets of train are the same",), "Task((X, 0 * Y), net)"),
    "NaN": Bad(("inputs of train", "NaN or infinite"), "Task((X / 0, Y), net)"),
    "NaN in validation": Bad(("inputs of validation",), "Task((X, Y), net, validation=(X / 0, Y))"),
    "three samples": Bad(("3 items", "20"), "Task((X[:3], Y[:3]), net)"),
    "no samples": Bad(("train is empty",), "Task((X[:0], V[:0]), net)", {"metric": "r2"}),
    "inputs without targets": Bad(("200 inputs, but 100 targets",), "Task((X, Y[:100]), net)"),
    "parts that differ": Bad(("test has the shape (2,), but of train (3,)",), "Task((X, Y), net, test=(X[:, :2], Y))"),
    "an unknown class": Bad(("classes [7]",), "Task((X, Y), net, test=(X, Y + 7 * (Y > 0) - Y))"),
    "words for numbers": Bad(("cannot be made into arrays",), "Task((X, np.array(['a', 'b'] * 100)), net)"),
    "a list for a part": Bad(("train is a list", "pair"), "Task([X, Y], net)"),
    "a Dataset that raises": Bad(("OSError: bad sector",), "Task(Bad(), net)"),
    "an empty Loader": Bad(("loader of train is empty", "200"), "Task(NONE, net, GOOD, GOOD)"),
    "a Loader among pairs": Bad(("Loaders cannot be split",), "Task(GOOD, net)"),
    "a Loader without a number": Bad(
        ("examples of the loader of test", "None"),
        "Task(GOOD, net, GOOD, Loader(GOOD.make, None))",
    ),
    "a Loader that promises too much": Bad(
        ("validation part", "gave 200 items, but 300"), "Task(GOOD, net, Loader(GOOD.make, 300), GOOD)"
    ),
    "a short training Loader": Bad(
        ("were announced",), "Task(Loader(GOOD.make, 9000), net, GOOD, GOOD)", {"space": {"batch_size": 200}}
    ),
    "classes that the outputs lack": Bad(
        ("targets go up to 5", "count from 0"), "Task(batches(X, Y * 5), net, GOOD, GOOD)"
    ),
    # the model
    "too few outputs": Bad(
        ("gives [64, 2], but there are 3 classes",), "Task((X, Y + (X[:, 0] > 1)), net)", {"space": {"batch_size": 64}}
    ),
    "too few outputs for digits": Bad(
        ("there are 10 classes",),
        "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 9))\ndef task(): 0\n",
        {**OWN, "model": {"factory": "own.py:net"}},
    ),
    "too many numbers": Bad(("there are 1 numbers",), "Task((X, V), net)", {"metric": "rmse"}),
    "one logit for a softmax": Bad(
        ("cross_entropy needs an output per class", "bce"), "Task((X, Y), lambda: nn.Linear(3, 1))"
    ),
    "another input shape": Bad(
        ("model, given inputs of the shape [64, 3]", "cannot be multiplied"),
        "Task((X, Y), lambda: nn.Linear(4, 2))",
        {"space": {"batch_size": 64}},
    ),
    "no parameters": Bad(("Identity has no parameter to train",), "Task((X, Y), nn.Identity)"),
    "frozen": Bad(("no parameter to train",), "Task((X, Y), lambda: net().requires_grad_(False))"),
    "no model made": Bad(("returned None", "nn.Module"), "Task((X, Y), lambda: None)"),
    "a model that was made": Bad(("model is a Linear", "fresh"), "Task((X, Y), net())"),
    "one model for all trials": Bad(
        ("gives the same weights each time (Linear)", "copy.deepcopy"), "Task((X, Y), lambda net=net(): net)"
    ),
    "a fresh layer around shared weights": Bad(
        ("gives the same weights",), "Task((X, Y), lambda inner=net(): nn.Sequential(inner, nn.Linear(2, 2)))"
    ),
    "layers without a size": Bad(
        ("model: LazyLinear gets its size from the first batch",),
        "Task((X, Y), lambda: nn.Sequential(nn.LazyLinear(2)))",
    ),
    "two models": Bad(("model: the spec names one",), spec={"model": "mlp"}),
    "a model that raises": Bad(("ZeroDivisionError",), "Task((X, Y), lambda: 1 / 0)"),
    "NaN at once": Bad(
        ("128 of 128 outputs are NaN",),
        "Task((X, Y), lambda: Made(lambda y: y / 0 - y / 0))",
        {"space": {"batch_size": 64}},
    ),
    "a tuple of outputs": Bad(("gives a tuple",), "Task((X, Y), lambda: Made(lambda y: (y, y)))"),
    "one row for the batch": Bad(("first axis",), "Task((X, Y), lambda: Made(lambda y: y.mean(0)))"),
    "cut off from its weights": Bad(("no gradient",), "Task((X, Y), lambda: Made(lambda y: y.detach()))"),
    "a shape that no signal has": Bad(("cnn1d takes signals", "Take mlp"), "Task((X, Y))", {"model": "cnn1d"}),
    "numbers for a model of bytes": Bad(("text_bytes reads bytes",), "Task((X, Y))", {"model": "text_bytes"}),
    "an option that no mlp has": Bad(
        ("no option 'layers'",), "Task((X, Y))", {"model": {"name": "mlp", "args": {"layers": 3}}}
    ),
    # loss and optimizer
    "a loss that is NaN": Bad(("loss: is nan",), "Task((X, Y), net, loss=lambda o, t: o.mean() / 0 - o.mean() / 0)"),
    "a loss per item": Bad(
        ("loss: returned the shape [64]",),
        "Task((X, Y), net, loss=nn.CrossEntropyLoss(reduction='none'))",
        {"space": {"batch_size": 64}},
    ),
    "a loss that is a float": Bad(("returned a float",), "Task((X, Y), net, loss=lambda o, t: 1.0)"),
    "a loss without a gradient": Bad(("no gradient",), "Task((X, Y), net, loss=lambda o, t: o.detach().mean())"),
    "a loss that raises": Bad(("loss failed: KeyError",), "Task((X, Y), net, loss=lambda o, t: {}['a'])"),
    "a loss that is a number": Bad(("loss is a float",), "Task((X, Y), net, loss=0.5)"),
    "a gradient that is NaN": Bad(
        ("gradient is NaN",), "Task((X, Y), net, loss=lambda o, t: (o * 0).abs().sqrt().sum())"
    ),
    "no optimizer made": Bad(
        ("optimizer.factory: returned None",),
        "def adam(params): pass\ndef task(): 0\n",
        {**OWN, "optimizer": {"name": "factory", "factory": "own.py:adam"}},
    ),
    "an optimizer that needs more": Bad(
        ("'lr'", "args"),
        "def adam(params, lr): pass\ndef task(): 0\n",
        {**OWN, "optimizer": {"name": "factory", "factory": "own.py:adam"}},
    ),
    "augmented numbers": Bad(
        ("flip are for images",),
        spec={**OWN, "data": {"format": "mnist1d", "args": {"samples": 100}, "augment": ["flip"]}},
    ),
}


def written(case: Bad, folder: Path) -> Path:
    """The spec and the user's file of a case."""
    text = case.task if "def task" in case.task else f"{HEAD}def task():\n    return {case.task}\n"
    (folder / "own.py").write_text(text, encoding="utf-8")
    content = {"name": "bad", "task": "own.py:task", "budget": "1m", **case.spec}
    path = folder / "bad.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


@pytest.mark.filterwarnings("ignore:.* encountered in divide")
@pytest.mark.parametrize("name", CASES)
def test_it_is_reported_in_one_message_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    path = written(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        ready(load_spec(path, {}))
    (message,) = caught.value.messages
    for words in case.said:
        assert words in message
    assert "\n" not in message
    assert message.endswith((".", "?"))
    assert set(tmp_path.rglob("*")) == before


def test_the_corpus_is_not_wrong_about_the_rest(tmp_path: Path) -> None:
    """Each case differs from this one, which is fine."""
    assert ready(load_spec(written(Bad(()), tmp_path), {})).model.parameters == 8
