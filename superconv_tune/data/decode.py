"""Decodes image files into arrays of one size, in several threads at once.

Pillow lets the other threads run while it decodes or scales, so that for photographs they are as quick as processes.
Processes would have to be started anew, because torch has threads, and every one would run the user's script again.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import Progress

from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import most_bytes, require_memory
from superconv_tune.data.limits import usable_cpus
from superconv_tune.data.reading import ImageReading

Source = Path | bytes  # of one image: a file, or its content
Report = Callable[[int], object]
Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 16  # images that a thread takes at once
ORIENTATION = 0x0112  # the tag of EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GREY = ("1", "L", "LA", "La", "I", "F")
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
# Memory of a pixel on its way through `_plain`: four bytes as it is decoded, and again with its transparency, for the
# paper, for both together and for the result: 20 were measured, and 27 where a pixel has more than 8 bits. The rest is
# a margin. A progressive JPEG keeps all coefficients of the whole image besides.
BYTES_PER_PIXEL, BYTES_PER_DEEP_PIXEL, BYTES_PER_COEFFICIENT = 24, 32, 6
SMALL = 16 * 2**20  # bytes of memory that every machine has for each thread, so that it need not be asked
ALONE = Lock()  # held by an image that would not fit as often as there are threads
WHITE = 255  # also the background of transparent pixels, as on a page


@dataclass(frozen=True)
class Header:
    """What has to be known of all images before the first is scaled; of most kinds no pixel is decoded for it.

    Attributes:
        width: in pixels.
        height: in pixels.
        is_grey: whether it has one channel.
        extremes: least and greatest pixel, if pixels have more than 8 bits; else None.
        has_frames: whether it is an animation or has several pages.
        is_jpeg: whether it can be decoded at a half, a quarter or an eighth of its size.
        is_progressive: whether the decoder keeps the coefficients of the whole image.
        is_cut: whether colours of 16 bits are read as their upper 8, as Pillow does.
    """

    width: int
    height: int
    is_grey: bool
    extremes: tuple[int, int] | None = None
    has_frames: bool = False
    is_jpeg: bool = False
    is_progressive: bool = False
    is_cut: bool = False

    def decoding_bytes(self, size: int) -> int:
        """Memory that `pixels` takes at most for it, scaled to ``size``."""
        most = min(self.width, self.height) // size if self.is_jpeg else 1
        factor = next((part for part in (8, 4, 2) if part <= most), 1)
        coefficients = BYTES_PER_COEFFICIENT if self.is_progressive else 0
        each = BYTES_PER_PIXEL if self.extremes is None else BYTES_PER_DEEP_PIXEL
        return self.width * self.height * each // factor**2 + self.width * self.height * coefficients


def header(source: Source) -> Header | str:
    """Size, colour and kind of an image, or why it cannot be read."""

    def read(image: Image.Image) -> Header:
        stored = str(getattr(image, "tile", ""))  # how, until the image is decoded
        is_deep = _is_deep(image)
        found = _known(image, extremes=_extremes(image, _shown(source)) if is_deep else None)
        return replace(found, has_frames=getattr(image, "is_animated", False), is_cut=not is_deep and ";16" in stored)

    return _opened(source, read)


def deep_range(extremes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Least and greatest value of the fewest bits, from 8, that hold all pixels of all images.

    A container of 16 bits says little: cameras and scanners fill 10, 12 or 14 of them.
    """
    low, high = min((low for low, _ in extremes), default=0), max((high for _, high in extremes), default=0)
    if low < 0:
        bits = max(7, (-low - 1).bit_length(), high.bit_length())
        return -(2**bits), 2**bits - 1
    return 0, 2 ** max(8, high.bit_length()) - 1


def pixels(source: Source, reading: ImageReading) -> NDArray[np.uint8] | str:
    """The middle square of an image, scaled: uint8 [channels, size, size]; or why it cannot be read.

    It is rotated as its EXIF says; transparent pixels become white; of several frames the first counts.
    """

    def read(image: Image.Image) -> NDArray[np.uint8]:
        known = _known(image, extremes=(0, 0) if _is_deep(image) else None)
        with _room(known.decoding_bytes(reading.size), _shown(source)):
            return middle_square(image)

    def middle_square(image: Image.Image) -> NDArray[np.uint8]:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
        # A JPEG is decoded at a half, a quarter or an eighth of its size.
        image.draft(None, (reading.size, reading.size))
        plain = _plain(image, "L" if reading.channels == 1 else "RGB", reading.deep)
        side = min(plain.size)
        left, top = (plain.width - side) / 2, (plain.height - side) / 2
        scaled = plain.resize(
            (reading.size, reading.size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
        )
        values = np.asarray(scaled.transpose(turn) if turn is not None else scaled)
        return np.ascontiguousarray(values.reshape(reading.size, reading.size, reading.channels).transpose(2, 0, 1))

    return _opened(source, read)


@contextmanager
def threads(items: int) -> Iterator[ThreadPoolExecutor | None]:
    """A pool of threads, as many as cores and items allow, or None if that is one; no decoder warns meanwhile."""
    count = min(usable_cpus(), items // CHUNK)
    # Not in the threads: what is ignored is so for all of them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, or of a large picture: its limit is an error
        if count < 2:
            yield None
            return
        pool = ThreadPoolExecutor(count)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def each(
    pool: ThreadPoolExecutor | None, work: Callable[[list[Item]], Result], items: Sequence[Item], done: Report
) -> Iterator[Result]:
    """Results of ``work`` on chunks of the items, in their order, from this thread or the pool.

    ``done`` is called with the number of items after every chunk.
    """
    chunks = [list(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
    results = map(work, chunks) if pool is None else pool.map(work, chunks)
    for chunk, result in zip(chunks, results, strict=True):
        yield result
        done(len(chunk))


@contextmanager
def progress(words: str, total: int) -> Iterator[Report]:
    """A progress bar on the terminal, if there is one; yields a function to call with the number of items just done."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(words, total=total)
        yield lambda count: bar.advance(task, count)


def _opened(source: Source, read: Callable[[Image.Image], Result]) -> Result | str:
    """The result of ``read``, or why the image cannot be read. Any error of a decoder is blamed on the file."""
    try:
        with _content(source) as content, Image.open(content, formats=_decoders()) as image:
            return read(image)
    except UserError:  # it is too large to be decoded here
        raise
    except _NoImageError as error:
        return str(error)
    except UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
    except PermissionError:
        return "not readable (permission denied)"
    except Exception as error:  # noqa: BLE001 - decoders raise what they like: OSError, SyntaxError, struct.error, …
        return f"damaged ({' '.join(str(error).split()) or type(error).__name__})"


def _known(image: Image.Image, extremes: tuple[int, int] | None) -> Header:
    """What is known of an image before any of it is decoded, and the extremes of its pixels."""
    return Header(
        image.width,
        image.height,
        _is_grey(image),
        extremes=extremes,
        is_jpeg=image.format in ("JPEG", "MPO"),
        is_progressive="progressive" in image.info,
    )


@contextmanager
def _room(size: int, what: str) -> Iterator[None]:
    """Memory for an image while it is decoded: those that do not fit for all threads at once come one by one.

    Raises:
        UserError: if it does not fit alone.
    """
    if size <= SMALL or size * usable_cpus() <= most_bytes():
        yield
        return
    with ALONE:
        require_memory(size, what)
        yield


def _shown(source: Source) -> str:
    return "an image" if isinstance(source, bytes) else f"the image {source}"


class _NoImageError(Exception):
    """Says why a source cannot be an image, before any decoder reads it."""


@contextmanager
def _content(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    try:
        status = source.stat()
    except FileNotFoundError as error:
        raise _NoImageError("a broken link" if source.is_symlink() else "deleted") from error
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise _NoImageError("not a regular file")
    if status.st_size == 0:
        raise _NoImageError("empty")
    with source.open("rb") as file:
        yield file


def _decoders() -> list[str]:
    """All of Pillow's decoders except the one that runs another program (Ghostscript) on the file."""
    Image.init()
    return [name for name in Image.ID if name != "EPS"]


def _is_grey(image: Image.Image) -> bool:
    return image.mode in GREY or _is_deep(image)


def _is_deep(image: Image.Image) -> bool:
    """Whether pixels are whole numbers of 16 or 32 bits."""
    return image.mode.startswith("I")


def _extremes(image: Image.Image, what: str) -> tuple[int, int]:
    """Least and greatest pixel, for which the image is decoded."""
    with _room(image.width * image.height * BYTES_PER_DEEP_PIXEL, what):
        values = np.asarray(image)
        return int(values.min()), int(values.max())


def _plain(image: Image.Image, mode: str, deep: tuple[int, int]) -> Image.Image:
    """The image with 8 bits per channel and no transparency, in grey (L) or colour (RGB)."""
    if image.mode == "F":
        raise _NoImageError("floating-point pixels, whose range is not known")
    if _is_deep(image):
        low, high = deep
        values = (np.asarray(image, dtype=np.float64) - low) * (WHITE / (high - low))
        return Image.fromarray(values.round().clip(0, WHITE).astype(np.uint8)).convert(mode)
    if image.mode in TRANSPARENT or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (WHITE, WHITE, WHITE, 255))
        return Image.alpha_composite(paper, layer).convert(mode)
    return image.convert(mode)
