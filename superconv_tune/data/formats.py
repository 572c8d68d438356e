"""Readers of the known formats. A new one is a function and a line in `FORMATS`."""

from __future__ import annotations

import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from superconv_tune.core.errors import UserError
from superconv_tune.data.idx import read_pair
from superconv_tune.data.options import Args, options

try:  # an extra: only this format needs it
    from mnist1d.data import get_dataset_args, make_dataset
except ImportError:
    make_dataset = None

Kind = Literal["classification", "regression"]

MIN_EXAMPLES = 20  # fewer cannot be split into three parts that mean anything
NPZ_NAMES = {"x": "x_train", "y": "y_train", "X": "x_train", "inputs": "x_train", "targets": "y_train"}
MNIST1D_KNOBS = (
    "scale_coeff",
    "max_translation",
    "corr_noise_scale",
    "iid_noise_scale",
    "shear_scale",
    "shuffle_seq",
)


@dataclass(frozen=True)
class Part:
    """Examples and what they should give.

    Attributes:
        inputs: uint8 or float32, shape [n, ...]; images as [n, channels, height, width].
        targets: int64 classes from 0, shape [n], or float32 numbers, shape [n] or [n, k].
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class RawData:
    """A data set as it was read.

    Attributes:
        train: what may be trained on, and what is split where the data come with no test part.
        test: the test part that the data come with; None if they come with none.
        kind: classes or numbers.
        classes: how many; None for regression.
        class_names: in the order of the classes; None where they have no names.
    """

    train: Part
    test: Part | None
    kind: Kind
    classes: int | None
    class_names: tuple[str, ...] | None = None


def load(name: str, path: Path | None, args: Args) -> RawData:
    """Read and check a data set.

    Raises:
        UserError: if it cannot be read, or cannot be learned from; every finding at once.
    """
    if name not in FORMATS:
        raise UserError(f"data.format: {name!r} is unknown. Known: {', '.join(FORMATS)}.")
    data = FORMATS[name](path, args)
    problems = _problems(data)
    if problems:
        raise UserError([f"data ({name}{f' at {path}' if path else ''}): {problem}" for problem in problems])
    return data


def digits(_path: Path | None, args: Args) -> RawData:
    """1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; no test part."""
    options("digits", args, {})
    bunch = load_digits()
    images = (bunch.images * (255.0 / 16.0)).round().astype(np.uint8)
    return classified(Part(images[:, None], bunch.target.astype(np.int64)), None)


def idx(path: Path | None, args: Args) -> RawData:
    """A folder laid out like MNIST: ``train-images-idx3-ubyte``, ``train-labels-…``, ``t10k-…``, raw or ``.gz``.

    ``limit`` takes the first so many training examples only; 0 takes them all.
    """
    chosen = options("idx", args, {"limit": 0})
    if path is None or not path.is_dir():
        raise UserError(f"data.path: no folder {path}. The format idx reads the folder that holds train-images-idx3-…")
    images, labels = read_pair(path, "train")
    rows = slice(chosen["limit"] or None)
    train = _part(images[rows], labels[rows], "training", "classification")
    test = _part(*read_pair(path, "t10k"), "test", "classification") if any(path.glob("t10k-*")) else None
    return classified(train, test)


def npz(path: Path | None, args: Args) -> RawData:
    """A numpy archive with ``x`` and ``y``, or with ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    ``kind``: whole-number targets are classes and others are numbers, unless it says ``classification`` or
    ``regression``. ``channels``: inputs of three axes are images [n, h, w] and those of four are [n, c, h, w], unless
    it says where the channels of either are: ``first`` (so are signals [n, c, length]), ``last``, or ``none``.
    """
    words = {"kind": ("auto", "classification", "regression"), "channels": ("auto", "first", "last", "none")}
    chosen = options("npz", args, words)
    arrays = _npz_arrays(path)
    whole = arrays["y_train"].dtype.kind in "bui"
    kind: Kind = "classification" if whole else "regression"
    kind = kind if chosen["kind"] == "auto" else chosen["kind"]
    train, test = (
        _part(_channels_first(arrays[f"x_{part}"], chosen["channels"]), arrays[f"y_{part}"], what, kind)
        if f"x_{part}" in arrays
        else None
        for part, what in (("train", "training"), ("test", "test"))
    )
    assert train is not None
    return classified(train, test) if kind == "classification" else RawData(train, test, "regression", None)


def mnist1d(_path: Path | None, args: Args) -> RawData:
    """Signals of one channel and 40 samples that stand for digits, generated from a seed; no test part.

    Greydanus and Kobak 2020, arXiv 2011.14439. ``samples`` and ``seed``, and what makes the task easier or harder under
    the names of the ``mnist1d`` package.
    """
    if make_dataset is None:
        raise UserError(
            "data.format: mnist1d needs the package mnist1d. Install it: pip install 'superconv-tune[mnist1d]'."
        )
    settings = get_dataset_args()
    known = {"samples": 5000, "seed": settings.seed} | {name: getattr(settings, name) for name in MNIST1D_KNOBS}
    chosen = options("mnist1d", args, known)
    settings.num_samples = chosen.pop("samples")
    settings.train_split = 1.0
    for name, value in chosen.items():
        setattr(settings, name, value)
    settings.seed %= 2**32  # as many bits as numpy's legacy generator takes
    if settings.num_samples < MIN_EXAMPLES:  # the generator itself cannot do with less than one of each class
        raise UserError(f"data.args: samples of mnist1d is {MIN_EXAMPLES} or more, but got {settings.num_samples}.")
    made = _generate(settings)
    return classified(_part(made["x"][:, None], made["y"], "training", "classification"), None)


FORMATS: dict[str, Callable[[Path | None, Args], RawData]] = {
    "digits": digits,
    "idx": idx,
    "npz": npz,
    "mnist1d": mnist1d,
}


def classified(train: Part, test: Part | None) -> RawData:
    """Class labels counted from 0, whatever whole numbers they were; the old ones are kept as names."""
    found = np.unique(train.targets)
    names = tuple(str(label) for label in found.tolist())
    parts = [
        Part(part.inputs, np.searchsorted(found, part.targets).astype(np.int64)) if part is not None else None
        for part in (train, test)
    ]
    if test is not None and not np.isin(test.targets, found).all():
        strange = sorted(set(test.targets.tolist()) - set(found.tolist()))
        raise UserError(f"data: the test part has the classes {strange[:5]}, which the training part does not have.")
    assert parts[0] is not None
    return RawData(parts[0], parts[1], "classification", len(found), names)


def _generate(settings: Any) -> dict[str, Any]:
    """The generator seeds Python's and numpy's global state; they are given back as they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  (what the package draws from)
    try:
        return dict(make_dataset(settings))
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002  (as above)


def _npz_arrays(path: Path | None) -> dict[str, NDArray[Any]]:
    """The arrays by their long names: x_train, y_train and perhaps x_test, y_test."""
    if path is None or not path.is_file():
        raise UserError(f"data.path: no file {path}. The format npz reads one .npz file.")
    try:
        with zipfile.ZipFile(path):  # or np.load would open a bare array or a pickle
            pass
        with np.load(path, allow_pickle=False) as archive:
            arrays = {NPZ_NAMES.get(name, name): np.atleast_1d(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"data.path: {path} is no readable .npz file: {error}.") from error
    wanted = ["x_train", "y_train"] + (["x_test", "y_test"] if {"x_test", "y_test"} & arrays.keys() else [])
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise UserError(
            f"data.path: {path} has no {' and no '.join(missing)}, but {', '.join(arrays) or 'nothing'}. "
            f"Name the arrays x and y, or x_train, y_train, x_test and y_test."
        )
    return arrays


def _channels_first(inputs: NDArray[Any], channels: str) -> NDArray[Any]:
    if channels == "none" or (channels == "auto" and inputs.ndim == 3):
        return inputs[:, None]
    return np.moveaxis(inputs, -1, 1) if channels == "last" else inputs


def _part(inputs: NDArray[Any], targets: NDArray[Any], what: str, kind: Kind) -> Part:
    """Both in the types that models take, and in C order.

    Raises:
        UserError: if they are no numbers, or the targets no classes.
    """
    faults = [
        f"data: the {name} of the {what} part are {array.dtype}, but have to be numbers."
        for name, array in (("inputs", inputs), ("targets", targets))
        if array.dtype.kind not in "buif"
    ]
    if not faults and kind == "classification":
        faults = _label_faults(targets, what)
    if faults:
        raise UserError(faults)
    flat = targets.reshape(len(targets)) if targets.ndim == 2 and targets.shape[1] == 1 else targets
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is found with the others
        return Part(
            np.ascontiguousarray(inputs, dtype=np.uint8 if inputs.dtype == np.uint8 else np.float32),
            np.ascontiguousarray(flat, dtype=np.int64 if kind == "classification" else np.float32),
        )


def _label_faults(targets: NDArray[Any], what: str) -> list[str]:
    if targets.ndim != 1 and targets.shape[1:] != (1,):
        return [f"data: the labels of the {what} part have the shape {targets.shape}. Give one class number per item."]
    if targets.dtype.kind == "f" and not np.array_equal(targets, np.floor(targets)):
        return [f"data: some labels of the {what} part are no whole numbers. Are they numbers to predict?"]
    return []


def _problems(data: RawData) -> list[str]:
    parts = {"training": data.train} | ({"test": data.test} if data.test is not None else {})
    found = [problem for name, part in parts.items() for problem in _part_problems(part, name)]
    if data.test is not None and data.test.inputs.shape[1:] != data.train.inputs.shape[1:]:
        found.append(
            f"one input of the test part has the shape {data.test.inputs.shape[1:]}, but one of the training part "
            f"{data.train.inputs.shape[1:]}."
        )
    if len(data.train) < MIN_EXAMPLES:
        found.append(
            f"{len(data.train)} examples are too few: {MIN_EXAMPLES} are the least that can be split and judged."
        )
    elif (data.train.targets == data.train.targets[:1]).all():
        found.append("there is one class, or one target, only, so that nothing can be learned. Check the labels.")
    return found


def _part_problems(part: Part, name: str) -> list[str]:
    found = []
    if len(part.inputs) != len(part.targets):
        found.append(f"the {name} part has {len(part.inputs)} inputs, but {len(part.targets)} targets.")
    if not part.inputs.size:
        found.append(f"the {name} part is empty: its inputs have the shape {part.inputs.shape}.")
    elif part.inputs.ndim < 2:
        found.append(f"the {name} part has inputs of shape {part.inputs.shape}. Give a row per item: [n, 1].")
    for what, values in (("inputs", part.inputs), ("targets", part.targets)):
        is_bad = ~np.isfinite(values)
        if is_bad.any():
            first = int(np.flatnonzero(is_bad.reshape(len(values), -1).any(axis=1))[0])
            found.append(
                f"the {what} of the {name} part have {int(is_bad.sum())} values that are NaN or infinite as float32, "
                f"the first at index {first}. Clean them before."
            )
    return found
