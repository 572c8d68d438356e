"""Groups of examples that belong together, such as the images of a patient, and a split that never tears them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from superconv_tune.core.errors import UserError
from superconv_tune.data.words import SHOWN_FILES, count_of, some

Codes = NDArray[np.int64]
DRAWS = 100  # of which the one with the most even classes is taken


def coded(names: Mapping[str, Sequence[object]], where: str) -> dict[str, Codes]:
    """The number of the group of every example, the same in all parts.

    Args:
        names: name of the group of every example, by part.
        where: what the names were read from, for messages.

    Raises:
        UserError: if all examples are of one group, or each has one of its own.
    """
    flat = np.array([str(name) for found in names.values() for name in found], dtype=object)
    found, codes = np.unique(flat, return_inverse=True)
    known = found.tolist()
    if len(known) == 1:
        raise UserError(f"split.group: {where} puts all {len(flat):,} examples into one group, {known[0]!r}.")
    if len(known) == len(flat):
        raise UserError(
            f"split.group: {where} puts each of {len(flat):,} examples into a group of its own, such as "
            f"{some(known, SHOWN_FILES)}. Leave it out if no examples belong together."
        )
    ends = np.cumsum([len(found) for found in names.values()])[:-1]
    return dict(zip(names, np.split(codes.astype(np.int64), ends), strict=True))


def of_paths(pattern: str, paths: Mapping[str, Sequence[str]]) -> dict[str, Codes]:
    """The groups of files: what a regular expression finds in their paths, its first bracket if it has one.

    Raises:
        UserError: if it does not match every path, or the groups are none.
    """
    found = {part: [_match(pattern, path) for path in listed] for part, listed in paths.items()}
    missed = [path for part, names in found.items() for path, name in zip(paths[part], names, strict=True) if not name]
    if missed:
        total = sum(map(len, paths.values()))
        raise UserError(
            f"split.group: {pattern!r} finds no group in {len(missed):,} of {total:,} paths, such as "
            f"{some(missed, SHOWN_FILES)}. It is searched for in the path inside the data folder, and what its first "
            f"bracket matches is the group."
        )
    return coded(found, repr(pattern))


def of_column(name: str, values: Mapping[str, Sequence[Any]], is_missing: NDArray[np.bool_]) -> dict[str, Codes]:
    """The groups of lines: what stands in a column.

    Args:
        name: of the column.
        values: of its fields, by part.
        is_missing: for all fields, whether it is empty.

    Raises:
        UserError: if a field is empty, or the groups are none.
    """
    if is_missing.any():
        raise UserError(
            f"split.group: {count_of(int(is_missing.sum()), 'line')} of column {name!r} name no group. Fill them in; a "
            f"line that belongs to no other is a group of its own."
        )
    return coded(values, f"column {name!r}")


def _match(pattern: str, path: str) -> str:
    found = re.search(pattern, path)
    return (found.group(1 if found.re.groups else 0) or "") if found else ""


def held_out(groups: Codes, labels: NDArray[Any] | None, size: int, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out: whole groups, about ``size`` rows, with classes as even as a hundred draws give.

    Every draw adds groups in a random order up to the number of rows nearest to ``size``. A draw that leaves a class
    out of either side is taken only if all do.

    Args:
        groups: number of the group of each row, at least two different ones.
        labels: class of each row, from 0; None for numbers to predict.
        size: wanted number of rows.
        seed: seed of the draws.
    """
    _, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    classes = np.zeros(len(groups), np.int64) if labels is None else labels
    totals = np.bincount(classes)
    random = check_random_state(seed % 2**32)
    return min(
        (_drawn(places, counts, size, random) for _ in range(DRAWS)),
        key=lambda rows: _unevenness(np.bincount(classes[rows], minlength=len(totals)), totals, size / len(groups)),
    )


def _drawn(places: NDArray[np.intp], counts: NDArray[np.intp], size: int, random: Any) -> NDArray[np.bool_]:
    """Rows of groups in a random order, up to the number nearest to ``size``; at least one group, and not all."""
    order = random.permutation(len(counts))
    filled = np.cumsum(counts[order])[:-1]
    chosen = np.zeros(len(counts), np.bool_)
    chosen[order[: int(np.abs(filled - size).argmin()) + 1]] = True
    held: NDArray[np.bool_] = chosen[places]
    return held


def _unevenness(held: NDArray[np.intp], totals: NDArray[np.intp], share: float) -> tuple[int, float]:
    """Number of classes that one side lacks, and how far all are from their share (chi-squared, and of the whole)."""
    present = totals > 0
    lacking = int(((held == 0) | (held == totals))[present].sum())
    wanted = share * totals[present]
    apart = float(((held[present] - wanted) ** 2 / wanted).sum() + (held.sum() - wanted.sum()) ** 2 / wanted.sum())
    return lacking, apart
