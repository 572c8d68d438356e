"""Arguments and options that several commands have, with one meaning and one text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Spec = Annotated[Path | None, typer.Argument(help="YAML file; without it, the built-in digits.")]
Data = Annotated[str | None, typer.Option(help="Path of the data, instead of the spec's.")]
Label = Annotated[str | None, typer.Option(help="Label column of a table: its name, its number from 0, or last.")]
Group = Annotated[
    str | None, typer.Option(help="What stays on one side of the split: a column, or a pattern in image paths.")
]
Target = Annotated[str | None, typer.Option(help="Value of the metric to be reached; none asks how far one can get.")]
Seed = Annotated[str | None, typer.Option(help="Every random choice derives from it.")]
TrackingUri = Annotated[
    str | None, typer.Option(help="Address of MLflow, or none. Default: a file in the output folder.")
]
Require = Annotated[Literal["demonstrated", "likely"] | None, typer.Option(help="Exit with 3 if the verdict is less.")]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="Resume though code, versions or device changed; it is recorded.")
]
NewOutput = Annotated[str | None, typer.Option(help="Folder of all studies. Default: runs.")]
Output = Annotated[str, typer.Option(help="Folder of all studies.")]
JournalStorage = Annotated[
    str | None, typer.Option(help="Database URL of the journal. Default: a file in the output folder.")
]


def finite(value: Any) -> Any:
    """The number, or the list of numbers, of an option; its bounds let ``inf`` and ``nan`` through.

    Raises:
        typer.BadParameter: if one is not finite.
    """
    for number in value if isinstance(value, list | tuple) else (value,):
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"{number} is not a finite number.")
    return value
