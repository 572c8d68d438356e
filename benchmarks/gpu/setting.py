"""What a step of the check may use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from superconv_tune.record.trial import Precision
from superconv_tune.training.memory import device_for


@dataclass(frozen=True)
class Setting:
    """Where a step runs, how large, and until when.

    Attributes:
        device: the first GPU, or the CPU where there is none.
        is_tiny: sizes at which only the code is looked at, and no speed.
        out: folder for files.
        data: folder of Fashion-MNIST; a made-up set of that shape stands in where there is none.
        began: Unix time at which the process of the step was started.
        ends_at: Unix time at which it will be ended; a step leaves out what does not fit before.
    """

    device: torch.device
    is_tiny: bool
    out: Path
    data: Path
    began: float
    ends_at: float

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    @property
    def is_judged(self) -> bool:
        """Whether speeds are held against what they must be: only at full size, and on a GPU."""
        return self.on_gpu and not self.is_tiny

    @property
    def precision(self) -> Precision:
        """What a search would take."""
        return "bf16" if self.on_gpu else "fp32"

    def arguments(self) -> list[str]:
        """By which another process of this step gets the same setting."""
        return [
            str(self.out),
            str(self.data),
            str(self.began),
            str(self.ends_at),
            *(["--tiny"] if self.is_tiny else []),
        ]

    def left_s(self) -> float:
        """Seconds until the end."""
        return self.ends_at - time.time()

    def size(self, full: int, tiny: int) -> int:
        """A number of something."""
        return tiny if self.is_tiny else full

    def wait(self) -> None:
        """Until the device has done all that was asked of it."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)


def setting_of(arguments: Sequence[str]) -> Setting:
    """What `Setting.arguments` gave."""
    out, data, began, ends_at, *rest = arguments
    device = device_for(with_gpu=True)
    return Setting(device, "--tiny" in rest, Path(out), Path(data), float(began), float(ends_at))
