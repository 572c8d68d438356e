"""Random changes of training images that keep their meaning: drawn per image, applied per batch on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHIFT_SHARE = 8  # a shift of up to an eighth of the image, four pixels of 32 (He et al. 2016)
# A square with a quarter of the image's side; DeVries and Taylor 2017 use a half for 32 pixels, so this is mild.
CUTOUT_SHARE = 4
JITTER = 0.2  # of a standard deviation of normalised pixels


def flip(images: Tensor, generator: Generator) -> Tensor:
    """Each image mirrored from left to right with probability one half."""
    chosen = torch.rand(len(images), device=images.device, generator=generator) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def shift(images: Tensor, generator: Generator) -> Tensor:
    """Each image shifted by up to an eighth of its size in both directions, and filled with its mirrored border."""
    height, width = images.shape[-2:]
    reach = (max(1, height // SHIFT_SHARE), max(1, width // SHIFT_SHARE))
    padded = F.pad(images, (reach[1], reach[1], reach[0], reach[0]), mode="reflect")
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view [n, c, rows to begin at, columns, h, w]
    which = torch.arange(len(images), device=images.device)
    row, column = (
        torch.randint(2 * most + 1, (len(images),), device=images.device, generator=generator) for most in reach
    )
    return windows[which, :, row, column]


def cutout(images: Tensor, generator: Generator) -> Tensor:
    """Each image with a square of a quarter of its side, anywhere, set to 0, the mean of normalised images."""
    height, width = images.shape[-2:]
    inside = [
        _near_centre(len(images), size, max(1, size // CUTOUT_SHARE), images.device, generator)
        for size in (height, width)
    ]
    hole = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    return images.masked_fill(hole.unsqueeze(1), 0.0)


def colour(images: Tensor, generator: Generator) -> Tensor:
    """Brightness and contrast of each image, and brightness of each of its channels, changed by up to a fifth."""
    count, channels = images.shape[:2]
    draws = torch.rand(count, channels + 2, 1, 1, device=images.device, generator=generator) * 2 - 1
    contrast, brightness = 1 + JITTER * draws[:, :1], JITTER * (draws[:, 1:2] + draws[:, 2:])
    return images * contrast + brightness


AUGMENTATIONS: Mapping[str, Callable[[Tensor, Generator], Tensor]] = {
    "flip": flip,
    "shift": shift,
    "cutout": cutout,
    "colour": colour,
}


def _near_centre(count: int, size: int, side: int, device: torch.device, generator: Generator) -> Tensor:
    """Whether each of ``size`` positions lies in a stretch of ``side`` around a random centre; [count, size]."""
    centre = torch.randint(size, (count, 1), device=device, generator=generator)
    distance = torch.arange(size, device=device) - centre
    return (distance >= -(side // 2)) & (distance < side - side // 2)
