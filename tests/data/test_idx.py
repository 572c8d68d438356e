from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError
from superconv_tune.data.idx import read, read_pair

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def encoded(array: NDArray[Any]) -> bytes:
    header = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_reads_back_raw_and_packed(tmp_path: Path, kind: str, packed: bool) -> None:
    array = np.arange(24).reshape(4, 3, 2).astype(kind)
    content = encoded(array)
    found = read(written(tmp_path / "some-file", gzip.compress(content) if packed else content))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize("removed", [1, 24, 24 + 6, 24 + 12])
def test_a_cut_is_found_in_values_and_in_the_header(tmp_path: Path, removed: int) -> None:
    content = encoded(np.zeros((4, 3, 2), dtype=np.uint8))
    with pytest.raises(UserError, match="cut off"):
        read(written(tmp_path / "a", content[:-removed]))
    with pytest.raises(UserError, match="cut off"):
        read(written(tmp_path / "b", content + b"\0"))


def test_a_cut_in_the_packed_file_is_found(tmp_path: Path) -> None:
    packed = gzip.compress(encoded(np.arange(100, dtype=np.int32)))
    with pytest.raises(UserError, match="cannot be read"):
        read(written(tmp_path / "a.gz", packed[:-12]))


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\x89PNG....", b"\0\0\x07\x01\0\0\0\0"])
def test_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="not an idx file"):
        read(written(tmp_path / "a", content))


def test_a_header_of_giants_does_not_take_memory(tmp_path: Path) -> None:
    """2**32 - 1 in three dimensions would overflow 64 bits."""
    with pytest.raises(UserError, match="cut off"):
        read(written(tmp_path / "a", bytes([0, 0, 8, 3]) + b"\xff" * 12))


def test_images_get_a_channel_and_all_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        read_pair(tmp_path, "train")
    assert [message.split(" has no file ")[1].split("-idx")[0] for message in raised.value.messages] == [
        "train-images",
        "train-labels",
    ]
    written(tmp_path / "train-images-idx3-ubyte", encoded(np.zeros((5, 4, 3), dtype=np.uint8)))
    written(tmp_path / "train-labels.idx1-ubyte", encoded(np.arange(5, dtype=np.uint8)))
    images, labels = read_pair(tmp_path, "train")
    assert images.shape == (5, 1, 4, 3)
    assert labels.tolist() == [0, 1, 2, 3, 4]
    written(tmp_path / "train-labels.idx1-ubyte", encoded(np.arange(6, dtype=np.uint8)))
    with pytest.raises(UserError, match="5 train images, but 6 labels"):
        read_pair(tmp_path, "train")
