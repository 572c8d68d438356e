"""Folders of images: what is read, what it becomes, and that it is decoded once."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from superconv_tune.core.errors import UserError
from superconv_tune.data import budget, cache, decode
from superconv_tune.data.decode import Header, deep_range, header, pixels
from superconv_tune.data.formats import load
from superconv_tune.data.images import MOST_ON_CPU, MOST_ON_GPU
from superconv_tune.data.parts import RawData, Rows
from superconv_tune.data.reading import ImageReading
from tests.samples import CLASSES, photos, picture

MOST = MOST_ON_GPU if torch.cuda.is_available() else MOST_ON_CPU

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
SMALL = ImageReading(8, 3)


def read(folder: Path, **args: object) -> RawData:
    return load("image_folder", folder, args)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def decoded(path: Path, shape: ImageReading = SMALL) -> np.ndarray:
    found = pixels(path, shape)
    assert not isinstance(found, str), found
    return found


def two_halves(left: object, right: object, mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (16, 8), left)  # type: ignore[arg-type]
    image.paste(right, (8, 0, 16, 8))  # type: ignore[arg-type]
    return image


def test_classes_are_folders_and_pixels_are_those_of_the_files(tmp_path: Path) -> None:
    data = read(photos(tmp_path / "p"), size=20)
    assert (data.classes, data.class_names, data.test, data.validation) == (3, CLASSES, None, None)
    assert data.train.inputs.shape == (60, 3, 20, 20)
    assert np.bincount(data.train.targets).tolist() == [20] * 3
    row = list(data.names["train"]).index("bee/7.png")
    assert data.train.targets[row] == 1
    middle = np.asarray(picture(1, 7))[:, 2:22].transpose(2, 0, 1)  # 24 x 20 loses two columns on each side
    np.testing.assert_array_equal(data.train.inputs[row], middle)


def test_parts_that_are_given_stay_as_they_are(tmp_path: Path) -> None:
    for part, first in (("Train", 0), ("val", 100), ("test", 200)):
        photos(tmp_path / "p" / part, per_class=10, first=first)
    data = read(tmp_path / "p")
    assert data.test is not None
    assert data.validation is not None
    assert [len(part) for part in data.parts.values()] == [30, 30, 30]
    assert data.names["validation"][0] == "val/ant/100.png"
    whole = data.train.inputs
    assert isinstance(whole, Rows)
    assert isinstance(data.test.inputs, Rows)
    assert data.test.inputs.base is whole.base  # one array for all parts
    assert "30 for train, 30 for validation, 30 for test" in data.notes[0]


@pytest.mark.parametrize(("side", "becomes"), [(6, 8), (30, 28), (500, MOST)])
def test_the_size_follows_from_the_data_and_is_reported(side: int, becomes: int, tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for index in range(7):
            size = (side, side * 3) if index == 0 else (side, side)
            picture(label, index, size).save(tmp_path / name / f"{index}.bmp")
    data = read(tmp_path)
    assert data.train.inputs.shape[1:] == (3, becomes, becomes)
    assert f"to {becomes} x {becomes}" in data.notes[0]
    assert "14 % are twice as long" in data.notes[0]


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    photos(tmp_path / "p")
    for file in (tmp_path / "p").rglob("*.png"):
        Image.open(file).convert("L").save(file)
    assert read(tmp_path / "p").train.inputs.shape[1] == 1
    assert read(tmp_path / "p", channels="colour").train.inputs.shape[1] == 3
    picture(0, 0).save(tmp_path / "p" / "ant" / "0.png")
    assert read(tmp_path / "p").train.inputs.shape[1] == 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_says(orientation: int, tmp_path: Path) -> None:
    upright = picture(0, 0, (8, 8))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes it: Pillow's numbers of transpositions
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(stored, tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decoded(path), np.asarray(upright).transpose(2, 0, 1))


def test_kinds_of_pixels(tmp_path: Path) -> None:
    see_through = two_halves((255, 0, 0, 255), (0, 0, 0, 0), "RGBA")
    palette = two_halves(RED, BLUE).quantize(2)
    deep = Image.fromarray(np.full((8, 16), 128 * 256 + 255, np.uint16))
    red_white = decoded(saved(see_through, tmp_path / "a.png"))
    assert red_white[:, 4, 0].tolist() == list(RED)
    assert red_white[:, 4, 7].tolist() == list(WHITE)
    gif = decoded(saved(palette, tmp_path / "a.gif"))
    assert (gif[:, 4, 0].tolist(), gif[:, 4, 7].tolist()) == (list(RED), list(BLUE))
    assert (decoded(saved(deep, tmp_path / "deep.png"), ImageReading(8, 1)) == 128).all()
    assert (decoded(saved(deep, tmp_path / "deep.tif"), ImageReading(8, 3)) == 128).all()
    ink = decoded(saved(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), tmp_path / "ink.jpg"))
    assert np.abs(ink[:, 4, 4].astype(int) - RED).max() < 10
    one_bit = decoded(saved(Image.new("1", (9, 9), 1), tmp_path / "bit.png"), ImageReading(8, 1))
    assert (one_bit == 255).all()


@pytest.mark.parametrize(
    ("extremes", "expected"),
    [
        ([(0, 65535)], (0, 65535)),
        ([(0, 300), (7, 4095)], (0, 4095)),  # 12 bits of 16, over all images
        ([(0, 130)], (0, 255)),
        ([(-1000, 3000)], (-4096, 4095)),  # computed tomography
        ([(-1, 1)], (-128, 127)),
        ([(0, 2**20)], (0, 2**21 - 1)),
        ([], (0, 255)),
    ],
)
def test_deep_pixels_are_scaled_by_the_bits_that_they_use(
    extremes: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    assert deep_range(extremes) == expected


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_twelve_bits_in_a_file_of_sixteen_keep_their_greys(suffix: str, tmp_path: Path) -> None:
    """Pillow makes them white (python-pillow/Pillow#3011, #1108), and the upper 8 of 16 bits leave 16 greys."""
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for index in range(8):
            ramp = np.linspace(0, 4095, 64).reshape(8, 8).astype(np.uint16)
            ramp[0, 0] = 100 * label + index
            Image.fromarray(ramp).save(tmp_path / name / f"{index}.{suffix}")
    data = read(tmp_path, size=8)
    assert data.train.inputs.shape[1] == 1
    greys = np.asarray(data.train.inputs[0])
    assert len(np.unique(greys)) > 60
    assert greys.max() == 255
    assert "24 with more than 8 bits, of which 0 became black and 4,095 white" in data.notes[0]


def test_colours_of_sixteen_bits_are_said(tmp_path: Path) -> None:
    photos(tmp_path)
    rows = b"".join(b"\0" + np.full((20, 3), 40_000, ">u2").tobytes() for _ in range(20))
    chunks = {b"IHDR": struct.pack(">2I5B", 20, 20, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    (tmp_path / "ant" / "deep.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks.items()
        )
    )
    data = read(tmp_path)
    assert len(data.train) == 61
    assert "; 1 with 16 bits per colour, of which the upper 8 are read" in data.notes[0]


def test_only_the_first_frame_counts_and_that_is_said(tmp_path: Path) -> None:
    photos(tmp_path)
    first, *others = [picture(0, index) for index in range(3)]
    first.save(tmp_path / "ant" / "moving.gif", save_all=True, append_images=others)
    assert "1 with several frames, of which the first is taken" in read(tmp_path).notes[0]


def test_class_folders_of_one_name_are_one_class(tmp_path: Path) -> None:
    """A Mac may store the training part, and another system the test part."""
    for part, name in (("train", "cafe\u0301"), ("test", "caf\u00e9")):
        photos(tmp_path / part, per_class=10, first=len(part))
        (tmp_path / part / "ant").rename(tmp_path / part / name)
    data = read(tmp_path)
    assert data.class_names == ("bee", "caf\u00e9", "cat")
    assert "10 labels joined" in data.warnings[0]


def test_classes_that_differ_in_case_are_asked_about(tmp_path: Path) -> None:
    photos(tmp_path)
    (tmp_path / "ant").rename(tmp_path / "Bee")
    data = read(tmp_path)
    assert data.class_names == ("Bee", "bee", "cat")
    assert "'Bee' and 'bee'" in data.warnings[0]


def test_a_large_jpeg_is_scaled_by_the_mean_of_its_pixels(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 800).astype(np.uint8), (800, 1))
    small = decoded(saved(Image.fromarray(ramp), tmp_path / "a.jpg", quality=95), ImageReading(8, 1))[0]
    assert np.abs(small.mean(axis=0) - ramp.reshape(800, 8, 100).mean(axis=(0, 2))).max() < 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no picture at all", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image"),  # would start Ghostscript
    ],
)
def test_what_is_no_image_says_why(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert header(tmp_path / "a.png") == reason


def test_a_picture_that_is_cut_off_or_too_large_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(picture(0, 0), tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[:-100])
    assert header(tmp_path / "b.jpg") == Header(24, 20, is_grey=False, is_jpeg=True)
    assert str(pixels(tmp_path / "b.jpg", SMALL)).startswith("damaged (")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert str(header(tmp_path / "a.jpg")).startswith("more than")


def test_a_pipe_and_a_link_to_nothing_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing")
    assert header(tmp_path / "pipe.png") == "not a regular file"
    assert header(tmp_path / "link.png") == "a broken link"


def test_what_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p")
    (folder / "ant" / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "ant" / "empty.png").touch()
    whole = (folder / "bee" / "0.png").read_bytes()
    (folder / "bee" / "0.png").write_bytes(whole[:200])
    (folder / "labels.csv").write_text("a,b", encoding="utf-8")
    (folder / ".DS_Store").touch()
    (folder / "cat" / "Thumbs.db").touch()
    data = read(folder)
    assert len(data.train) == 59
    assert "bee/0.png" not in data.names["train"]
    loose, skipped = data.warnings
    assert loose.startswith("1 file in")
    assert "labels.csv" in loose
    assert skipped.startswith("3 of 62 files left out: ")
    for reason in ("1 not an image", "1 empty", "1 damaged"):
        assert reason in skipped
    row = list(data.names["train"]).index("cat/19.png")
    np.testing.assert_array_equal(data.train.inputs[row], decoded(folder / "cat" / "19.png", ImageReading(20, 3)))


def entries() -> list[Path]:
    return sorted(cache.place().iterdir())


def test_images_are_decoded_once(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p")
    first = read(folder)
    (entry,) = entries()
    before = {file.name: file.stat().st_mtime_ns for file in entry.iterdir()}
    again = read(folder)
    assert entries() == [entry]
    assert {file.name: file.stat().st_mtime_ns for file in entry.iterdir()} == before
    np.testing.assert_array_equal(again.train.inputs[:], first.train.inputs[:])
    assert again.names == first.names
    assert again.notes == first.notes


def test_the_second_time_no_image_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path / "p")
    first = read(folder)
    monkeypatch.setattr(Image, "ID", [])  # no decoder: whatever were opened now would be no image
    monkeypatch.setattr(Image, "preinit", lambda: None)
    assert len(read(folder).train) == len(first.train)
    with pytest.raises(UserError, match="none of 60 files is an image"):
        read(folder, size=12)


@pytest.mark.parametrize("change", ["content", "name", "new", "gone", "size", "channels"])
def test_any_change_is_noticed(change: str, tmp_path: Path) -> None:
    folder = photos(tmp_path / "p")
    before = read(folder)
    file = folder / "ant" / "0.png"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    if change == "content":  # of the same length, and with its old time
        shutil.copyfile(folder / "ant" / "1.png", file)
        os.utime(file, ns=times)
    elif change == "name":
        file.rename(folder / "ant" / "first.png")
    elif change == "new":
        picture(0, 99).save(folder / "ant" / "99.png")
    elif change == "gone":
        file.unlink()
    after = read(folder, **({"size": 16} if change == "size" else {"channels": "grey"} if change == "channels" else {}))
    assert len(entries()) == 2
    assert (after.names != before.names) or not np.array_equal(after.train.inputs[:], before.train.inputs[:])


def test_several_threads_decode_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path / "p", per_class=60)
    monkeypatch.setattr("superconv_tune.data.decode.usable_cpus", lambda: 1)
    alone = read(folder)
    monkeypatch.setattr("superconv_tune.data.decode.usable_cpus", lambda: 4)
    shutil.rmtree(cache.place())
    together = read(folder)
    assert together.names == alone.names
    np.testing.assert_array_equal(together.train.inputs[:], alone.train.inputs[:])


def test_a_plain_script_decodes_much(tmp_path: Path) -> None:
    """Without ``if __name__ == "__main__"``, which new processes would need."""
    noise = np.random.default_rng(0)
    for index in range(64):
        file = tmp_path / "p" / "ab"[index % 2] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(256, size=(220, 220, 3), dtype=np.uint8)).save(file, compress_level=0)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom superconv_tune.data.formats import load\n"
        "print(len(load('image_folder', Path(sys.argv[1]), {}).train))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script), str(tmp_path / "p")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "64\n"), done.stderr


def test_an_entry_that_was_damaged_is_said_and_not_used(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p")
    read(folder)
    (entry,) = entries()
    with (entry / "pixels").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=rf"Delete {entry}"):
        read(folder)
    (entry / "index.json").write_bytes(b"{")
    with pytest.raises(UserError, match=rf"index.json cannot be read.*Delete {entry}"):
        read(folder)


def test_images_too_large_for_all_threads_are_decoded_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = saved(Image.new("L", (1000, 1000)), tmp_path / "large.png")  # 24 MB while it is decoded
    monkeypatch.setattr(decode, "usable_cpus", lambda: 4)
    monkeypatch.setattr(budget, "free_memory", lambda: 100_000_000)
    running, most, plain = 0, 0, decode._plain

    def counted(*arguments: Any) -> Image.Image:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return plain(*arguments)

    monkeypatch.setattr(decode, "_plain", counted)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: pixels(large, SMALL), range(8)))
    assert most == 1
    monkeypatch.setattr(budget, "free_memory", lambda: 40_000_000)
    with pytest.raises(UserError, match=r"the image .*large\.png takes 23 MiB"):
        pixels(large, SMALL)
