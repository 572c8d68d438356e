"""On what a result was measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import torch

CPU_INFO = Path("/proc/cpuinfo")


def about() -> str:
    """Processor, cores and versions, in one line."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, torch {torch.__version__}, "
        f"numpy {np.__version__}."
    )


def _processor() -> str:
    if CPU_INFO.exists():
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
