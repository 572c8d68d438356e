"""What is sent with a submitted search: the spec, and the files that it names, in one flat folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.spec.files import FACTORIES
from superconv_tune.spec.spec import ExperimentSpec

SPEC = "spec.yaml"
DATA = "data"  # folder of the data in the bundle
MAX_MIB = 64  # of all files: Ray keeps the bundle in the memory of the head
STAYS = ("output", "storage", "tracking_uri")  # keys that are not sent: the cluster has its own


def pack(
    spec: ExperimentSpec, helpers: Sequence[Path], folder: Path, *, data_travel: bool, inside: Path | None = None
) -> None:
    """Copy everything that the search needs on the cluster into an empty folder, each file under its bare name.

    Args:
        spec: the spec, checked on this machine before anything is sent.
        helpers: modules that the user's own file imports.
        folder: the empty folder.
        inside: folder of the spec; Python files outside it are refused.
        data_travel: whether ``data.path`` is a path of this machine whose files are sent along.

    Raises:
        UserError: for everything that must not or cannot be sent, all at once.
    """
    # A metric that nobody named is chosen where the data are read.
    content = spec.model_dump(mode="json", exclude={"metric"} - spec.model_fields_set)
    files = _code(content, helpers)
    strangers = _outside(set(files.values()) - set(helpers), inside)
    if data_travel and content["data"] and content["data"]["path"]:
        path = Path(content["data"]["path"])
        files |= {Path(DATA, path.name, inside): file for inside, file in _tree(path)}
        content["data"]["path"] = f"{DATA}/{path.name}"
    raise_any([*strangers, *_secrets(spec), *_links(files.values()), *_too_large(files.values(), content)])
    for place, file in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target, follow_symlinks=False)
    text = yaml.safe_dump({key: value for key, value in content.items() if key not in STAYS}, sort_keys=False)
    (folder / SPEC).write_text(text, encoding="utf-8")


def _code(content: dict[str, Any], helpers: Sequence[Path]) -> dict[Path, Path]:
    """Python files by their place in the bundle; the factories in ``content`` are renamed to that place."""
    named = list(helpers)
    for section in filter(None, (content[name] for name in FACTORIES)):
        place, _, function = (section["factory"] or "").rpartition(":")
        if place.endswith(".py"):
            named.append(Path(place))
            section["factory"] = f"{Path(place).name}:{function}"
    files: dict[Path, Path] = {}
    for file in named:
        place = Path(file.name)
        if files.get(place, file).absolute() != file.absolute() or file.name in (SPEC, DATA):
            raise UserError(f"{file}: the bundle has another file named {file.name!r}. Rename one of them.")
        files[place] = file
    return files


def _outside(files: Iterable[Path], inside: Path | None) -> list[str]:
    """A message for each file outside the folder: a spec must not send other code of this machine."""
    if inside is None:
        return []
    return [
        f"{file} lies outside {inside}, the folder of the spec. Put it beside the spec, or under it."
        for file in files
        if not file.resolve().is_relative_to(inside.resolve())
    ]


def _tree(path: Path) -> Iterator[tuple[Path, Path]]:
    """All files of a folder with their relative paths; for a file, the file itself."""
    if not path.is_dir() or path.is_symlink():
        yield Path(), path
        return
    for folder, folders, names in os.walk(path):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *linked]:
            file = Path(folder, name)
            yield file.relative_to(path), file


def _links(files: Iterable[Path]) -> list[str]:
    """A message for each file that is not plain: a link may lead anywhere, and a device or a pipe never ends."""
    wrong = [file for file in files if file.is_symlink() or not file.is_file()]
    return [f"{file} is not a plain file, and only plain files are sent. Name the file itself." for file in wrong]


def _too_large(files: Iterable[Path], content: dict[str, Any]) -> list[str]:
    size_mib = sum(file.stat().st_size for file in files if file.is_file()) / 2**20
    if size_mib <= MAX_MIB:
        return []
    where = content["data"]["path"] if content["data"] else "the files"
    return [
        f"The files of this search ({where} among them) are {size_mib:.0f} MiB, and at most {MAX_MIB} are sent with a "
        f"job. Put the data where the nodes of the cluster can read them, and name that place: --data-on-nodes PATH."
    ]


def _secrets(spec: ExperimentSpec) -> list[str]:
    """A message for each address with a password: whoever may list jobs may read their bundles."""
    return [
        f"{key}: holds a password, which would be sent with the job. Leave it out, and set SUPERCONV_TUNE_STORAGE and "
        f"MLFLOW_TRACKING_URI where the cluster runs."
        for key, address in {"storage": spec.storage, "tracking_uri": spec.tracking_uri}.items()
        if address is not None and address.has_secret
    ]
