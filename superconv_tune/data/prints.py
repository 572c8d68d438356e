"""Fingerprints of single items: one shared by equal items, and one shared by images that look alike."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Digests = NDArray[np.bytes_]

EXACT_BYTES = 16
ROWS, COLUMNS = 8, 9  # of the thumbnail behind the perceptual hash: 8 differences in each of 8 rows
CHUNK = 1024  # images at a time, which are converted to float32


def exact(inputs: Any) -> Digests:
    """A hash of the values of every item, [n]."""
    chunks = (np.ascontiguousarray(inputs[start : start + CHUNK]) for start in range(0, len(inputs), CHUNK))
    found = [hashlib.blake2b(item.data, digest_size=EXACT_BYTES).digest() for chunk in chunks for item in chunk]
    return np.array(found, dtype=f"S{EXACT_BYTES}")


def thumbnails(images: Any) -> Bytes:
    """Images [n, c, h, w] of any size as grey ones [n, 8, 9], by the mean of each area.

    Of images that are no bytes, the least and the greatest mean become 0 and 255.
    """
    rows, columns = _areas(images.shape[2], ROWS), _areas(images.shape[3], COLUMNS).T
    parts = [
        rows @ np.asarray(images[start : start + CHUNK]).mean(axis=1, dtype=np.float32) @ columns
        for start in range(0, len(images), CHUNK)
    ]
    low, high = 0.0, 255.0
    if images.dtype != np.uint8 and parts:
        low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    scale = 255.0 / (high - low) if high > low else 0.0
    found = [((part - low) * scale).round().astype(np.uint8) for part in parts]
    return np.concatenate(found or [np.zeros((0, ROWS, COLUMNS), np.uint8)])


def difference_hash(thumbnail: Bytes) -> NDArray[np.uint64]:
    """64 bits [n]: where each image gets brighter from left to right (dHash), whatever its brightness and contrast."""
    bits = (thumbnail[:, :, 1:] > thumbnail[:, :, :-1]).reshape(len(thumbnail), ROWS * (COLUMNS - 1))
    hashes: NDArray[np.uint64] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return hashes


@cache
def _areas(size: int, into: int) -> NDArray[np.float32]:
    """The matrix [into, size] that takes the mean over equal stretches of ``size`` pixels."""
    edges = np.linspace(0.0, size, into + 1)
    overlap = np.minimum(edges[1:, None], np.arange(1, size + 1)) - np.maximum(edges[:-1, None], np.arange(size))
    matrix: NDArray[np.float32] = (np.maximum(overlap, 0.0) / (size / into)).astype(np.float32)
    return matrix
