"""Readers of the known formats. A new one is a function and a line in `FORMATS`."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from superconv_tune.core.errors import UserError

try:  # an extra: only this format needs it
    from mnist1d.data import get_dataset_args, make_dataset
except ImportError:
    make_dataset = None

Kind = Literal["classification", "regression"]
Args = Mapping[str, Any]

MIN_EXAMPLES = 20  # fewer cannot be split into three parts that mean anything
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # LeCun's description of the format
NPZ_NAMES = {"x": "x_train", "y": "y_train", "X": "x_train", "inputs": "x_train", "targets": "y_train"}


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
    _no_more(args, "digits")
    bunch = load_digits()
    images = (bunch.images * (255.0 / 16.0)).round().astype(np.uint8)
    return classified(Part(images[:, None], bunch.target.astype(np.int64)), None)


def idx(path: Path | None, args: Args) -> RawData:
    """A folder laid out like MNIST: ``train-images-idx3-ubyte``, ``train-labels-…``, ``t10k-…``, raw or ``.gz``.

    ``limit`` takes the first so many training examples only.
    """
    limit = args.get("limit")
    _no_more(args, "idx", "limit")
    folder = _folder(path)
    train = _idx_part(folder, "train")
    if limit is not None:
        train = Part(train.inputs[: int(limit)], train.targets[: int(limit)])
    has_test = any(folder.glob("t10k-images*"))
    return classified(train, _idx_part(folder, "t10k") if has_test else None)


def npz(path: Path | None, args: Args) -> RawData:
    """A numpy archive with ``x`` and ``y``, or with ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Whole-number targets are classes, others are numbers. Images: [n, h, w], [n, h, w, c] (``channels: last``) or
    [n, c, h, w].
    """
    channels = args.get("channels", "first")
    _no_more(args, "npz", "channels")
    if path is None or not path.is_file():
        raise UserError(f"data.path: no file {path}. The format npz reads one .npz file.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {NPZ_NAMES.get(name, name): archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise UserError(f"data.path: {path} is no readable .npz file ({error}).") from error
    missing = [name for name in ("x_train", "y_train") if name not in arrays]
    if missing:
        raise UserError(
            f"data.path: {path} has no {' and no '.join(missing)}, but {', '.join(arrays)}. Name them x and y."
        )
    train = _npz_part(arrays, "train", str(channels))
    test = _npz_part(arrays, "test", str(channels)) if {"x_test", "y_test"} <= arrays.keys() else None
    if np.issubdtype(train.targets.dtype, np.integer):
        return classified(train, test)
    return RawData(train, test, "regression", None)


def mnist1d(_path: Path | None, args: Args) -> RawData:
    """Signals of 40 numbers that stand for digits, generated from a seed (Greydanus 2020); no test part.

    ``samples`` (5000), ``seed`` (42) and the other settings of the ``mnist1d`` package's generator may be given.
    """
    if make_dataset is None:
        raise UserError(
            "data.format: mnist1d needs the package mnist1d. Install it: pip install 'superconv-tune[mnist1d]'."
        )
    settings = get_dataset_args()
    known = {"samples": "num_samples"}
    wanted = {known.get(key, key): value for key, value in args.items()}
    unknown = sorted(key for key in wanted if not hasattr(settings, key))
    if unknown:
        raise UserError(
            f"data.args: mnist1d has no setting {', '.join(unknown)}. Known: samples, {', '.join(vars(settings))}."
        )
    for key, value in {"num_samples": 5000, "train_split": 1.0, **wanted}.items():
        setattr(settings, key, value)
    made = make_dataset(settings)
    return classified(Part(np.asarray(made["x"], dtype=np.float32), np.asarray(made["y"], dtype=np.int64)), None)


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


def _problems(data: RawData) -> list[str]:
    found = []
    for name, part in (("training", data.train), ("test", data.test)):
        if part is None:
            continue
        if len(part.inputs) != len(part.targets):
            found.append(f"the {name} part has {len(part.inputs)} inputs, but {len(part.targets)} targets.")
        for what, values in (("inputs", part.inputs), ("targets", part.targets)):
            if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
                bad = int((~np.isfinite(values)).sum())
                found.append(
                    f"the {what} of the {name} part have {bad} values that are NaN or infinite. Clean them first."
                )
    if len(data.train) < MIN_EXAMPLES:
        found.append(
            f"{len(data.train)} examples are too few: {MIN_EXAMPLES} are the least that can be split and judged."
        )
    if data.kind == "classification" and (data.classes or 0) < 2:
        found.append("there is one class only, so that nothing is to be told apart. Check the labels.")
    return found


def _idx_part(folder: Path, prefix: str) -> Part:
    images = read_idx(_idx_file(folder, f"{prefix}-images"))
    labels = read_idx(_idx_file(folder, f"{prefix}-labels"))
    inputs = images[:, None] if images.ndim == 3 else images
    if inputs.dtype != np.uint8:
        inputs = inputs.astype(np.float32)
    return Part(inputs, labels.astype(np.int64))


def _idx_file(folder: Path, stem: str) -> Path:
    files = sorted(folder.glob(f"{stem}*"))
    if not files:
        raise UserError(f"data.path: {folder} has no file {stem}-idx…; it has {_listed(folder)}.")
    return files[0]


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an idx file, raw or gzipped.

    Raises:
        UserError: if it is no idx file, or is cut off.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"data: {path} cannot be read ({error}).") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise UserError(f"data: {path} is no idx file: it begins with {content[:4].hex(' ')}. Is it another format?")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    kind = np.dtype(IDX_TYPES[content[2]])
    wanted = start + int(np.prod(shape)) * kind.itemsize
    if len(content) != wanted:
        raise UserError(f"data: {path} is cut off or damaged: {len(content)} bytes, but its header says {wanted}.")
    return np.frombuffer(content, dtype=kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def _npz_part(arrays: Mapping[str, NDArray[Any]], name: str, channels: str) -> Part:
    inputs, targets = arrays[f"x_{name}"], arrays[f"y_{name}"]
    if inputs.dtype.kind not in "buif" or targets.dtype.kind not in "buif":
        raise UserError(f"data: x_{name} and y_{name} have to be numbers, but are {inputs.dtype} and {targets.dtype}.")
    if inputs.ndim == 3:
        inputs = inputs[:, None]
    elif inputs.ndim == 4 and channels == "last":
        inputs = np.ascontiguousarray(np.moveaxis(inputs, -1, 1))
    inputs = inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32)
    whole = targets.dtype.kind in "bui"
    flat = targets.reshape(len(targets)) if targets.ndim == 2 and targets.shape[1] == 1 else targets
    return Part(inputs, flat.astype(np.int64 if whole else np.float32))


def _folder(path: Path | None) -> Path:
    if path is None or not path.is_dir():
        near = path.parent if path is not None else Path()
        raise UserError(f"data.path: no folder {path}. Beside it: {_listed(near)}.")
    return path


def _listed(folder: Path) -> str:
    if not folder.is_dir():
        return f"nothing ({folder} does not exist either)"
    names = sorted(entry.name for entry in folder.iterdir())[:8]
    return ", ".join(names) or "nothing (it is empty)"


def _no_more(args: Args, name: str, *known: str) -> None:
    unknown = sorted(set(args) - set(known))
    if unknown:
        raise UserError(f"data.args: {name} has no option {', '.join(unknown)}. Known: {', '.join(known) or 'none'}.")
