"""What comes out of a user's file, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.source import call, locate
from superconv_tune.problems.user import Loader, arrays, first_batch


def answer(folder: Path, text: str, **args: object) -> Any:
    (folder / "own.py").write_text(text, encoding="utf-8")
    return call(locate("own.py:task", folder), args)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_this", ("nothing_like_this", "line 1")),
        ("x = 1\ndef task(:\n", ("SyntaxError", "own.py, line 2")),
        ("", ("no function 'task'", "nothing")),
        ("def tusk(): pass", ("no function 'task'", "tusk")),
        ("task = 3", ("no function 'task'",)),
        ("import sys\nsys.exit(3)", ("SystemExit: 3", "line 2")),
        ("def task():\n    raise RuntimeError('no disk\\nat all')", ("RuntimeError: no disk (", "line 2")),
        ("import numpy as np\ndef task():\n    np.zeros(3).reshape(2, 2)", ("reshape", "own.py, line 3")),
        ("def task(a): pass", ("TypeError", "'a'")),
    ],
)
def test_a_broken_file_is_told_in_one_line_with_its_place(text: str, said: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        answer(tmp_path, text)
    (message,) = caught.value.messages
    assert "own.py:task" in message
    assert "\n" not in message
    for words in said:
        assert words in message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-8"):
        locate("own.py:task", tmp_path)


def test_the_text_travels_and_the_file_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def task(a):\n    return 2 * a\n", encoding="utf-8")
    source = locate("own.py:task", tmp_path)
    (tmp_path / "own.py").unlink()
    assert call(source, {"a": 21}) == 42
    assert call(locate("math:hypot", tmp_path), {}) == 0.0


def test_what_is_defined_in_the_file_has_a_module(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    b: int = 3\n"
    )
    made = answer(tmp_path, text + "def task(): return A()")
    assert made == type(made)(3)


@pytest.mark.parametrize(
    ("targets", "kind", "shape"),
    [
        ([0, 1, 1], np.int64, (3,)),
        ([[0], [1], [1]], np.int64, (3,)),
        (torch.tensor([True, False, True]), np.int64, (3,)),
        (np.array([0, 1, 1], np.uint8), np.int64, (3,)),
        ([0.5, 1.0, 2.0], np.float32, (3,)),
        (torch.zeros(3, 1), np.float32, (3,)),
        (torch.zeros(3, 2, dtype=torch.float64), np.float32, (3, 2)),
    ],
)
def test_targets_are_classes_or_numbers(targets: Any, kind: type, shape: tuple[int, ...]) -> None:
    _, found = arrays((np.zeros((3, 4)), targets), "train")
    assert found.dtype == kind
    assert found.shape == shape


def test_images_stay_bytes_and_other_numbers_become_floats() -> None:
    images, _ = arrays((np.zeros((3, 1, 4, 4), np.uint8), [0, 1, 2]), "train")
    numbers, _ = arrays((torch.zeros(3, 4, dtype=torch.float64, requires_grad=True), [0, 1, 2]), "train")
    assert images.dtype == np.uint8
    assert numbers.dtype == np.float32


def test_a_dataset_is_read_once_into_arrays() -> None:
    inputs, targets = torch.randn(5, 2), torch.arange(5)
    found = arrays(TensorDataset(inputs, targets), "train")
    assert found[0] == pytest.approx(inputs.numpy())
    assert found[1].tolist() == targets.tolist()


class Broken(Dataset[Any]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        raise OSError("bad sector")


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield 1.0, 2.0


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Broken(), "bad sector"),
        (Endless(), "length"),
        (TensorDataset(torch.zeros(0, 2), torch.zeros(0)), "length"),
        ([[1.0], [2.0]], "pair"),
        ((1.0, 2.0), "single value"),
        ((np.array(["a", "b"]), [0, 1]), "numbers"),
        (([[1.0], [1.0, 2.0]], [0, 1]), "one shape"),
        ((np.zeros((2, 3)), [[0, 1], [1, 0]]), "one class per item"),
        ((np.zeros((2, 3)), [0]), "2 inputs"),
    ],
)
def test_a_part_that_is_no_arrays_is_told(part: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        arrays(part, "train")
    assert "train" in caught.value.messages[0]


def test_a_loader_is_tried() -> None:
    batch = (torch.zeros(1, 2), torch.zeros(1))
    assert first_batch(Loader(lambda _size, _seed: [batch], 1), "validation") is not None
    for made, said in (([], "empty"), ([1], "cannot be read"), ([("a", "b")], "tensors")):
        with pytest.raises(UserError, match=said):
            first_batch(Loader(lambda _size, _seed, made=made: made, 1), "validation")  # type: ignore[misc]
