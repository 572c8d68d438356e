"""What comes out of a user's file, and what is said where it cannot."""

from __future__ import annotations

import pickle
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
def test_a_broken_file_is_reported_in_one_line_with_its_place(text: str, said: tuple[str, ...], tmp_path: Path) -> None:
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
        ([[0], [1], [1]], np.int64, (3, 1)),
        (torch.tensor([True, False, True]), np.bool_, (3,)),
        ([[0, 1], [1, 0], [1, 1]], np.int64, (3, 2)),
        (np.array([0, 1, 1], np.uint8), np.int64, (3,)),
        ([0.5, 1.0, 2.0], np.float32, (3,)),
        (torch.zeros(3, 1), np.float32, (3, 1)),
        (torch.zeros(3, 2, dtype=torch.float64), np.float32, (3, 2)),
    ],
)
def test_targets_are_whole_numbers_or_others_in_the_shape_that_they_have(
    targets: Any, kind: type, shape: tuple[int, ...]
) -> None:
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
        ((np.zeros((2, 3)), [0]), "2 inputs"),
    ],
)
def test_a_part_that_is_no_arrays_is_reported(part: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        arrays(part, "train")
    assert "train" in caught.value.messages[0]


def test_a_loader_is_tried() -> None:
    batch = (torch.zeros(1, 2), torch.zeros(1))
    assert first_batch(Loader(lambda _size, _seed: [batch], 1), "validation") is not None
    for made, said in (([], "empty"), ([1], "cannot be read"), ([("a", "b")], "tensors")):
        with pytest.raises(UserError, match=said):
            first_batch(Loader(lambda _size, _seed, made=made: made, 1), "validation")  # type: ignore[misc]


def test_modules_beside_the_file_are_sent_with_it(tmp_path: Path) -> None:
    """Also those that they import; nothing is left of the folder when the worker runs."""
    (tmp_path / "my_layers.py").write_text(
        "from my_sizes import SIZE\ndef size():\n    return SIZE\n", encoding="utf-8"
    )
    (tmp_path / "my_sizes.py").write_text("SIZE = 7\n", encoding="utf-8")
    (tmp_path / "not_asked_for.py").write_text("broken(", encoding="utf-8")
    (tmp_path / "own.py").write_text(
        "import my_layers\ndef task():\n    import my_sizes\n    return my_layers.size() + my_sizes.SIZE\n",
        encoding="utf-8",
    )
    source = locate("own.py:task", tmp_path)
    assert [name for name, _, _ in source.helpers] == ["my_layers", "my_sizes"]
    for file in tmp_path.glob("*.py"):
        file.unlink()
    assert call(pickle.loads(pickle.dumps(source)), {}) == 14


def test_a_module_beside_the_file_is_the_one_of_that_file(tmp_path: Path) -> None:
    for folder, size in (("a", 1), ("b", 2), ("a", 1)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "my_size.py").write_text(f"SIZE = {size}\n", encoding="utf-8")
        (tmp_path / folder / "own.py").write_text(
            "from my_size import SIZE\ndef task(): return SIZE\n", encoding="utf-8"
        )
        assert call(locate("own.py:task", tmp_path / folder), {}) == size


def test_another_helper_is_another_question(tmp_path: Path) -> None:
    digests = set()
    for size in (1, 2):
        (tmp_path / "my_size.py").write_text(f"SIZE = {size}\n", encoding="utf-8")
        (tmp_path / "own.py").write_text("from my_size import SIZE\ndef task(): return SIZE\n", encoding="utf-8")
        digests.add(locate("own.py:task", tmp_path).digest)
    assert len(digests) == 2


def test_an_error_in_a_helper_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "my_helper.py").write_text("x = 1\ny = x / 0\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"ZeroDivisionError.*my_helper\.py, line 2"):
        answer(tmp_path, "import my_helper\ndef task(): pass")


def test_a_package_beside_the_file_is_not_sent_and_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    with pytest.raises(UserError, match=r"only single files are sent.*my_package\.py"):
        answer(tmp_path, "import my_package\ndef task(): pass")


def test_a_missing_module_is_to_be_installed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pip install no_such_timm"):
        call(locate("no_such_timm:create_model", tmp_path), {})


def test_models_of_another_library_by_its_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calling shape of timm and torchvision: a name, the number of classes, further options."""
    (tmp_path / "zoo.py").write_text(
        "from torch import nn\n"
        "def create_model(model_name, pretrained=False, num_classes=1000, **options):\n"
        "    if model_name != 'tiny':\n"
        "        raise RuntimeError(f'Unknown model ({model_name})')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    source = locate("zoo:create_model", tmp_path)
    assert call(source, {"model_name": "tiny", "num_classes": 10})[1].out_features == 10
    with pytest.raises(UserError, match=r"Unknown model \(huge\) \(.*zoo\.py, line 4\)"):
        call(source, {"model_name": "huge"})
    with pytest.raises(UserError, match=r"model_name.*called with num_classes"):
        call(source, {"num_classes": 10})
