"""A Hugging Face data set that ``save_to_disk`` wrote; nothing is downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import require_memory
from superconv_tune.data.class_folders import Listed, state
from superconv_tune.data.groups import of_column
from superconv_tune.data.images import OPTIONS as IMAGE_OPTIONS
from superconv_tune.data.images import decode, raw_images, wanted_shape
from superconv_tune.data.labels import LABELS
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import RawData
from superconv_tune.data.recognise import SPLIT_FOLDERS
from superconv_tune.data.table import OPTIONS as TABLE_OPTIONS
from superconv_tune.data.table import from_frames
from superconv_tune.data.words import count_of

COST = 2  # bytes of memory per byte of a column in Arrow: its values are copied for pandas, or image by image

try:  # an extra: only this format needs it
    import datasets
except ImportError:
    datasets = None


def hf(path: Path | None, args: Args) -> RawData:
    """A folder of ``save_to_disk``: a Dataset, or a DatasetDict with ``train``, ``test`` and perhaps ``validation``.

    If there is a column of images, that one and the label are read, with the options of image_folder; otherwise all
    columns, with the options of table. ``label`` names the label column; by default it is the one of type ClassLabel.
    """
    chosen = options("hf", args, TABLE_OPTIONS | IMAGE_OPTIONS)
    if path is None or not path.is_dir():
        raise UserError(f"data.path: no folder {path}. The format hf reads a folder that save_to_disk wrote.")
    if datasets is None:
        raise UserError("data.format: hf needs the package datasets. Install it: pip install 'superconv-tune[hf]'.")
    parts = _parts(path)
    require_memory(COST * sum(part.data.nbytes for part in parts.values()), str(path))
    features = parts["train"].features
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if len(images) > 1:
        raise UserError(f"data: {path} has several columns of images: {', '.join(images)}. Keep one of them.")
    labels = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    chosen["label"] = chosen["label"] or (labels[0] if len(labels) == 1 else "")
    if images:
        return _images(parts, images[0], chosen, path)
    frames = {name: part.with_format(None).to_pandas() for name, part in parts.items()}
    for name in labels:
        for frame in frames.values():
            frame[name] = [features[name].int2str(int(value)) if value >= 0 else None for value in frame[name]]
    return from_frames(frames, chosen, f"hf {path}")


def _parts(path: Path) -> dict[str, Any]:
    """Data sets by part; a single one is the training part."""
    try:
        found = datasets.load_from_disk(str(path))
    except Exception as error:  # any failure of the library is a fault of the folder
        reason = " ".join(str(error).split())
        raise UserError(f"data.path: {path} is not a readable folder of save_to_disk: {reason}.") from error
    if not isinstance(found, datasets.DatasetDict):
        return {"train": found}
    parts = {SPLIT_FOLDERS.get(name.lower(), name): part for name, part in found.items()}
    strange = sorted(set(parts) - set(SPLIT_FOLDERS.values()))
    if strange or "train" not in parts:
        raise UserError(f"data: {path} has the parts {', '.join(found)}. Save train, test and perhaps validation.")
    return parts


def _images(parts: Mapping[str, Any], column: str, chosen: Mapping[str, Any], path: Path) -> RawData:
    features = parts["train"].features
    label = chosen["label"] or next((name for name in features if name in LABELS), "")
    if label not in features:
        raise UserError(
            f"data.args: {path} has no label column; it has {', '.join(features)}. Say `args: {{label: …}}`."
        )
    is_class = isinstance(features[label], datasets.ClassLabel)
    name_of = features[label].int2str if is_class else str
    missing = (None, -1) if is_class else (None,)  # how the library marks a missing label; elsewhere -1 is one of two
    group = chosen["group"]
    if group and (group not in features or group in (label, column)):
        raise UserError(f"split.group: {path} has no column {group!r} for groups; it has {', '.join(features)}.")
    listed, groups, unlabelled, blank = [], list[object](), 0, 0
    for part, rows in parts.items():
        for index, row in enumerate(rows.cast_column(column, datasets.Image(decode=False))):
            if row[label] in missing:
                unlabelled += 1
                continue
            if row[column] is None:
                blank += 1
                continue
            groups.append(row.get(group))
            listed.append(_listed(f"{part}[{index}]", row[column], name_of(row[label]), part))
    decoded = decode(listed, wanted_shape(chosen), str(path.resolve()))
    lines = [f"{unlabelled:,} images without a label left out."] if unlabelled else []
    lines += [f"{count_of(blank, 'line')} without an image left out."] if blank else []
    raw = raw_images(listed, decoded, f"hf {path}", lines)
    if not group:
        return raw
    named = {image.name: name for image, name in zip(listed, groups, strict=True)}
    values = {part: [named[image] for image in images] for part, images in raw.names.items()}
    is_missing = np.array([value in (None, "") for found in values.values() for value in found])
    return raw.grouped(of_column(group, values, is_missing))


def _listed(name: str, stored: Mapping[str, Any], label: str, part: str) -> Listed:
    """An image in the data set, or a file that the data set names."""
    if stored["bytes"] is None:
        file = Path(stored["path"])
        return Listed(name, file, state(file), label, part)
    content = stored["bytes"]
    fingerprint = hashlib.blake2b(content, digest_size=8).digest()
    return Listed(name, content, (len(content), int.from_bytes(fingerprint, "big")), label, part)
