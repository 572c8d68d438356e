from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from superconv_tune.core.errors import UserError
from superconv_tune.data import generated
from superconv_tune.data.formats import load
from superconv_tune.data.split import fingerprint

Array = NDArray[Any]
FASHION = Path("/usr/share/datasets/fashion-mnist")
GRID = np.arange(40 * 6, dtype=np.float64).reshape(40, 6)
LABELS = np.arange(40) % 4


def archive(folder: Path, **arrays: Array) -> Path:
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]  # the stub takes the arrays for allow_pickle
    return folder / "data.npz"


def messages(folder: Path, args: dict[str, object] | None = None, **arrays: Array) -> str:
    with pytest.raises(UserError) as raised:
        load("npz", archive(folder, **arrays), args or {})
    return "\n".join(raised.value.messages)


def test_digits_are_scikit_learn_s() -> None:
    data = load("digits", None, {})
    truth = load_digits()
    assert data.train.inputs.shape == (1797, 1, 8, 8)
    assert data.train.inputs.dtype == np.uint8
    assert (np.abs(data.train.inputs[:, 0] / 255 - truth.images / 16) < 1 / 500).all()
    np.testing.assert_array_equal(data.train.targets, truth.target)
    assert (data.kind, data.classes, data.test) == ("classification", 10, None)


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_whole() -> None:
    data = load("idx", FASHION, {})
    assert data.test is not None
    assert (data.train.inputs.shape, data.test.inputs.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert np.bincount(data.train.targets).tolist() == [6000] * 10
    assert np.bincount(data.test.targets).tolist() == [1000] * 10
    assert np.asarray(data.train.inputs).mean() / 255 == pytest.approx(
        0.2860, abs=1e-4
    )  # as the literature normalises it
    assert np.asarray(data.train.inputs).std() / 255 == pytest.approx(0.3530, abs=1e-4)


def test_mnist1d_comes_from_its_seed_alone() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  (what the generator seeds anew)
    state = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    first, again, other = (load("mnist1d", None, {"samples": 50, "seed": seed}) for seed in (7, 7, 2**40))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state  # type: ignore[index]  # noqa: NPY002
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert first.train.inputs.shape == (50, 1, 40)
    assert np.bincount(first.train.targets).tolist() == [5] * 10


def test_mnist1d_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "make_dataset", None)
    with pytest.raises(UserError, match=r"pip install 'superconv-tune\[mnist1d\]'"):
        load("mnist1d", None, {})


def test_mnist1d_needs_some_of_every_class() -> None:
    with pytest.raises(UserError, match="samples of mnist1d is 20 or more, but got 5"):
        load("mnist1d", None, {"samples": 5})


def test_npz_reads_a_table_and_counts_classes_from_zero(tmp_path: Path) -> None:
    data = load("npz", archive(tmp_path, x=GRID, y=LABELS[:, None] * 10 - 7), {})
    assert (data.kind, data.classes, data.class_names) == ("classification", 4, ("-7", "3", "13", "23"))
    assert data.train.inputs.dtype == np.float32
    assert data.train.targets.dtype == np.int64
    np.testing.assert_array_equal(data.train.targets, LABELS)


def test_npz_keeps_the_test_part_it_brings(tmp_path: Path) -> None:
    arrays = {"x_train": GRID, "y_train": LABELS, "x_test": GRID[:8] + 1, "y_test": LABELS[:8]}
    data = load("npz", archive(tmp_path, **arrays), {})
    assert data.test is not None
    np.testing.assert_array_equal(data.test.inputs, GRID[:8] + 1)


@pytest.mark.parametrize(("targets", "shape"), [(GRID[:, 0] / 3, (40,)), (GRID[:, :2] / 3, (40, 2))])
def test_npz_takes_other_numbers_for_regression(tmp_path: Path, targets: Array, shape: tuple[int, ...]) -> None:
    data = load("npz", archive(tmp_path, x=GRID, y=targets), {})
    assert (data.kind, data.classes, data.train.targets.shape) == ("regression", None, shape)
    assert data.train.targets.dtype == np.float32


def test_npz_is_reported_the_kind(tmp_path: Path) -> None:
    classes = load("npz", archive(tmp_path, x=GRID, y=LABELS.astype(np.float64)), {"kind": "classification"})
    numbers = load("npz", archive(tmp_path, x=GRID, y=LABELS), {"kind": "regression"})
    assert (classes.classes, numbers.classes) == (4, None)
    assert "not whole numbers" in messages(tmp_path, {"kind": "classification"}, x=GRID, y=GRID[:, 0] / 5)


@pytest.mark.parametrize(
    ("shape", "channels", "becomes"),
    [
        ((40, 5, 6), "auto", (40, 1, 5, 6)),
        ((40, 5, 6), "first", (40, 5, 6)),
        ((40, 5, 6), "last", (40, 6, 5)),
        ((40, 6), "none", (40, 1, 6)),
        ((40, 3, 5, 6), "auto", (40, 3, 5, 6)),
        ((40, 5, 6, 3), "last", (40, 3, 5, 6)),
        ((40, 5, 6, 3), "auto", (40, 3, 5, 6)),
        ((40, 5, 6, 3), "first", (40, 5, 6, 3)),
        ((40, 16, 4, 4), "auto", (40, 16, 4, 4)),
        ((40, 4, 6, 3), "auto", (40, 4, 6, 3)),
    ],
)
def test_npz_moves_the_channels_where_models_look(
    tmp_path: Path, shape: tuple[int, ...], channels: str, becomes: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    data = load("npz", archive(tmp_path, x=images, y=LABELS), {"channels": channels})
    assert data.train.inputs.shape == becomes
    assert isinstance(data.train.inputs, np.ndarray)
    assert data.train.inputs.flags.c_contiguous
    assert data.train.inputs.dtype == np.uint8
    is_last = shape[-1] == becomes[1] and shape != becomes
    assert any("channels: first" in told for told in data.warnings) == (is_last and channels == "auto")
    moved = np.moveaxis(images, -1, 1) if is_last else images.reshape(becomes)
    np.testing.assert_array_equal(data.train.inputs, moved)


def test_items_of_one_number_have_no_channels_to_move(tmp_path: Path) -> None:
    assert "[n, 1]" in messages(tmp_path, {"channels": "last"}, x=GRID[:, 0], y=LABELS)


def test_everything_wrong_with_the_values_is_said_at_once(tmp_path: Path) -> None:
    bad = GRID.copy()
    bad[17, 2], bad[20, 0] = np.nan, 1e300  # too large for float32
    said = messages(tmp_path, x_train=bad, y_train=LABELS[:39], x_test=GRID[:8, :5], y_test=LABELS[:8])
    assert "40 inputs, but 39 targets" in said
    assert "2 values that are NaN or infinite" in said
    assert "at index 17" in said
    assert "(5,), but one of the training part (6,)" in said


def test_labels_may_be_words(tmp_path: Path) -> None:
    names = np.array(["cat", "ant", "bee", "dog"])
    data = load("npz", archive(tmp_path, x=GRID, y=names[LABELS]), {})
    assert data.class_names == ("ant", "bee", "cat", "dog")
    assert [data.class_names[label] for label in data.train.targets] == names[LABELS].tolist()


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"x": GRID, "y": LABELS * 0}, "all targets are the same"),
        ({"x": GRID, "y": GRID[:, 0] * 0.0}, "all targets are the same"),
        ({"x": GRID[:3], "y": LABELS[:3]}, "too few"),
        ({"x": GRID[:, :0], "y": LABELS}, "is empty"),
        ({"x": GRID[:, 0], "y": LABELS}, r"\[n, 1\]"),
        ({"x": np.array(3.0), "y": LABELS}, "1 inputs, but 40 targets"),
        ({"x": GRID.astype(str), "y": LABELS}, "have to be numbers"),
        ({"x": GRID, "y": np.eye(4, dtype=int)[LABELS]}, "one class number per item"),
        ({"x": GRID}, "has no y_train"),
        ({"x": GRID, "y": LABELS, "x_test": GRID}, "has no y_test"),
        (
            {"x_train": GRID, "y_train": LABELS, "x_test": GRID, "y_test": LABELS + 1},
            "which the training part does not",
        ),
        ({"x": GRID.astype(object), "y": LABELS}, "not a readable .npz"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(tmp_path: Path, arrays: dict[str, Array], word: str) -> None:
    with pytest.raises(UserError, match=word):
        load("npz", archive(tmp_path, **arrays), {})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", pickle.dumps([1])])
def test_a_file_that_is_no_archive_is_refused_unopened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"not a readable \.npz"):
        load("npz", tmp_path / "data.npz", {})


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, x=GRID, y=LABELS)
    content = bytearray(path.read_bytes())
    content[400] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a readable \.npz"):
        load("npz", path, {})


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'csv' is unknown.*digits.*npz"):
        load("csv", None, {})


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
@pytest.mark.parametrize("targets", [LABELS, GRID[:, 0] / 3])
def test_npz_keeps_the_validation_part_it_brings(tmp_path: Path, name: str, targets: Array) -> None:
    arrays = {"x": GRID, "y": targets, f"x_{name}": GRID[:8] + 1, f"y_{name}": targets[:8]}
    data = load("npz", archive(tmp_path, **arrays), {})
    assert data.validation is not None
    assert data.test is None
    np.testing.assert_array_equal(data.validation.inputs, GRID[:8] + 1)
    assert data.warnings == ()
    del arrays[f"y_{name}"]
    assert "has no y_validation" in messages(tmp_path, None, **arrays)
    strange = arrays | {f"y_{name}": targets[:8] + 90}
    if targets is LABELS:
        assert "the validation part has the classes [90, 91, 92, 93]" in messages(tmp_path, None, **strange)


def test_arrays_that_are_not_read_are_named(tmp_path: Path) -> None:
    data = load("npz", archive(tmp_path, x_train=GRID, y=LABELS, x=GRID, names=LABELS), {})
    assert data.warnings == (f"2 arrays of {tmp_path / 'data.npz'} left out: x, names.",)
    for name in ("x", "y", "weights"):
        np.save(tmp_path / f"{name}.npy", LABELS if name == "y" else GRID)
    assert load("npy", tmp_path, {}).warnings == (f"1 array of {tmp_path} left out: weights.",)
