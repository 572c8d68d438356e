"""A fault in the user's code is reported with the user's file and line, and one of ours as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.study.question import ready
from superconv_tune.training import loop

HEAD = """
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.user import Loader, Task

X = np.random.default_rng(0).standard_normal((200, 3)).astype("float32")
Y = (X.sum(1) > 0).astype(int)
CALLS = []

class Items(Dataset):
    def __init__(self, bad):
        self.bad = bad
    def __len__(self):
        return 200
    def __getitem__(self, i):
        if i == self.bad:
            raise KeyError("image")  # HERE: dataset
        return torch.from_numpy(X[i]), int(Y[i])

class Net(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.fc, self.fault = nn.Linear(3, 2), fault
    def forward(self, x):
        self.fault(self, x)  # HERE: model
        return self.fc(x)

def always(net, x): raise IndexError("no such layer")
def in_training(net, x): net.training and always(net, x)
def in_evaluation(net, x): net.training or always(net, x)
def after_some_steps(net, x):
    CALLS.append(1)
    return always(net, x) if len(CALLS) > 20 else None
def never(net, x): return None

def loss(o, t):
    return F.cross_entropy(o, t[:, None])  # HERE: loss

def metric(o, t):
    return o.argmax(7)  # HERE: metric

def made(data, workers=0, bad=None):
    return lambda size, seed: DataLoader(data, size, num_workers=workers)

def adam(params):
    return torch.optim.Adam(params, momentum=0.9)  # HERE: optimizer

GOOD = Loader(made(Items(None)), 200)

"""
OWN_METRIC = {"metric": {"name": "own", "direction": "max"}}
FAULTS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "model": ("Task((X, Y), lambda: Net(always))", {}, ("IndexError: no such layer", "HERE: always")),
    "model, in training": ("Task((X, Y), lambda: Net(in_training))", {}, ("IndexError", "HERE: always")),
    "model, in evaluation": ("Task((X, Y), lambda: Net(in_evaluation))", {}, ("in evaluation", "HERE: always")),
    "model, later": ("Task((X, Y), lambda: Net(after_some_steps))", {}, ("smoke trial", "HERE: always")),
    "loss": ("Task((X, Y), lambda: Net(never), loss=loss)", {}, ("loss failed", "HERE: loss")),
    "metric": (
        "Task((X, Y), lambda: Net(never), metric=Metric('own', 'max', 0.0, 1.0, metric))",
        OWN_METRIC,
        ("metric own failed: IndexError", "HERE: metric"),
    ),
    "optimizer": ("Task((X, Y), lambda: Net(never))", {"optimizer": {"factory": "own.py:adam"}}, ("HERE: optimizer",)),
    "dataset": ("Task(Items(7), lambda: Net(never))", {}, ("train cannot be read: KeyError", "HERE: dataset")),
    "loader": (
        "Task(Loader(made(Items(77)), 200), lambda: Net(never), GOOD, GOOD)",
        {"space": {"batch_size": 50}},
        ("KeyError", "HERE: dataset"),
    ),
    "loader's worker": (  # pytorch pull request 44820, dbolya/yolact issue 644: the message names the worker only
        "Task(GOOD, lambda: Net(never), Loader(made(Items(7), workers=1), 200), GOOD)",
        {"space": {"batch_size": 50}},
        ("KeyError: 'image'", "HERE: dataset"),
    ),
}


def said(folder: Path, made: str, spec: dict[str, Any]) -> str:
    text = f"{HEAD}def task():\n    return {made}\n"
    (folder / "own.py").write_text(text, encoding="utf-8")
    (folder / "own.yaml").write_text(yaml.safe_dump({"name": "own", "task": "own.py:task", **spec}), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ready(load_spec(folder / "own.yaml", {}))
    (message,) = caught.value.messages
    return message


def line_of(mark: str) -> int:
    lines = HEAD.splitlines()
    marked = "def always" if mark == "HERE: always" else mark
    return next(number for number, line in enumerate(lines, 1) if marked in line)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_user_s_has_its_file_and_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, spec, words = FAULTS[name]
    message = said(tmp_path, made, spec)
    for word in words:
        assert (f"own.py, line {line_of(word)})" if word.startswith("HERE") else word) in message
    assert "\n" not in message
    assert "fault of superconv_tune" not in message


@pytest.mark.parametrize("step", ["rehearsal", "smoke trial"])
def test_a_fault_of_ours_is_no_fault_of_the_user_s(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = compile("def broken(*_):\n    return {}['broken']\n", loop.__file__, "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.setattr(loop.Runtime, "batch" if step == "rehearsal" else "scaler", names["broken"])
    message = said(tmp_path, "Task((X, Y), lambda: Net(never))", {})
    assert "This is a fault of superconv_tune" in message
    assert "loop.py" in message or step == "rehearsal"
    for word in ("fix it", "fix the", "mend", "own.py"):
        assert word not in message


def test_an_installed_model_without_a_line_of_the_user_s_is_named_by_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = said(tmp_path, "Task((X, Y), lambda: nn.Sequential(nn.Linear(4, 2)))", {})
    assert message.startswith("model, given inputs of the shape [")
    assert "site-packages" not in message
