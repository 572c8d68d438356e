"""Small files that unpack to a lot are refused before they are unpacked, whatever their format."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from superconv_tune.core.errors import UserError
from superconv_tune.data import budget
from superconv_tune.data.budget import IF_UNKNOWN, SHARE, free_memory, most_bytes, require_memory, unpacked
from superconv_tune.data.decode import Header, header
from superconv_tune.data.formats import load
from tests.samples import photos

MIB = 2**20
FREE = 64 * MIB  # so that a decoder may take 32
UNPACKED = 100 * MIB
TAKES = 24 * MIB  # at most, while something is refused


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "free_memory", lambda: FREE)


def idx_bomb(folder: Path) -> Path:
    head = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (UNPACKED // 100, 10, 10))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(UNPACKED)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 1, 0])))
    return folder


def csv_bomb(folder: Path) -> Path:
    with gzip.open(folder / "bomb.csv.gz", "wt") as file:
        file.write("a,label\n")
        for _ in range(UNPACKED // (4 * MIB)):
            file.write("1,0\n" * MIB)
    return folder / "bomb.csv.gz"


def line_bomb(folder: Path) -> Path:
    """Of one line, which never ends."""
    (folder / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"a": "' + b"x" * UNPACKED))
    return folder / "bomb.jsonl.gz"


def npz_bomb(folder: Path) -> Path:
    np.savez_compressed(folder / "bomb.npz", x=np.zeros((UNPACKED // 400, 100), np.float32), y=np.zeros(10, np.int64))
    return folder / "bomb.npz"


def npz_that_claims(folder: Path) -> Path:
    """A member of some bytes whose header says that it holds more than any machine has."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 100)})
    with zipfile.ZipFile(folder / "claim.npz", "w") as file:
        for name in ("x.npy", "y.npy"):
            file.writestr(name, head.getvalue() + bytes(64))
    return folder / "claim.npz"


def npy_that_claims(folder: Path) -> Path:
    for name in ("x.npy", "y.npy"):
        with (folder / name).open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 100)})
    return folder


def parquet_bomb(folder: Path) -> Path:
    """Two values, a few million times."""
    frame = pd.DataFrame({"a": np.zeros(UNPACKED // 8), "label": np.zeros(UNPACKED // 8, np.int64)})
    frame.to_parquet(folder / "bomb.parquet", compression="zstd")
    return folder / "bomb.parquet"


def png_bomb(folder: Path) -> Path:
    place = photos(folder / "photos")
    Image.new("RGB", (3000, 3000)).save(next(place.iterdir()) / "bomb.png")
    return place


def deep_png_bomb(folder: Path) -> Path:
    """Of 16 bits, whose least and greatest pixel are looked for before anything is scaled."""
    place = photos(folder / "photos")
    Image.new("I;16", (3000, 3000)).save(next(place.iterdir()) / "bomb.png")
    return place


BOMBS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "idx": ("idx", idx_bomb),
    "csv": ("table", csv_bomb),
    "jsonl": ("jsonl", line_bomb),
    "npz": ("npz", npz_bomb),
    "npz_claim": ("npz", npz_that_claims),
    "npy_claim": ("npy", npy_that_claims),
    "parquet": ("table", parquet_bomb),
    "png": ("image_folder", png_bomb),
    "deep_png": ("image_folder", deep_png_bomb),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_not_fit_is_refused_before_it_is_unpacked(tmp_path: Path, little_memory: None, name: str) -> None:
    form, make = BOMBS[name]
    path = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"of memory once it is unpacked.*half of what is free"):
            load(form, path, {})
        assert tracemalloc.get_traced_memory()[1] < TAKES
    finally:
        tracemalloc.stop()


def test_a_table_of_narrow_numbers_takes_more_than_its_text(tmp_path: Path, little_memory: None) -> None:
    """4 MB of 2 million numbers, of which each takes a place to begin at and 8 bytes, before anything is made of it."""
    (tmp_path / "t.csv").write_text("\n".join([",".join("0110" * 500)] * 1000))
    with pytest.raises(UserError, match=r"t\.csv takes 4. MiB of memory once it is unpacked"):
        load("table", tmp_path / "t.csv", {"label": "last", "header": False})


def test_a_table_of_many_words_takes_an_input_for_each(tmp_path: Path, little_memory: None) -> None:
    words = {f"c{column}": [f"w{row % 50}" for row in range(2000)] for column in range(60)}
    pd.DataFrame(words).assign(label=np.arange(2000) % 2).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"of which every line becomes 3,000 inputs, takes 46 MiB of memory"):
        load("table", tmp_path / "t.parquet", {})


def test_the_limit_is_a_share_of_what_is_free_and_there_is_one_where_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert free_memory() is None or most_bytes() > 0
    monkeypatch.setattr(budget, "free_memory", lambda: FREE)
    assert most_bytes() == SHARE * FREE
    require_memory(int(SHARE * FREE), "a file")
    with pytest.raises(UserError, match="a file takes 33 MiB"):
        require_memory(int(SHARE * FREE) + MIB, "a file")
    monkeypatch.setattr(budget, "free_memory", lambda: None)
    assert most_bytes() == IF_UNKNOWN


def test_what_fits_is_read_as_it_is(tmp_path: Path, little_memory: None) -> None:
    content = np.random.default_rng(0).bytes(3 * MIB)
    for name, stored in {"raw": content, "packed": gzip.compress(content)}.items():
        (tmp_path / name).write_bytes(stored)
        with unpacked(tmp_path / name, 4) as (file, length):
            assert file.read() == content
            assert length == (len(content) if name == "raw" else None)


MEASURE = """
import sys
from pathlib import Path
from superconv_tune.data.decode import pixels
from superconv_tune.data.reading import ImageReading
def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
small, large = map(Path, sys.argv[1:])
pixels(small, ImageReading(32, 3))
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = kilobytes("VmRSS")
assert not isinstance(pixels(large, ImageReading(32, 3)), str)
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux tells it")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "I;16"])
def test_an_image_takes_no_more_than_its_header_says(tmp_path: Path, mode: str) -> None:
    """Measured in a process of its own: Pillow's memory is not Python's."""
    for name, size in {"small": 40, "large": 3000}.items():
        Image.new(mode, (size, size)).save(tmp_path / f"{name}.png")
    words = [sys.executable, "-c", MEASURE, str(tmp_path / "small.png"), str(tmp_path / "large.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = header(tmp_path / "large.png")
    assert isinstance(found, Header)
    assert 0 < 1024 * int(done.stdout) <= found.decoding_bytes(32)


def test_a_large_jpeg_that_is_decoded_at_an_eighth_costs_a_sixty_fourth(tmp_path: Path) -> None:
    Image.new("RGB", (4000, 3200)).save(tmp_path / "a.jpg")
    Image.new("RGB", (4000, 3200)).save(tmp_path / "b.jpg", progressive=True)
    plain, progressive = header(tmp_path / "a.jpg"), header(tmp_path / "b.jpg")
    assert isinstance(plain, Header)
    assert isinstance(progressive, Header)
    assert plain.decoding_bytes(32) == plain.decoding_bytes(4000) // 64
    assert progressive.decoding_bytes(32) > 4000 * 3200 * 6
