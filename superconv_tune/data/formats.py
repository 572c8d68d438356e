"""The known data formats. A new one is a function that reads it and a line in `FORMATS`.

Only the tables and names of formats are imported with this file: a spec is checked against them before anything heavy
is loaded. Every reader is imported when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from superconv_tune.core.errors import UserError
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.data.options import Args
from superconv_tune.data.parts import RawData, problems
from superconv_tune.data.recognise import Recognise, has_images, is_saved_dataset, is_table, named
from superconv_tune.data.words import some


@dataclass(frozen=True)
class Format:
    """A data format.

    Attributes:
        read: from a path (None for data that come with a package) and options to the data; raises a `UserError`.
        recognise: whether a file or folder looks like this format; None for data that come with a package.
        group: what ``split.group`` names, which is read from the option ``group``; None for a format without groups.
        has_kind: whether the option ``kind`` says if whole numbers are classes or numbers to predict.
    """

    read: Callable[[Path | None, Args], RawData]
    recognise: Recognise | None = None
    group: Literal["a column", "a pattern"] | None = None
    has_kind: bool = False


# The first that recognises a path reads it, if the user names no format: the particular ones come before the general.
FORMATS: dict[str, Format] = {
    "digits": Format(LazyFunction("superconv_tune.data.packaged:digits")),
    "mnist1d": Format(LazyFunction("superconv_tune.data.generated:mnist1d")),
    "idx": Format(LazyFunction("superconv_tune.data.idx:idx"), named(inside=("*-ubyte*",))),
    "hf": Format(LazyFunction("superconv_tune.data.huggingface:hf"), is_saved_dataset, "a column", has_kind=True),
    "npz": Format(LazyFunction("superconv_tune.data.arrays:npz"), named(file=("*.npz",)), has_kind=True),
    "npy": Format(
        LazyFunction("superconv_tune.data.arrays:npy"),
        named(file=("*.npy",), inside=("x.npy", "x_train.npy")),
        has_kind=True,
    ),
    "jsonl": Format(
        LazyFunction("superconv_tune.data.jsonl:jsonl"),
        named(file=("*.jsonl", "*.jsonl.gz")),
        "a column",
        has_kind=True,
    ),
    "table": Format(LazyFunction("superconv_tune.data.table:table"), is_table, "a column", has_kind=True),
    "image_folder": Format(LazyFunction("superconv_tune.data.images:image_folder"), has_images, "a pattern"),
}
FROM_FILES = tuple(name for name, each in FORMATS.items() if each.recognise)  # the formats that read a path


def load(name: str, path: Path | None, args: Args) -> RawData:
    """Read and check a data set.

    Raises:
        UserError: if it cannot be read, or cannot be learned from; every finding at once.
    """
    if name not in FORMATS:
        raise UserError(f"data.format: {name!r} is unknown. Known: {', '.join(FORMATS)}.")
    data = FORMATS[name].read(path, args)
    where = f"{name}{f' at {path}' if path else ''}"
    found = problems(data)
    if found:
        raise UserError([f"data ({where}): {problem}" for problem in found])
    return data if data.notes else replace(data, notes=(_note(where, data),))


def format_of(path: Path) -> str:
    """The format that reads what is at a path, judged by file names; no file is opened.

    Raises:
        UserError: if none does.
    """
    try:
        found = next((name for name in FROM_FILES if _recognises(name, path)), None)
    except OSError as error:
        raise UserError(f"data: {path} cannot be read ({error.strerror}). Check its permissions.") from error
    if found is None:
        raise UserError(
            f"data: the format of {path} is not clear. {_seen(path)} Formats that read files: {', '.join(FROM_FILES)}; "
            f"name one in a spec, `data: {{format: …, path: …}}`. For anything else write a function: "
            f"`task: {{factory: my_problem.py:task}}`."
        )
    return found


def _recognises(name: str, path: Path) -> bool:
    recognise = FORMATS[name].recognise
    return recognise is not None and recognise(path)


def _seen(path: Path) -> str:
    if path.is_file():
        return f"Its name ends in {path.suffix!r}." if path.suffix else "Its name has no ending."
    return f"There is: {some(sorted(entry.name for entry in path.iterdir())) or 'nothing'}."


def _note(where: str, data: RawData) -> str:
    counts = ", ".join(f"{len(part):,} {name}" for name, part in data.parts.items())
    target = f"{data.classes} classes" if data.classes else "numbers to predict"
    shape = " x ".join(map(str, data.train.inputs.shape[1:]))
    return f"{where}: {counts} examples of {shape}, {target}."
