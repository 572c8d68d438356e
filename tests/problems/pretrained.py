"""A small network with weights, as the text of a user's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.conv = nn.Conv2d(channels, 12, 3, padding=1)
        self.norm = nn.BatchNorm2d(12)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.fc = nn.Linear(192, outputs)

    def forward(self, images):
        hidden = self.pool(torch.relu(self.norm(self.conv(images))))
        return self.fc(torch.nn.functional.dropout(hidden.flatten(1), 0.1, self.training))

def network(weights, channels=1, outputs=10):
    model = Net(channels, outputs)
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.pretrained_cfg = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return model

def scaled(weights, channels=1, outputs=10):
    return nn.Sequential(network(weights, channels, outputs), nn.Tanh())

def sgd(params, names):
    with open(names, "w") as file:
        file.write("\\n".join(f"{group['name']} {group['lr_scale']:g}" for group in params))
    return torch.optim.SGD(params, lr=0.1, momentum=0.9)
"""


def saved(path: Path, seed: int, channels: int = 1) -> Path:
    """Save weights of the network, whose batch norm has seen data."""
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = names["Net"](channels, 10)
        model(torch.randn(64, channels, 8, 8))
        torch.save(model.state_dict(), path)
    return path
