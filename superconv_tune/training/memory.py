"""Memory of a GPU as its driver and torch report it; what follows from it is decided in `gpu_share`."""

from __future__ import annotations

import gc

import torch

from superconv_tune.training.gpu_share import Memory

CONTEXT_BYTES = 600 * 2**20  # taken by CUDA in each process, kernels and libraries included; torch does not count them


def device_for(*, with_gpu: bool) -> torch.device:
    """The first GPU that this process may see (``CUDA_VISIBLE_DEVICES`` hides the others), or the CPU."""
    return torch.device("cuda" if with_gpu and torch.cuda.is_available() else "cpu")


def release(device: torch.device) -> None:
    """Free the memory that no tensor uses any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def in_use(device: torch.device) -> Memory | None:
    """The peak need of this process and the memory available to it; None on a CPU."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    needed = torch.cuda.max_memory_reserved(device) + CONTEXT_BYTES
    return Memory(free + torch.cuda.memory_reserved(device) + CONTEXT_BYTES, needed)


def free_and_missing(device: torch.device) -> tuple[int, int] | None:
    """Free bytes on the device, and how many bytes this process is below its own peak; None on a CPU."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free, torch.cuda.max_memory_reserved(device) - torch.cuda.memory_reserved(device)
