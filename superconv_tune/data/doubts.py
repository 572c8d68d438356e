"""What in the data weakens a result: examples that are in two parts, contradictory labels, rare classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from superconv_tune.data.parts import Part
from superconv_tune.data.prints import Digests, difference_hash, exact, thumbnails

UNEVEN = 3.0  # times as many examples in the largest class as in the smallest
BITS = 2  # of 64 in which the hashes of images that look alike may differ: copies that were scaled or stored again
ALIKE = 0.995  # least correlation of their thumbnails and of their pixels; the hash alone finds any two shirts alike
PAIRS = 2 * 10**9  # most that are compared, in a few seconds; of more, only every k-th held-out image is compared
BLOCK = 2**19  # pairs at a time, which fit into the processor's cache
SLICE = 1024  # pairs at a time of which whole images are compared
SHOWN = 3  # pairs in a message
# The stem of a name, and its number. A digit before it is a part of the number if nothing stands between.
RUNNING_NUMBER = re.compile(r"(.*?[^\W_].*?)(?:[ _.-]|(?<!\d))(?:\d+|\(\d+\))", re.DOTALL)
BY_STEM = r"([^/]*?)[ _.-]?\(?[0-9]+\)?\.[^./]*$"  # finds nearly the same in a path, without its folders
MORE_STEMS = 2  # times as many stems as classes, from which they are more than names of classes
MOSTLY = 0.5  # share of the names that have a stem with others


@dataclass(frozen=True)
class Twins:
    """Pairs of examples that are in two parts.

    Attributes:
        parts: names of the two; first the one that is trained on, or evaluated more often.
        first: indices in the first part.
        second: indices in the second part, each once.
        compared: number of examples of the second part that were compared.
    """

    parts: tuple[str, str]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    compared: int


def doubts(parts: Mapping[str, Part], names: Mapping[str, Sequence[str]], classes: Sequence[str] | None) -> list[str]:
    """All weaknesses found, as sentences for the user.

    Args:
        parts: ``training``, ``validation`` and ``test``, after the split.
        names: names of the examples of every part; empty if they have none.
        classes: names of the classes; None for regression.
    """
    digests = {name: exact(part.inputs) for name, part in parts.items()}
    same = [_same((one, other), digests) for one, other in combinations(parts, 2)]
    found = _shared_examples(same, names, "equal")
    if parts["training"].inputs.ndim == 4:
        found += _shared_examples(_alike(parts, same), names, "nearly equal (by a perceptual hash)")
    found += _belonging_together(names, classes)
    if classes is None:
        return found
    return [*found, *_contradictions(parts, digests), *_uneven(parts["training"], classes)]


def torn_groups(parts: Mapping[str, Part]) -> list[str]:
    """A warning if data that came split have groups on two sides."""
    found = []
    for one, other in combinations(parts, 2):
        groups = parts[one].groups, parts[other].groups
        if groups[0] is None or groups[1] is None:
            continue
        torn = np.intersect1d(groups[0], groups[1])
        if len(torn):
            found.append(
                f"{len(torn):,} of {parts[other].number_of_groups:,} groups of the {other} part are in the {one} part "
                f"too, as the data came: results on them say little about new groups."
            )
    return found


def _same(pair: tuple[str, str], digests: Mapping[str, Digests]) -> Twins:
    one, other = pair
    known, first = np.unique(digests[one], return_index=True)
    second = np.flatnonzero(np.isin(digests[other], known))
    return Twins(pair, first[np.searchsorted(known, digests[other][second])], second, len(digests[other]))


def _alike(parts: Mapping[str, Part], same: Sequence[Twins]) -> list[Twins]:
    """Images that are equal only to the eye: the same picture scaled or compressed again."""
    small = {name: thumbnails(part.inputs) for name, part in parts.items()}
    hashes = {name: difference_hash(each) for name, each in small.items()}
    found = []
    for twins in same:
        one, other = twins.parts
        rest = np.setdiff1d(np.arange(len(parts[other])), twins.second)
        rest = rest[:: 1 + len(rest) * len(parts[one]) // PAIRS]
        match = np.full(len(parts[other]), -1, np.intp)
        for first, second in _near(hashes[one], hashes[other], rest):
            is_open = match[second] < 0
            first, second = first[is_open], second[is_open]
            likely = _correlation(small[one][first], small[other][second]) >= ALIKE
            first, second = first[likely], second[likely]
            sure = _correlation(parts[one].inputs[first], parts[other].inputs[second]) >= ALIKE
            match[second[sure]] = first[sure]
        seconds = np.flatnonzero(match >= 0)
        found.append(Twins(twins.parts, match[seconds], seconds, len(rest)))
    return found


def _near(
    one: NDArray[np.uint64], other: NDArray[np.uint64], rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Indices of hashes within BITS of each other, a slice at a time, in the order of the second part's ``rows``."""
    step = max(1, BLOCK // max(1, len(one)))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        is_near = np.bitwise_count(other[block, None] ^ one) <= BITS
        near = np.flatnonzero(is_near)
        for begin in range(0, len(near), SLICE):
            second, first = np.divmod(near[begin : begin + SLICE], max(1, len(one)))
            yield first, block[second]


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation of every item with its counterpart; 0 if one of them is a single colour, which resembles many."""
    first, second = _centred(one), _centred(other)
    both, squares = (first * second).sum(axis=1), np.square(first).sum(axis=1) * np.square(second).sum(axis=1)
    return np.where(squares > 0, both / np.sqrt(np.maximum(squares, 1e-12)), 0.0).astype(np.float32)


def _centred(items: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = items.reshape(len(items), int(np.prod(items.shape[1:]))).astype(np.float32)
    centred: NDArray[np.float32] = values - values.mean(axis=1, keepdims=True)
    return centred


def _shared_examples(twins: Iterable[Twins], names: Mapping[str, Sequence[str]], how: str) -> list[str]:
    """One warning for each pair of parts that share examples."""
    return [
        f"{len(each.second):,} of {each.compared:,} examples of the {each.parts[1]} part are {how} to ones "
        f"of the {each.parts[0]} part{_pairs(each, names)}: results on them say little about new data."
        for each in twins
        if len(each.second)
    ]


def _pairs(twins: Twins, names: Mapping[str, Sequence[str]]) -> str:
    if not all(names.get(part) for part in twins.parts):
        return ""
    (one, other), pairs = twins.parts, list(zip(twins.first, twins.second, strict=True))[:SHOWN]
    shown = ", ".join(f"{names[one][first]} and {names[other][second]}" for first, second in pairs)
    return f" (such as {shown})"


def _belonging_together(names: Mapping[str, Sequence[str]], classes: Sequence[str] | None) -> list[str]:
    """A warning if names differ only by a running number across parts, as those of frames of one recording do.

    Names with one stem per class, or one for all, are only numbered; and a stem of one name is no group.
    """
    stems = {part: [_stem(name) for name in found] for part, found in names.items()}
    counts = Counter(stem for found in stems.values() for stem in found if stem)
    groups = {stem for stem, count in counts.items() if count > 1}
    if len(groups) <= MORE_STEMS * len(classes or ()) or sum(map(counts.__getitem__, groups)) < MOSTLY * _total(names):
        return []
    trained = {stem: name for stem, name in zip(stems["training"], names["training"], strict=True) if stem in groups}
    torn = [row for row, stem in enumerate(stems["test"]) if stem in trained]
    if not torn:
        return []
    first = torn[0]
    return [
        f"{len(torn):,} of {len(stems['test']):,} examples of the test part have the name of one of the training part "
        f"but for a running number (such as {names['test'][first]} and {trained[stems['test'][first]]}). If such "
        f"examples belong together (one patient, one recording), results say little about new ones: "
        f"--group '{BY_STEM}' (in a spec `split: {{group: …}}`) keeps them on one side, and errors then count groups."
    ]


def _stem(name: str) -> str:
    """The name without its ending and the number before that; empty if it has no such number."""
    found = RUNNING_NUMBER.fullmatch(name.rpartition(".")[0] or name)
    return found.group(1) if found else ""


def _total(names: Mapping[str, Sequence[str]]) -> int:
    return sum(map(len, names.values()))


def _contradictions(parts: Mapping[str, Part], digests: Mapping[str, Digests]) -> list[str]:
    _, items = np.unique(np.concatenate([digests[name] for name in parts]), return_inverse=True)
    pairs = np.unique(np.stack([items, np.concatenate([part.targets for part in parts.values()])]), axis=1)
    labels = np.bincount(pairs[0])  # how many different ones every item has
    count = int((labels[items] > 1).sum())
    told = f"{count:,} examples are equal to one with another label: no model can get all of them right."
    return [told] if count else []


def _uneven(train: Part, classes: Sequence[str]) -> list[str]:
    counts = np.bincount(train.targets, minlength=len(classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEVEN * counts[least]:
        return []
    return [
        f"The classes are uneven: {counts[most]:,} training examples of {classes[most]}, but {counts[least]:,} of "
        f"{classes[least]}. Accuracy hardly reflects the rare ones; `metric: balanced_accuracy` counts all alike."
    ]
