"""Which GPU this is, and which versions run on it."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import torch

from benchmarks.gpu.finding import Finding
from benchmarks.gpu.setting import Setting
from superconv_tune.training.loop import supports_bf16
from superconv_tune.training.memory import in_use


def look(setting: Setting) -> Iterator[Finding]:
    """What has to be known with every number."""
    name = torch.cuda.get_device_name(setting.device) if setting.on_gpu else "none: all runs on the CPU"
    yield Finding("GPU", name)
    yield Finding("Python", platform.python_version())
    yield Finding("torch", torch.__version__, note=f"CUDA {torch.version.cuda or 'none'}")
    memory = in_use(setting.device)
    if memory is not None:
        yield Finding("memory that can be had", memory.free / 2**30, "GiB")
    yield Finding("computes in bf16", "yes" if supports_bf16(setting.device) else "no")
