"""Are images decoded once, and does a machine hold them once? ``python benchmarks/decode.py --images 50000``.

Makes a folder of small JPEG files, reads it twice as a search does, and has 1 and then 8 processes train over all
of it at once, as trials do. Prints the seconds of both starts, and the memory of the pixels over all processes: PSS,
which shares a page's bytes out among those who map it, so that the sum is what the machine holds. Linux only.
"""

from __future__ import annotations

import argparse
import json
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
MIB = 2**20


def main() -> None:
    """Make, read twice, share, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=8)
    asked = parser.parse_args()
    with scratch() as folder:
        make(folder / "photos", asked.images)
        first_s, _, _ = started(folder / "photos")
        second_s, stored, card = started(folder / "photos")
        shared = {count: pixel_pss(stored, count) for count in (1, asked.processes)}
        result = {
            "images": card.train_items + card.validation_items + card.test_items,
            "shape": card.input_shape,
            "pixels_mib": round(asked.images * int(np.prod(card.input_shape)) / MIB, 1),
            "first_start_s": round(first_s, 2),
            "second_start_s": round(second_s, 2),
            "payload_mib": round(len(stored) / MIB, 2),
            "pss_of_pixels_mib": {str(count): round(size / MIB, 1) for count, size in shared.items()},
        }
    print(json.dumps(result, indent=2))  # noqa: T201 - what a benchmark is for


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for images and cache that is gone afterwards."""
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
    """The seconds that a search takes to have its data, and what goes to its workers; nothing stays mapped here."""
    spec = load_spec(None, {"data.path": str(folder), "model": "mlp"})
    begun = time.perf_counter()
    payload, card = prepare(spec)
    return time.perf_counter() - begun, pickle.dumps(payload), card


def pixel_pss(stored: bytes, count: int) -> int:
    """Bytes of the mapped pixels over so many processes that have all seen all of them."""
    context = get_context("spawn")
    barrier = context.Barrier(count)
    with context.Pool(count, initializer=meet, initargs=(barrier,)) as pool:
        return sum(pool.map(epoch, [stored] * count, chunksize=1))


_meeting: list[Barrier] = []  # of this process


def meet(barrier: Barrier) -> None:
    """Keep the barrier where `epoch` finds it."""
    _meeting.append(barrier)


def epoch(stored: bytes) -> int:
    """One pass over the training part, with all the others; then what the pixels take of this process."""
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


if __name__ == "__main__":
    main()
