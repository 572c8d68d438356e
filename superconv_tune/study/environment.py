"""What a study is made of: code, versions, hardware and data, for whoever repeats it or goes on with it."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from superconv_tune.core.codec import encode
from superconv_tune.core.imports import package_version
from superconv_tune.data.limits import usable_cpus
from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.training.memory import device_for

DATA = "data"  # key of the data, whose change is no change of the environment but another study
PACKAGES = ("superconv-tune", "torch", "numpy", "ray", "optuna", "mlflow", "torchmetrics", "scikit-learn")


def describe(payload: Payload, card: DataCard) -> dict[str, Any]:
    """The user's code, versions, hardware and data, as plain JSON values."""
    return {
        "files": _files(payload),
        "device": _device(payload),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: package_version(name) for name in PACKAGES},
        "hardware": {
            "cpu": _cpu_model(),
            "cpus": usable_cpus(),
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        },
        DATA: encode(card),
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """How the code, the versions and the kind of device differ between two descriptions, one sentence each.

    What only one of them describes is no difference: older studies describe less.
    """
    return tuple(_changes(before, now))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if "files" in before:
        old, new = before["files"], now["files"]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"{name} {'is new' if name not in old else 'is gone' if name not in new else 'has changed'}"
    old, new = before.get("versions", {}), now["versions"]
    for name in (name for name in old if name in new and old[name] != new[name]):
        yield f"{name} was {old[name]} and is {new[name]}"
    for name in (name for name in ("python", "device") if name in before and before[name] != now[name]):
        yield f"the {name} was {before[name]} and is {now[name]}"


def _files(payload: Payload) -> dict[str, str]:
    """Digests of the user's files, by name."""
    return {name: digest for source in payload.sources for name, digest in source.digests.items()}


def _device(payload: Payload) -> str:
    """The kind of device that the preflight trained on."""
    device = device_for(with_gpu=payload.spec.resources.gpus_per_trial != 0)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
