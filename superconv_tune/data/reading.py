"""How inputs were read, as plain values that can be kept beside a model, so that new ones are read the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Channels = Literal["first", "last", "none"]


@dataclass(frozen=True)
class Column:
    """A column of a table, and the inputs that it became.

    Attributes:
        name: as in the table.
        kind: ``numeric``, ``categorical`` (one input per word) or ``text`` (bytes from 1, 0 where a text has ended).
        width: number of inputs that it became.
        fill: for numbers, what stands for a missing one: the median of the training part.
        mark: the decimal mark of numbers that are written as text.
        origin: the time from which days are counted, in ISO 8601; empty for a column that holds no times.
        as_text: whether its times were written as text.
        words: for words, those that have an input of their own, in its order; all others share the last input, if
            there is one more. For numbers, some words among them that were taken as missing.
    """

    name: str
    kind: Literal["numeric", "categorical", "text"]
    width: int
    fill: float = 0.0
    mark: str = "."
    origin: str = ""
    as_text: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableReading:
    """How a table was read.

    Attributes:
        columns: the columns that became inputs, in the order of the inputs.
        names: names of all columns, as the table had them.
        label: name of the label column, which a table without labels may lack.
        missing: words that stand for a missing value.
        options: how its text was written: ``header``, ``decimal``, ``separator`` and ``encoding``, as far as known.
    """

    columns: tuple[Column, ...]
    names: tuple[str, ...]
    label: str
    missing: tuple[str, ...] = ()
    options: Mapping[str, str | bool] = field(default_factory=dict)
    name: Literal["table"] = "table"


@dataclass(frozen=True)
class ImageReading:
    """How image files were read: the middle square of each, scaled.

    Attributes:
        size: side of the squares, in pixels.
        channels: 1 or 3.
        deep: the values that become black and white in images whose pixels have more than 8 bits.
    """

    size: int
    channels: int
    deep: tuple[int, int] = (0, 2**16 - 1)
    name: Literal["images"] = "images"


@dataclass(frozen=True)
class ArrayReading:
    """How arrays were read: as they are, with the axis of channels moved to the front.

    Attributes:
        channels: where it was: ``first``, ``last``, or ``none`` for images without that axis.
    """

    channels: Channels = "first"
    name: Literal["arrays"] = "arrays"


Reading = TableReading | ImageReading | ArrayReading
AS_THEY_ARE = ArrayReading()
