"""Devices that a test runs on."""

from __future__ import annotations

import pytest
import torch

NEEDS_GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))
ON_GPU = pytest.param(torch.device("cuda"), id="cuda", marks=NEEDS_GPU)
DEVICES = [pytest.param(torch.device("cpu"), id="cpu"), ON_GPU]
