"""Questions that train in plain PyTorch and hurt people in other tools: each is ready, and learns.

Every case names where its kind was reported. What is tried is the whole way: the user's file, the rehearsal, the smoke
trials, and one short cycle.
"""

from __future__ import annotations

import math
import pickle
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import realise
from superconv_tune.problems.survey import survey
from superconv_tune.problems.targets import AsGiven, Scaled
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.spec.load import load_spec
from superconv_tune.study.question import Question, ready
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

CPU = torch.device("cpu")
HEAD = '''
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from superconv_tune.problems.problem import Metric
from superconv_tune.problems.user import Loader, Task

RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 4)).astype("float32")
V = X @ np.array([1.0, -2.0, 0.5, 1.0], "float32")
Y = (V > 0).astype(int)
IMAGES = RNG.standard_normal((600, 1, 12, 12)).astype("float32")
IMAGES[np.arange(600), 0, 5 * Y + 1] += 2


def loaders(x, y, sizes=(400, 100, 100)):
    """A Loader for each part of tensors, or of dicts or tuples of them."""
    parts, start = [], 0
    for size in sizes:
        rows = range(start, start + size)
        def made(batch, seed, rows=rows, shuffles=start == 0):
            order = np.random.default_rng(seed).permutation(rows) if shuffles else np.array(rows)
            for at in range(0, len(order), batch):
                chosen = order[at : at + batch]
                if not shuffles or len(chosen) == batch:
                    yield pick(x, chosen), pick(y, chosen)
        parts.append(Loader(made, size))
        start += size
    return parts


def pick(values, rows):
    if isinstance(values, dict):
        return {key: pick(value, rows) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple(pick(value, rows) for value in values)
    return torch.as_tensor(values)[rows]


def task_of(x, y, model, **rest):
    train, validation, test = loaders(x, y)
    return Task(train, model, validation, test, **rest)

'''
SHARE = {"name": "share", "direction": "max"}
R2 = {"metric": "r2"}


@dataclass(frozen=True)
class Own:
    """A question.

    Attributes:
        text: the user's file, behind ``HEAD``.
        least: value of the metric that a short cycle reaches; at most this, where lower is better.
        spec: keys of the spec.
        max_lr: peak of the cycle.
    """

    text: str
    least: float
    spec: dict[str, Any] = field(default_factory=dict)
    max_lr: float = 0.05


CASES: dict[str, Own] = {
    # What the user's own code gets
    "a column of numbers and a loss of one's own": Own(  # pytorch issue 19699, pull request 18349
        "def task(): return Task((X, V[:, None]), lambda: nn.Linear(4, 1), loss=F.mse_loss)", 0.95, R2
    ),
    "a column of numbers from a Dataset": Own(  # FARM issue 229
        "def task():\n"
        "    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(V[:, None]))\n"
        "    return Task(data, lambda: nn.Linear(4, 1), loss=F.smooth_l1_loss)\n",
        0.95,
        R2,
    ),
    "a column of numbers from loaders": Own(
        "def task(): return task_of(X, V[:, None], lambda: nn.Linear(4, 1), loss=F.mse_loss)", 0.95, R2
    ),
    "a column of classes": Own(
        "def task():\n"
        "    loss = lambda o, t: F.binary_cross_entropy_with_logits(o, t.float())\n"
        "    return Task((X, Y[:, None]), lambda: nn.Linear(4, 1), loss=loss)\n",
        0.95,
    ),
    "a column of classes and built-in loss and metric": Own(
        "def task(): return Task((X, Y[:, None]), lambda: nn.Linear(4, 2))", 0.95
    ),
    "a column of classes from loaders": Own("def task(): return task_of(X, Y[:, None], lambda: nn.Linear(4, 2))", 0.95),
    "labels of a hinge loss": Own(  # labels -1 and 1; nrsyed/svm-vehicle-detector issue 3
        "def task():\n"
        "    loss = lambda o, t: F.relu(1 - o[:, 0] * t).mean() if set(t.tolist()) <= {-1, 1} else 1 / 0\n"
        "    return Task((X, 2 * Y - 1), lambda: nn.Linear(4, 1), loss=loss)\n",
        0.95,
    ),
    "labels that are no class numbers": Own("def task(): return Task((X, 10 * Y + 7), lambda: nn.Linear(4, 2))", 0.95),
    "booleans that a loss picks items by": Own(
        "def task():\n"
        "    loss = lambda o, t: (F.softplus(-o[t]).sum() + F.softplus(o[~t]).sum()) / len(o)\n"
        "    return Task((X, Y == 1), lambda: nn.Linear(4, 1), loss=loss)\n",
        0.95,
    ),
    "a view after a convolution": Own(  # pytorch/tutorials pull request 1505: the network of PyTorch's own tutorial
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(8 * 5 * 5, 2)\n"
        "    def forward(self, x):\n"
        "        x = F.relu(F.max_pool2d(self.conv(x), 2))\n"
        "        return self.fc(x.view(x.size(0), -1))\n"
        "def task(): return Task((IMAGES, Y), Net)\n",
        0.9,
    ),
    "a view of a gradient's memory only": Own(  # fails in the backward pass, not in the forward one
        "class Viewed(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x):\n"
        "        ctx.shape = x.shape\n"
        "        return x * 1.0\n"
        "    @staticmethod\n"
        "    def backward(ctx, grad):\n"
        "        return grad.view(-1).view(ctx.shape)\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 2, 10)\n"
        "    def forward(self, x):\n"
        "        return self.fc(Viewed.apply(self.conv(x)).relu()).flatten(1)\n"
        "def task(): return Task((IMAGES, Y), Net)\n",
        0.9,
    ),
    "memory read in its own order": Own(  # no error in another memory format, but other outputs
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(800, 2)\n"
        "    def forward(self, x):\n"
        "        x = self.conv(x).relu()\n"
        "        return self.fc(torch.as_strided(x, (len(x), 800), (800, 1)))\n"
        "def task(): return Task((IMAGES, Y), Net)\n",
        0.9,
    ),
    "gradients in forward": Own(  # Lightning issues 4487 and 10287, torchmd-net issue 211
        "class Force(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.energy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))\n"
        "    def forward(self, x):\n"
        "        with torch.enable_grad():\n"
        "            x = x.detach().clone().requires_grad_(True)\n"
        "            return -torch.autograd.grad(self.energy(x).sum(), x, create_graph=self.training)[0]\n"
        "def task(): return Task((X, -X), Force)\n",
        0.5,
        R2,
    ),
    "gradients in forward that nobody enabled": Own(  # Lightning issue 4487: as it was first reported
        "class Force(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.energy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))\n"
        "    def forward(self, x):\n"
        "        x = x.detach().requires_grad_(True)\n"
        "        return -torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0]\n"
        "def task(): return Task((X, -X), Force)\n",
        0.5,
        R2,
    ),
    "a cache that is filled in evaluation and used in training": Own(  # flash-attention pull request 299
        "class Rotary(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc, self.cache = nn.Linear(4, 2), None\n"
        "    def forward(self, x):\n"
        "        if not self.training or self.cache is None:\n"
        "            self.cache = torch.ones(4)\n"
        "        return self.fc(x * self.cache)\n"
        "def task(): return Task((X, Y), Rotary)\n",
        0.95,
    ),
    "words that an embedding reads": Own(  # pytorch issue 116598
        "def task():\n"
        "    words = RNG.integers(0, 20, (600, 6))\n"
        "    net = lambda: nn.Sequential(nn.Embedding(20, 8), nn.Flatten(), nn.Linear(48, 2))\n"
        "    return Task((words, (words < 5).any(1)), net)\n",
        0.8,
        max_lr=0.3,
    ),
    "bytes that the model scales itself": Own(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(144, 2)\n"
        "    def forward(self, x):\n"
        "        assert x.dtype == torch.uint8\n"
        "        return self.fc((x.float() / 255 - 0.5).flatten(1))\n"
        "def task():\n"
        "    return Task(((40 * IMAGES + 128).clip(0, 255).astype('uint8'), Y), Net)\n",
        0.9,
    ),
    "bytes that the model takes as numbers": Own(
        "def task():\n"
        "    images = (40 * IMAGES + 128).clip(0, 255).astype('uint8')\n"
        "    return Task((images, Y), lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 2)))\n",
        0.9,
    ),
    "counts that a linear layer reads": Own(
        "def task():\n"
        "    counts = RNG.integers(0, 9, (600, 4))\n"
        "    return Task((counts, counts[:, 0] > counts[:, 1]), lambda: nn.Linear(4, 2))\n",
        0.9,
    ),
    "a model in double precision": Own(  # pytorch's most asked one: "expected scalar type Double but found Float"
        "def task(): return Task((X.astype(float), V[:, None]), lambda: nn.Linear(4, 1).double(), loss=F.mse_loss)",
        0.95,
        R2,
    ),
    "a model that has no bf16": Own(  # torch has no Fourier transform of it
        "class Fourier(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc, self.head = nn.Linear(4, 4), nn.Linear(3, 2)\n"
        "    def forward(self, x):\n"
        "        return self.head(torch.fft.rfft(self.fc(x)).abs())\n"
        "def task(): return Task((X, Y), Fourier)\n",
        0.6,
    ),
    "inputs that the model changes in place": Own(  # a DataLoader's batch is a copy, so that this is harmless
        "class Centred(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n"
        "        return self.fc(x.mul_(0.5).add_(0.1))\n"
        "def task(): return Task((X, Y), Centred)\n",
        0.95,
    ),
    "random transforms": Own(
        "class Flipped(Dataset):\n"
        "    def __len__(self):\n"
        "        return 600\n"
        "    def __getitem__(self, i):\n"
        "        x = torch.from_numpy(IMAGES[i])\n"
        "        return x.flip(-1) if torch.rand(()) < 0.5 else x, int(Y[i])\n"
        "def task(): return Task(Flipped(), lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 2)))\n",
        0.9,
    ),
    "random transforms of bytes, with labels of one's own": Own(
        "class Flipped(Dataset):\n"
        "    def __len__(self):\n"
        "        return 600\n"
        "    def __getitem__(self, i):\n"
        "        x = torch.from_numpy((40 * IMAGES[i] + 128).clip(0, 255).astype('uint8'))\n"
        "        return x.flip(-1) if torch.rand(()) < 0.5 else x, int(2 * Y[i] - 1)\n"
        "def task():\n"
        "    loss = lambda o, t: F.softplus(-o[:, 0] * t).mean()\n"
        "    return Task(Flipped(), lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 1)), loss=loss)\n",
        0.9,
    ),
    # Numbers at any scale
    **{
        f"targets of scale {scale:g} and offset {offset:g}": Own(  # scikit-learn pull request 9041, river issue 334
            f"def task(): return Task((X, {scale} * (V.astype(float) + {offset})){model})", 0.9, R2
        )
        for scale, offset, model in (
            (1e-6, 0, ""),
            (1e5, 3, ""),
            (1e9, 0, ""),
            (1.0, 1e7, ""),
            (1e-6, 1e4, ""),
            (1e5, 3, ", lambda: nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))"),
            (1e-6, 0, ", lambda: nn.Linear(4, 1)"),
            (1.0, 1e7, ", lambda: nn.Linear(4, 1)"),
        )
    },
    "prices, and a network that gives none below zero": Own(
        "def task():\n"
        "    net = lambda: nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.Softplus())\n"
        "    return Task((X, 1e5 * np.exp(V / 4)), net)\n",
        0.8,
        R2,
    ),
    "prices, and a network that begins at their mean": Own(  # its bias is the mean, as is often advised
        "def net():\n"
        "    layer = nn.Linear(4, 1)\n"
        "    nn.init.constant_(layer.bias, 3e5)\n"
        "    return layer\n"
        "def task(): return Task((X, 3e5 + 1e3 * V), net)\n",
        0.9,
        R2,
    ),
    "prices, and a mean squared error of one's own": Own(  # the smoke trial must not call it diverged
        "def task():\n"
        "    net = lambda: nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1))\n"
        "    return Task((X, 1e6 * V[:, None]), net, loss=F.mse_loss)\n",
        -math.inf,
        R2,
        max_lr=1e-12,
    ),
    "prices from loaders": Own(
        "def task():\n"
        "    net = lambda: nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))\n"
        "    return task_of(X, 1e5 * V + 3e5, net)\n",
        0.9,
        {"metric": "r2", "loss": "mse"},
    ),
    "outputs that a sigmoid bounds": Own(  # ordinary numbers are left to the user's model
        "def task():\n"
        "    net = lambda: nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.Sigmoid())\n"
        "    return Task((X, 1 / (1 + np.exp(-V))), net)\n",
        0.5,
        R2,
        max_lr=1.0,
    ),
    # Not one label per item
    "a class per pixel, from loaders": Own(
        "def share(o, t): return float((o.argmax(1) == t).float().mean())\n"
        "def task():\n"
        "    masks = (IMAGES[:, 0] > 0).astype(int)\n"
        "    net = lambda: nn.Conv2d(1, 2, 3, padding=1)\n"
        "    own = Metric('share', 'max', 0.0, 1.0, share)\n"
        "    return task_of(IMAGES, masks, net, metric=own, loss=F.cross_entropy)\n",
        0.9,
        {"metric": SHARE},
    ),
    "a class per pixel, as arrays, with pixels that are ignored": Own(  # torchmetrics issue 2747, mmsegmentation 1209
        "def share(o, t): return float((o.argmax(1) == t)[t != 255].float().mean())\n"
        "def task():\n"
        "    masks = np.where(RNG.random((600, 12, 12)) < 0.1, 255, (IMAGES[:, 0] > 0).astype(int))\n"
        "    return Task((IMAGES, masks), lambda: nn.Conv2d(1, 2, 3, padding=1),\n"
        "                metric=Metric('share', 'max', 0.0, 1.0, share), loss=nn.CrossEntropyLoss(ignore_index=255))\n",
        0.9,
        {"metric": SHARE},
    ),
    "a class per pixel and the built-in loss": Own(
        "def share(o, t): return float((o.argmax(1) == t).float().mean())\n"
        "def task():\n"
        "    return Task((IMAGES, (IMAGES[:, 0] > 0).astype(int)), lambda: nn.Conv2d(1, 2, 3, padding=1),\n"
        "                metric=Metric('share', 'max', 0.0, 1.0, share))\n",
        0.9,
        {"metric": SHARE, "loss": "cross_entropy"},
    ),
    "items without a label": Own(  # torchmetrics issue 304
        "def share(o, t): return float((o.argmax(1) == t)[t != -100].float().mean())\n"
        "def task():\n"
        "    labels = np.where(RNG.random(600) < 0.3, -100, Y)\n"
        "    return Task((X, labels), lambda: nn.Linear(4, 2), metric=Metric('share', 'max', 0.0, 1.0, share),\n"
        "                loss=F.cross_entropy)\n",
        0.95,
        {"metric": SHARE},
    ),
    "several labels": Own(  # skorch issue 130
        "def share(o, t): return float(((o > 0) == (t > 0)).float().mean())\n"
        "def task():\n"
        "    return Task((X, (X > 0).astype(int)), lambda: nn.Linear(4, 4),\n"
        "                metric=Metric('share', 'max', 0.0, 1.0, share),\n"
        "                loss=lambda o, t: F.multilabel_soft_margin_loss(o, t.float()))\n",
        0.9,
        {"metric": SHARE},
    ),
    "several labels and the built-in loss": Own(
        "def share(o, t): return float(((o > 0) == (t > 0)).float().mean())\n"
        "def task():\n"
        "    return Task((X, X > 0), lambda: nn.Linear(4, 4), metric=Metric('share', 'max', 0.0, 1.0, share))\n",
        0.9,
        {"metric": SHARE, "loss": "bce"},
    ),
    "several outputs while training": Own(  # an auxiliary head, as in GoogLeNet
        "class Aux(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body, self.head, self.aux = nn.Linear(4, 32), nn.Linear(32, 2), nn.Linear(32, 2)\n"
        "    def forward(self, x):\n"
        "        h = self.body(x).relu()\n"
        "        return (self.head(h), self.aux(h)) if self.training else self.head(h)\n"
        "def both(o, t):\n"
        "    head, *aux = o if isinstance(o, tuple) else (o,)\n"
        "    return F.cross_entropy(head, t) + 0.3 * sum(F.cross_entropy(each, t) for each in aux)\n"
        "def task(): return Task((X, Y), Aux, loss=both)\n",
        0.95,
    ),
    "the logits of a model output": Own(  # Hugging Face's models give ModelOutput(loss, logits)
        "class Named(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n"
        "        return SimpleNamespace(loss=None, logits=self.fc(x))\n"
        "def task(): return Task((X, Y), Named, select='logits')\n",
        0.95,
    ),
    "a dict of outputs, read by loss and metric": Own(
        "class Two(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc, self.size = nn.Linear(4, 2), nn.Linear(4, 1)\n"
        "    def forward(self, x):\n"
        "        return OrderedDict(out=self.fc(x), size=self.size(x))\n"
        "def share(o, t): return float((o['out'].argmax(1) == t).float().mean())\n"
        "def task():\n"
        "    return Task((X, Y), Two, metric=Metric('share', 'max', 0.0, 1.0, share),\n"
        "                loss=lambda o, t: F.cross_entropy(o['out'], t) + F.mse_loss(o['size'][:, 0], t.float()))\n",
        0.95,
        {"metric": SHARE},
    ),
    "inputs in a dict and two targets": Own(
        "class Two(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc, self.size = nn.Linear(4, 2), nn.Linear(4, 1)\n"
        "    def forward(self, batch):\n"
        "        x = batch['x'] * batch['mask']\n"
        "        return self.fc(x), self.size(x)[:, 0]\n"
        "def share(o, t): return float((o[0].argmax(1) == t[0]).float().mean())\n"
        "def task():\n"
        "    return task_of({'x': X, 'mask': np.ones_like(X)}, (Y, V), Two,\n"
        "                   metric=Metric('share', 'max', 0.0, 1.0, share),\n"
        "                   loss=lambda o, t: F.cross_entropy(o[0], t[0]) + F.mse_loss(o[1], t[1]))\n",
        0.95,
        {"metric": SHARE},
    ),
    "sentences of other lengths in every batch": Own(  # transformers pull request 8336
        "def made(rows, shuffles):\n"
        "    def batches(size, seed):\n"
        "        order = np.random.default_rng(seed).permutation(rows) if shuffles else np.array(rows)\n"
        "        for at in range(0, len(order) - (size - 1) * shuffles, min(size, 50)):\n"
        "            length = 3 + at // min(size, 50) % 4\n"
        "            x = torch.from_numpy(IMAGES[order[at : at + min(size, 50)], 0, :length])\n"
        "            yield x, (x[:, :, 0] > 0).long()\n"
        "    return Loader(batches, len(rows))\n"
        "def share(o, t): return float((o.argmax(-1) == t)[t != -100].float().mean())\n"
        "def task():\n"
        "    return Task(made(range(400), True), lambda: nn.Linear(12, 2), made(range(400, 500), False),\n"
        "                made(range(500, 600), False), metric=Metric('share', 'max', 0.0, 1.0, share),\n"
        "                loss=lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()))\n",
        0.9,
        {"metric": SHARE},
    ),
    "graphs in a batch": Own(  # PyTorch Geometric's: rows are nodes, and a graph is the sum of its own
        "def graphs(size, shuffles):\n"
        "    sizes = RNG.integers(2, 6, size)\n"
        "    nodes = [torch.from_numpy(RNG.standard_normal((each, 4)).astype('float32')) for each in sizes]\n"
        "    labels = torch.tensor([int(each[:, 0].sum() > 0) for each in nodes])\n"
        "    def batches(batch, seed):\n"
        "        order = np.random.default_rng(seed).permutation(size) if shuffles else np.arange(size)\n"
        "        for at in range(0, size - (batch - 1) * shuffles, batch):\n"
        "            rows = order[at : at + batch]\n"
        "            of = torch.cat([torch.full((len(nodes[row]),), place) for place, row in enumerate(rows)])\n"
        "            x = {'nodes': torch.cat([nodes[row] for row in rows]), 'of': of, 'all': torch.tensor(len(rows))}\n"
        "            yield x, labels[torch.from_numpy(rows)]\n"
        "    return Loader(batches, size)\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(4, 2)\n"
        "    def forward(self, batch):\n"
        "        pooled = torch.zeros(int(batch['all']), 4).index_add(0, batch['of'], batch['nodes'])\n"
        "        return self.fc(pooled)\n"
        "def task(): return Task(graphs(400, True), Net, graphs(100, False), graphs(100, False))\n",
        0.9,
    ),
    "a frozen part that all models share": Own(
        "BODY = nn.Linear(4, 16).requires_grad_(False)\n"
        "def task(): return Task((X, Y), lambda: nn.Sequential(BODY, nn.ReLU(), nn.Linear(16, 2)))\n",
        0.9,
    ),
    "images to images": Own(
        "def task(): return Task((IMAGES, 2 * IMAGES), lambda: nn.Conv2d(1, 1, 3, padding=1), loss=F.mse_loss)",
        0.8,
        {"metric": "rmse"},
    ),
    "a metric without bounds and a loss of one's own": Own(
        "def task():\n"
        "    return Task((X, V[:, None]), lambda: nn.Linear(4, 1), loss=F.mse_loss,\n"
        "                metric=Metric('worst', 'min', None, None, lambda o, t: float((o - t).abs().max())))\n",
        0.5,
        {"metric": {"name": "worst", "direction": "min"}},
    ),
}


def asked(case: Own, folder: Path) -> Question:
    (folder / "own.py").write_text(HEAD + textwrap.dedent(case.text), encoding="utf-8")
    content = {"name": "own", "task": "own.py:task", "budget": "1m", "space": {"batch_size": 40}, **case.spec}
    (folder / "own.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return ready(load_spec(folder / "own.yaml", {}))


def cycle(question: Question, case: Own) -> float:
    """The test value after a short cycle of a worker, which has the pickled question only."""
    request = TrialRequest(
        "t",
        1,
        Confirm(1),
        Cycle(case.max_lr, reads_test=True),
        params=Hyperparameters(cycle_epochs=15, batch_size=20),
        schedule=Schedule(),
        seed=0,
        deadline=4e9,
    )
    problem = realise(pickle.loads(pickle.dumps(question.payload)), CPU)
    outcome = run(request, problem, NullTracker(), lambda: 0.0)
    assert outcome.status == "finished", outcome.reason
    assert outcome.test is not None
    return outcome.test


@pytest.mark.parametrize("name", CASES)
def test_it_is_ready_and_learns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    question = asked(case, tmp_path)
    value = cycle(question, case)
    is_least = question.spec.direction == "max"
    assert (value >= case.least) if is_least else (value <= case.least)
    assert math.isfinite(question.measured.trivial_value)


@pytest.mark.parametrize("name", ["a class per pixel, from loaders", "several labels", "items without a label",
                                  "inputs in a dict and two targets", "a dict of outputs, read by loss and metric",
                                  "labels of a hinge loss", "images to images", "gradients in forward"])  # fmt: skip
def test_floors_say_what_they_can(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the check that a few examples can be learned by heart runs, or says why not."""
    monkeypatch.chdir(tmp_path)
    question = asked(CASES[name], tmp_path)
    marks = survey(question.payload, realise(question.payload, CPU), question.card.train_items, 20.0)
    words = {mark.name: mark.words for mark in marks}
    assert marks[0].value == question.measured.trivial_value
    check = words["learning 5 % by heart"]
    assert "did not finish" not in check
    assert ("several tensors" in check) == (name == "inputs in a dict and two targets")
    if name in ("several labels", "items without a label", "a dict of outputs, read by loss and metric"):
        assert "not for this kind" in words["simple methods"]
        assert marks[0].name == "an untrained model"


def test_memory_format_is_given_up_where_it_fails_and_kept_where_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a view after a convolution", "a view of a gradient's memory only", "memory read in its own order"):
        question = asked(CASES[name], tmp_path)
        assert question.payload.handling is not None
        assert not question.payload.handling.channels_last
        (note,) = question.model.notes
        assert "channels_last" in note
        assert "changes the outputs" in note if name.startswith("memory") else "own.py, line" in note
    fine = Own(
        "def task():\n"
        "    layers = lambda: [nn.Conv2d(1, 8, 3), nn.Dropout(), nn.ReLU(), nn.Flatten(), nn.Linear(800, 2)]\n"
        "    net = lambda: nn.Sequential(*layers())\n"
        "    return Task((IMAGES, Y), net)\n",
        0.9,
    )
    question = asked(fine, tmp_path)
    assert question.payload.handling is not None
    assert question.payload.handling.channels_last
    assert question.model.notes == ()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("targets of scale 1e+09 and offset 0", Scaled),
        ("prices, and a network that gives none below zero", Scaled),
        ("prices from loaders", Scaled),
        ("prices, and a network that begins at their mean", AsGiven),
        ("prices, and a mean squared error of one's own", AsGiven),
        ("outputs that a sigmoid bounds", AsGiven),
    ],
)
def test_only_what_nobody_scaled_is_scaled(
    name: str, form: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    question = asked(CASES[name], tmp_path)
    assert isinstance(question.payload.form, form)
    says = "".join((*question.card.notes, *question.card.warnings))
    assert ("of the targets" in says) == (form is Scaled or "of one's own" in name)


def test_the_scale_of_targets_changes_nothing_but_the_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A built-in model, to rounding."""
    monkeypatch.chdir(tmp_path)
    found = []
    for scale in (1.0, 2.0**30, 2.0**-20):
        own = Own(f"def task(): return Task((X, {scale} * V))", 0.9, {"metric": "rmse"})
        found.append(cycle(asked(own, tmp_path), replace(own, max_lr=0.05)) / scale)
    assert found == pytest.approx([found[0]] * 3, rel=1e-3)


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_loss_that_compares_each_with_each_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch pull request 18349: torch only warns, and the loss has a wrong optimum."""
    monkeypatch.chdir(tmp_path)
    own = Own("def task(): return Task((X, V), lambda: nn.Linear(4, 1), loss=F.mse_loss)", 0.0, R2)
    warning = " ".join(asked(own, tmp_path).card.warnings)
    assert "loss: Using a target size (torch.Size([" in warning
    assert "compares every output with every target" in warning
