"""A folder of images, read as a search does, and the memory that its pixels take over several processes."""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from superconv_tune.data import cache
from superconv_tune.problems.payload import DataCard, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.load import load_spec

CLASSES, SIDE, BATCH = 10, 32, 256


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for images and cache, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="superconv_tune_") as folder:
        os.environ[cache.PLACE] = f"{folder}/cache"
        yield Path(folder)


def make(folder: Path, count: int) -> None:
    """JPEG files of noise in class folders."""
    random = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    for index in range(count):
        pixels = random.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"class{index % CLASSES}" / f"{index}.jpg")


def started(folder: Path) -> tuple[float, bytes, DataCard]:
    """The seconds that reading the data takes, and the payload for the workers; nothing stays mapped here."""
    spec = load_spec(None, {"data.path": str(folder), "model": "mlp"})
    begun = time.perf_counter()
    payload, card = prepare(spec)
    return time.perf_counter() - begun, pickle.dumps(payload), card


def pixel_pss(stored: bytes, count: int) -> int:
    """Bytes of the mapped pixels over this many processes, each of which has read all of them."""
    context = get_context("spawn")
    barrier = context.Barrier(count)
    with context.Pool(count, initializer=meet, initargs=(barrier,)) as pool:
        return sum(pool.map(epoch, [stored] * count, chunksize=1))


_meeting: list[Barrier] = []  # of this process


def meet(barrier: Barrier) -> None:
    """Store the barrier for `epoch`."""
    _meeting.append(barrier)


def epoch(stored: bytes) -> int:
    """One pass over the training part, with all other processes; returns the pixels' share of this one's memory."""
    problem = realise(pickle.loads(stored), torch.device("cpu"))
    stream = problem.train.stream(BATCH, seed=os.getpid())
    for _ in range(problem.train.steps_per_epoch(BATCH)):
        next(stream)
    for part in (problem.validation, problem.test):
        for _ in part.batches():
            pass
    _meeting[0].wait()
    size = mapped_pss()
    _meeting[0].wait()
    return size


def mapped_pss() -> int:
    """PSS of the mappings of a cache file in this process, in bytes."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        field = line.split()
        if "-" in field[0] and not field[0].endswith(":"):
            inside = field[-1].endswith("/pixels")
        elif inside and field[0] == "Pss:":
            total += int(field[1]) * 1024
    return total
