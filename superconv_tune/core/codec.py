"""Frozen dataclasses to plain JSON values and back, exactly."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

NAME = "name"  # field by which the members of a union of dataclasses are told apart


def encode(value: object) -> Any:
    """A JSON value for a dataclass of numbers, strings, tuples, mappings, 1-D float arrays and such dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: Any, value: Any) -> Any:
    """The inverse of `encode`, for a dataclass ``kind`` or the annotation of one of its fields.

    Raises:
        ValueError: if the value does not fit the annotation, naming both.
    """
    origin = get_origin(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], item) for name, item in value.items() if name in hints})
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), value)
    if origin is tuple:
        return _decode_tuple(get_args(kind), value)
    if origin is np.ndarray:
        return np.asarray(value, dtype=np.float64)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"Expected one of {get_args(kind)}, but got {value!r}.")
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    return value


def _decode_union(options: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in options:
        return None
    members = [option for option in options if option is not type(None)]
    if len(members) == 1:
        return decode(members[0], value)
    return decode(_named(tuple(members), value), value)


def _named(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union of dataclasses whose name, a field with one literal value, is the name in ``value``."""
    by_name = _by_name(members)
    name = value.get(NAME) if isinstance(value, Mapping) else None
    if name not in by_name:
        raise ValueError(f"Expected one of {', '.join(by_name)} under {NAME!r}, but got {value!r}.")
    return by_name[name]


def _decode_tuple(items: tuple[Any, ...], value: Any) -> Any:
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(decode(items[0], item) for item in value)
    return tuple(decode(item, part) for item, part in zip(items, value, strict=True))


@cache  # else most of the time of reading a journal goes into this
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


@cache
def _by_name(members: tuple[Any, ...]) -> Mapping[Any, Any]:
    return {get_args(_hints(member)[NAME])[0]: member for member in members}
