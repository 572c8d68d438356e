"""Where a study ran: versions and hardware, for whoever wants to repeat it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from superconv_tune.core.codec import encode
from superconv_tune.problems.payload import DataCard

PACKAGES = ("superconv-tune", "torch", "numpy", "ray", "optuna", "mlflow", "torchmetrics")


def describe(card: DataCard) -> dict[str, Any]:
    """Versions, hardware and data, as plain JSON values."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: package_version(name) for name in PACKAGES},
        "hardware": {
            "cpu": _cpu_model(),
            "cpus": os.cpu_count(),
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        },
        "data": encode(card),
    }


def package_version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed, as ours may not be in a checkout."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
