"""Tensors inside tuples, lists, mappings and plain objects, as models and loaders give them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# torch's default ``ignore_index``; transformers' Trainer pads outputs and labels of other lengths with it.
IGNORED = -100
LEAVES = (bool, int, float, str, bytes, type(None))


def mapped(change: Callable[[Tensor], Tensor], thing: Any) -> Any:
    """The same structure with every tensor changed; what holds no tensors stays as it is."""
    if isinstance(thing, Tensor):
        return change(thing)
    parts = _parts(thing)
    return thing if parts is None else _rebuilt(thing, {key: mapped(change, part) for key, part in parts.items()})


def joined(pieces: Sequence[Any]) -> Any:
    """Structures of the same form as one, in which every tensor is joined along its first axis.

    Tensors without an axis, such as losses, become their mean. Those of different lengths along another axis, such as
    sentences of other batches, are padded with -100 to the longest. Lists of words, such as names of the items, are
    joined too.

    Raises:
        ValueError: if there is an object that is no structure of tensors, or one lacks a part that the first has.
        RuntimeError: if tensors differ in the number of axes.
    """
    first = pieces[0]
    if isinstance(first, Tensor):
        return torch.cat(_of_one_shape(pieces)) if first.dim() else torch.stack(list(pieces)).double().mean()
    if isinstance(first, LEAVES):
        return first
    if _are_words(first):
        return type(first)(word for piece in pieces for word in piece)
    parts = [_parts(piece) or {} for piece in pieces]
    if not parts[0]:
        raise ValueError(f"{shape_words(first)} holds no tensors; give a tensor, or a dict or tuple of tensors")
    others = [piece for piece, part in zip(pieces, parts, strict=True) if parts[0].keys() - part.keys()]
    if others:
        raise ValueError(f"batches cannot be joined: one is {shape_words(first)}, and another {shape_words(others[0])}")
    return _rebuilt(first, {key: joined([part[key] for part in parts]) for key in parts[0]})


def tensors(thing: Any) -> list[Tensor]:
    """All tensors of a structure, in order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(keep, thing)
    return found


def count(thing: Any) -> int:
    """Number of items in a batch: the length of the first tensor that has an axis.

    Raises:
        ValueError: if there is none.
    """
    lengths = [len(tensor) for tensor in tensors(thing) if tensor.dim()]
    if not lengths:
        raise ValueError(f"there is no tensor with an item per row in {shape_words(thing)}")
    return lengths[0]


def pair(batch: Any) -> tuple[Any, Any]:
    """The inputs and the targets of a batch.

    Raises:
        ValueError: if it is no pair.
    """
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    raise ValueError(
        f"a batch is {shape_words(batch)}, but has to be a pair (inputs, targets); each of them may be a tensor, or a "
        f"dict or tuple of tensors"
    )


def shape_words(thing: Any) -> str:
    """A structure in a few words, for messages."""
    if isinstance(thing, Tensor):
        return str(list(thing.shape))
    if isinstance(thing, Mapping):
        return f"a {type(thing).__name__} with {', '.join(map(str, thing)) or 'nothing'}"
    if isinstance(thing, tuple | list):
        return f"a {type(thing).__name__} of {len(thing)}"
    return f"a {type(thing).__name__}"


def _are_words(thing: Any) -> bool:
    return type(thing) in (list, tuple) and len(thing) > 0 and all(isinstance(each, str | bytes) for each in thing)


def _parts(thing: Any) -> dict[Any, Any] | None:
    """The parts of a structure by key, index or name; None for what is none."""
    if isinstance(thing, Mapping):
        return dict(thing.items())
    if isinstance(thing, tuple | list):
        return dict(enumerate(thing))
    attributes = getattr(thing, "__dict__", {})
    has_tensors = any(isinstance(part, Tensor) for part in attributes.values())
    return attributes if has_tensors or (is_dataclass(thing) and not isinstance(thing, type)) else None


def _rebuilt(thing: Any, parts: Mapping[Any, Any]) -> Any:
    """A structure of the same type with other parts."""
    if isinstance(thing, tuple | list):
        values = list(parts.values())
        return type(thing)(*values) if hasattr(thing, "_fields") else type(thing)(values)
    made = copy.copy(thing)
    for key, value in parts.items():
        if isinstance(thing, Mapping):
            made[key] = value
        else:
            object.__setattr__(made, key, value)  # a frozen dataclass too
    return made


def _of_one_shape(pieces: Sequence[Tensor]) -> list[Tensor]:
    shapes = {tuple(piece.shape[1:]) for piece in pieces}
    if len(shapes) == 1 or len({len(shape) for shape in shapes}) > 1:  # torch reports the latter
        return list(pieces)
    longest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    return [F.pad(piece, _missing(piece, longest), value=IGNORED) for piece in pieces]


def _missing(piece: Tensor, longest: Sequence[int]) -> list[int]:
    """The padding of every axis but the first, the last axis first, as torch wants it."""
    return [
        size
        for have, want in zip(reversed(piece.shape[1:]), reversed(longest), strict=True)
        for size in (0, want - have)
    ]
