"""Small questions of every kind of data and model, as the contents of their specs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.problems.pretrained import NETWORK, saved
from tests.samples import csv_file, flowers, idx_folder, npz_file, photos

MLP = {"name": "mlp", "width": 0.2}

OWN_LABELS = """
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task
from layers import Half

def task():
    inputs = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    return Task(train=(inputs, np.where(inputs[:, 0] > 0, 1, -1)), model=lambda: nn.Sequential(Half(), nn.Linear(4, 1)))
"""
LAYERS = """
from torch import nn

class Half(nn.Module):
    def forward(self, inputs):
        return inputs / 2
"""
LOADERS = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from superconv_tune.problems.user import Loader, Task

def task():
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(inputs, (inputs.sum(1) > 0).long())
    make = lambda size, seed: DataLoader(data, size)
    part = Loader(make, 200)
    return Task(train=part, validation=part, test=part, model=lambda: nn.Linear(4, 2))
"""
PRICES = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from superconv_tune.problems.user import Loader, Task

def task():
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(inputs, 3e5 + 1e5 * inputs.sum(1, keepdim=True))
    make = lambda size, seed: DataLoader(data, size)
    part = Loader(make, 200)
    return Task(train=part, validation=part, test=part, model=lambda: nn.Linear(4, 1))
"""
MEAN_AND_VARIANCE = """
import numpy as np
from torch import nn
from torch.nn import functional as F
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.user import Task

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.spread = nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, inputs):
        return self.mean(inputs)[:, 0], F.softplus(self.spread(inputs))[:, 0]

def error(outputs, targets):
    return float((outputs[0] - targets).abs().mean())

def task():
    inputs = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    loss = lambda outputs, targets: F.gaussian_nll_loss(outputs[0], targets, outputs[1])
    metric = Metric("error", "min", 0.0, None, error)
    return Task(train=(inputs, inputs.sum(1)), model=Net, loss=loss, metric=metric)
"""
FACTORY = """
from torch import nn

def net(hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 10))
"""
TOKENS = """
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.top = nn.Embedding(20, 6), nn.Linear(6, 3)
        self.top.bias = nn.Parameter(self.top.bias.detach().double().float())

    def forward(self, tokens):
        return {"logits": self.top(self.words(tokens).mean(1))}

def task():
    rng = np.random.default_rng(0)
    classes = np.arange(300) % 3
    return Task(train=(rng.integers(0, 6, (300, 5)) + 6 * classes[:, None], classes), model=Net, select="logits")
"""


def wide(count: int = 150) -> pd.DataFrame:
    """Numbers with gaps, words, and a number to predict far from 0."""
    frame = flowers(count)
    frame["size"] = np.where(np.random.default_rng(1).random(count) < 0.1, np.nan, np.arange(count) / count)
    frame["label"] = 5000.0 + 300.0 * frame["length"] + 200.0 * (frame["colour"] == "red")
    return frame


def digits(_folder: Path) -> dict[str, Any]:
    return {"data": "digits", "model": {"name": "lenet5", "width": 0.3}}


def table(folder: Path) -> dict[str, Any]:
    return {"data": {"format": "table", "path": str(csv_file(folder))}, "model": MLP}


def numbers(folder: Path) -> dict[str, Any]:
    wide().to_csv(folder / "wide.csv", index=False)
    return {"data": {"format": "table", "path": str(folder / "wide.csv")}, "model": MLP, "metric": "r2"}


def trees(folder: Path) -> dict[str, Any]:
    return table(folder) | {"model": "trees"}


def trees_of_numbers(folder: Path) -> dict[str, Any]:
    return numbers(folder) | {"model": "trees"}


def linear(folder: Path) -> dict[str, Any]:
    return digits(folder) | {"model": "linear"}


def linear_of_numbers(folder: Path) -> dict[str, Any]:
    return numbers(folder) | {"model": "linear"}


def text(folder: Path) -> dict[str, Any]:
    words = [f"{'good fine nice' if number % 2 else 'bad ugly poor'} words {number}" for number in range(120)]
    pd.DataFrame({"text": words, "label": ["yes", "no"] * 60}).to_csv(folder / "text.csv", index=False)
    model = {"name": "text_bytes", "width": 0.2}
    return {"data": {"format": "table", "path": str(folder / "text.csv")}, "model": model}


def pictures(folder: Path) -> dict[str, Any]:
    data = {"format": "image_folder", "path": str(photos(folder / "photos")), "augment": ["flip"]}
    return {"data": data, "model": {"name": "resnet_cifar", "width": 0.3}}


def npz(folder: Path) -> dict[str, Any]:
    return {"data": {"format": "npz", "path": str(npz_file(folder))}, "model": MLP, "metric": "balanced_accuracy"}


def idx(folder: Path) -> dict[str, Any]:
    return {"data": {"format": "idx", "path": str(idx_folder(folder))}, "model": MLP}


def factory(folder: Path) -> dict[str, Any]:
    (folder / "net.py").write_text(FACTORY, encoding="utf-8")
    return {"data": "digits", "model": {"factory": "net.py:net", "args": {"hidden": 8}}}


def pretrained(folder: Path, **keys: Any) -> dict[str, Any]:
    (folder / "nets.py").write_text(NETWORK, encoding="utf-8")
    args = {"weights": str(saved(folder / "weights.pt", seed=0))}
    return {"data": "digits", "model": {"factory": "nets.py:network", "args": args, **keys}}


def frozen(folder: Path) -> dict[str, Any]:
    return pretrained(folder, freeze="backbone", head="linear", normalise="model", size=12)


def frozen_with_its_own_head(folder: Path) -> dict[str, Any]:
    return pretrained(folder, freeze="backbone")


def tuned(folder: Path) -> dict[str, Any]:
    return pretrained(folder, head="linear", layer_decay=0.5, size=12)


def own_labels(folder: Path) -> dict[str, Any]:
    (folder / "layers.py").write_text(LAYERS, encoding="utf-8")
    return task(folder, OWN_LABELS) | {"loss": "bce"}


def tokens(folder: Path) -> dict[str, Any]:
    return task(folder, TOKENS)


def mean_and_variance(folder: Path) -> dict[str, Any]:
    return task(folder, MEAN_AND_VARIANCE) | {"metric": {"name": "error", "direction": "min"}}


def task(folder: Path, code: str) -> dict[str, Any]:
    (folder / "own.py").write_text(code, encoding="utf-8")
    return {"task": {"factory": "own.py:task"}}


NETWORKS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    each.__name__: each
    for each in (
        *(digits, table, numbers, text, pictures, npz, idx, factory, own_labels, tokens),
        *(frozen, frozen_with_its_own_head, tuned),
    )
}
QUESTIONS = {**NETWORKS, **{each.__name__: each for each in (trees, trees_of_numbers, linear, linear_of_numbers)}}
