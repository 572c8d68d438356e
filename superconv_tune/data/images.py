"""Folders of images, decoded once into the cache."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.core.words import percent
from superconv_tune.data import cache
from superconv_tune.data.budget import require_memory
from superconv_tune.data.class_folders import Listed, images_in
from superconv_tune.data.decode import (
    Header,
    Source,
    deep_range,
    each,
    header,
    pixels,
    progress,
    threads,
)
from superconv_tune.data.groups import of_paths
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import Part, RawData, Rows
from superconv_tune.data.reading import ImageReading
from superconv_tune.data.spelling import alike, joined
from superconv_tune.data.words import SHOWN_FILES, some

VERSION = 4  # of the stored format; raise it when the decoding changes
LEAST = 8  # pixels of a side, if it is derived from the data
MOST_ON_GPU, MOST_ON_CPU = 64, 32  # likewise; larger images would take too long for a first search
STEP = 4  # sides are whole multiples of it, so that models can halve them
LONG = 2.0  # times as long as wide: the middle square shows only half of such an image
PARTS = ("train", "validation", "test")
PIXELS, INDEX = "pixels", "index.json"


OPTIONS: dict[str, Any] = {"size": 0, "largest": 0, "channels": ("auto", "grey", "colour")}


@dataclass(frozen=True)
class Wanted:
    """The shape that images are to get.

    Attributes:
        size: side in pixels; 0 to derive it from the images.
        most: largest side, if it is derived.
        channels: ``grey``, ``colour``, or ``auto``.
    """

    size: int
    most: int
    channels: str


@dataclass(frozen=True)
class Decoded:
    """The images that could be decoded.

    Attributes:
        images: [n, channels, size, size], in a file.
        kept: indices of these images in the list of all images, in order.
        skipped: the other images by name, each with the reason.
        words: a description of the images and of how they were scaled.
        reading: how they were scaled.
    """

    images: NDArray[Any]
    kept: tuple[int, ...]
    skipped: Mapping[str, str]
    words: str
    reading: ImageReading


def image_folder(path: Path | None, args: Args) -> RawData:
    """A folder with a folder of images per class; or with ``train``, ``test`` and perhaps ``validation`` above those.

    Reads any file that Pillow reads; all others are left out and counted. ``size``: side in pixels; 0 takes the median
    of the short sides, between 8 and ``largest``, or if that is 0, 64, or 32 on a machine without a GPU. ``channels``:
    ``auto`` is grey if all images are grey. ``group``: the spec's ``split.group``, a regular expression that finds the
    group in an image's path.
    """
    chosen = options("image_folder", args, OPTIONS | {"group": ""})
    if path is None or not path.is_dir():
        raise UserError(f"data.path: no folder {path}. The format image_folder reads a folder of class folders.")
    listed, warnings = images_in(path)
    decoded = decode(listed, wanted_shape(chosen), str(path.resolve()))
    raw = raw_images(listed, decoded, f"image_folder {path}", warnings)
    return raw.grouped(of_paths(chosen["group"], raw.names)) if chosen["group"] else raw


def wanted_shape(chosen: Mapping[str, Any]) -> Wanted:
    """The shape that the options ask for."""
    most = chosen["largest"] or (MOST_ON_GPU if torch.cuda.is_available() else MOST_ON_CPU)
    return Wanted(chosen["size"], chosen["size"] or most, chosen["channels"])


def decode(listed: Sequence[Listed], wanted: Wanted, origin: str) -> Decoded:
    """The images as one array, from the cache if they were decoded before and have not changed.

    Args:
        listed: the images.
        wanted: their shape.
        origin: the folder that they come from.

    Raises:
        UserError: if none can be decoded, or the cache cannot be written.
    """
    states = [(image.name, *image.state) for image in listed]
    name = cache.key(VERSION, PIL.__version__, origin, wanted.size, wanted.most, wanted.channels, states)
    folder = cache.entry(name, partial(_store, listed, wanted))
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cache: {folder / INDEX} cannot be read ({error}). Delete {folder}.") from error
    images = cache.mapped(folder / PIXELS, tuple(index["shape"]))
    reading = ImageReading(index["shape"][-1], index["shape"][1], tuple(index["deep"]))
    return Decoded(images, tuple(index["kept"]), index["skipped"], index["words"], reading)


def raw_images(listed: Sequence[Listed], decoded: Decoded, what: str, warnings: Sequence[str]) -> RawData:
    """The data set of images that were decoded.

    Raises:
        UserError: if a class has no image left, or is in the test part only.
    """
    spelling, told = joined(Counter(image.label for image in listed))
    listed = [replace(image, label=spelling[image.label]) for image in listed]
    kept = [listed[index] for index in decoded.kept]
    classes = sorted({image.label for image in listed if image.part == "train"})
    faults = _class_faults(listed, kept, classes)
    raise_any(faults)
    targets = np.searchsorted(np.array(classes), np.array([image.label for image in kept])).astype(np.int64)
    rows = {part: np.array([i for i, image in enumerate(kept) if image.part == part], np.intp) for part in PARTS}
    parts = {part: Part(Rows(decoded.images, chosen), targets[chosen]) for part, chosen in rows.items() if len(chosen)}
    if "train" not in parts:
        raise UserError(f"data: {what} has no training images.")
    return RawData(
        train=parts["train"],
        test=parts.get("test"),
        kind="classification",
        classes=len(classes),
        class_names=tuple(classes),
        validation=parts.get("validation"),
        names={part: [kept[row].name for row in chosen] for part, chosen in rows.items()},
        reading=decoded.reading,
        notes=(f"{what}: {len(kept):,} images of {len(classes)} classes{_shares(rows)}, {decoded.words}",),
        warnings=(*warnings, *told, *alike(classes), *_skipped_words(decoded.skipped, len(listed))),
    )


def _store(listed: Sequence[Listed], wanted: Wanted, folder: Path) -> None:
    """Decode into a folder."""
    sources = [image.source for image in listed]
    with threads(len(sources)) as pool, progress(f"Decoding {len(listed):,} images", 2 * len(listed)) as done:
        headers = [found for chunk in each(pool, _headers, sources, done) for found in chunk]
        fine = [index for index, found in enumerate(headers) if isinstance(found, Header)]
        reasons = {index: found for index, found in enumerate(headers) if isinstance(found, str)}
        if not fine:
            raise UserError(
                f"data: none of {len(listed):,} files is an image that can be read. {_reasons(reasons.values())}"
            )
        seen = [found for found in headers if isinstance(found, Header)]
        deep = deep_range([found.extremes for found in seen if found.extremes is not None])
        side, channels = wanted.size or _side(seen, wanted.most), 1 if _all_grey(seen, wanted.channels) else 3
        reading = ImageReading(side, channels, deep)
        cache.require_room(len(fine) * reading.channels * reading.size**2)
        costs = {listed[i].name: found.decoding_bytes(reading.size) for i, found in zip(fine, seen, strict=True)}
        largest = max(costs, key=costs.__getitem__)
        # Known now, so that all machines that read the data refuse, or read, the same.
        require_memory(costs[largest], f"the image {largest}")
        decoded = each(pool, partial(_pixels, reading), [sources[i] for i in fine], done)
        kept = _write(folder / PIXELS, decoded, fine, reasons)
    if not kept:
        raise UserError(f"data: none of {len(listed):,} images can be decoded. {_reasons(reasons.values())}")
    index = {
        "shape": [len(kept), reading.channels, reading.size, reading.size],
        "deep": reading.deep,
        "kept": kept,
        "skipped": {listed[index].name: reasons[index] for index in sorted(reasons)},
        "words": _shape_words(seen, reading, is_derived=not wanted.size),
    }
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _write(
    path: Path,
    decoded: Iterable[Sequence[NDArray[np.uint8] | str]],
    indices: Sequence[int],
    reasons: dict[int, str],
) -> list[int]:
    """Write the images one after another; returns the indices of those written, and adds reasons for the others."""
    kept = []
    with path.open("wb") as file:
        for index, found in zip(indices, chain.from_iterable(decoded), strict=True):
            if isinstance(found, str):
                reasons[index] = found
            else:
                file.write(found.data)
                kept.append(index)
        file.flush()
        os.fsync(file.fileno())
    return kept


def _headers(sources: list[Source]) -> list[Header | str]:
    return [header(source) for source in sources]


def _pixels(reading: ImageReading, sources: list[Source]) -> list[NDArray[np.uint8] | str]:
    return [pixels(source, reading) for source in sources]


def _side(headers: Sequence[Header], most: int) -> int:
    median = int(np.median([min(found.width, found.height) for found in headers]))
    side = min(most, max(LEAST, median))
    return side - side % STEP


def _all_grey(headers: Sequence[Header], channels: str) -> bool:
    return all(found.is_grey for found in headers) if channels == "auto" else channels == "grey"


def _shape_words(headers: Sequence[Header], reading: ImageReading, *, is_derived: bool) -> str:
    short = [min(found.width, found.height) for found in headers]
    long = np.mean([max(found.width, found.height) >= LONG * min(found.width, found.height) for found in headers])
    colour = "grey" if reading.channels == 1 else "colour"
    sides = (
        f"{min(short)}" if min(short) == max(short) else f"{min(short)} to {max(short)} (median {np.median(short):g})"
    )
    words = f"{colour}, short sides of {sides} pixels, scaled and cropped to {reading.size} x {reading.size}"
    words += "; `args: {size: …}` chooses another size" if is_derived else ""
    words += "".join(_unusual(headers, reading))
    words += (
        f"; {percent(round(float(long), 2))} are twice as long as wide or longer and lose half" if long >= 0.05 else ""
    )
    return f"{words}."


def _unusual(headers: Sequence[Header], reading: ImageReading) -> list[str]:
    deep = sum(found.extremes is not None for found in headers)
    frames = sum(found.has_frames for found in headers)
    cut = sum(found.is_cut for found in headers)
    low, high = reading.deep
    return [
        f"; {deep:,} with more than 8 bits, of which {low:,} became black and {high:,} white" if deep else "",
        f"; {cut:,} with 16 bits per colour, of which the upper 8 are read" if cut else "",
        f"; {frames:,} with several frames, of which the first is taken" if frames else "",
    ]


def _class_faults(listed: Sequence[Listed], kept: Sequence[Listed], classes: Sequence[str]) -> list[str]:
    faults = []
    for part in PARTS:
        before, left = ({image.label for image in images if image.part == part} for images in (listed, kept))
        faults += [f"data: no image of class {lost} in the {part} part can be read." for lost in sorted(before - left)]
        strange = sorted(left - set(classes))
        if strange:
            faults.append(
                f"data: the {part} part has classes that the training part does not have: {some(strange, SHOWN_FILES)}."
            )
    return faults


def _shares(rows: Mapping[str, NDArray[np.intp]]) -> str:
    given = [f"{len(chosen):,} for {part}" for part, chosen in rows.items() if len(chosen)]
    return f" ({', '.join(given)})" if len(given) > 1 else ""


def _skipped_words(skipped: Mapping[str, str], of: int) -> list[str]:
    if not skipped:
        return []
    names = some(list(skipped), SHOWN_FILES)
    return [f"{len(skipped):,} of {of:,} files left out: {_reasons(skipped.values())} Such as {names}."]


def _reasons(reasons: Iterable[str]) -> str:
    """The reasons with their counts, without what a decoder says in brackets, which differs from file to file."""
    counts = Counter(reason.partition(" (")[0] for reason in reasons)
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common()) + "."
