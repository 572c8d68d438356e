"""The JSON schema of a schedule, from the dataclasses that declare policies and their options."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from superconv_tune.lr.options import Limits, Option, options_of
from superconv_tune.lr.policies import SCHEDULES
from superconv_tune.lr.schedule import Schedule
from superconv_tune.spec.docstrings import described

TEXT = rf"^\s*({'|'.join(SCHEDULES)})\s*,.*$"  # ``cosine,warmup=linear``; what follows is checked when it is read


def schedule_schema() -> dict[str, Any]:
    """The name of a policy, a text with options behind the name, or a mapping with the options of its policy."""
    return {
        "anyOf": [{"enum": list(SCHEDULES)}, {"type": "string", "pattern": TEXT}, *map(_mapping, SCHEDULES)],
    }


def _mapping(name: str) -> dict[str, Any]:
    policy = SCHEDULES[name]
    options = {
        option.name: _value(option) | {"description": words[option.name]}
        for owner, words in ((owner, described(owner).attributes) for owner in (policy, Schedule))
        for option in options_of(owner).values()
        if option.name != "name"
    }
    return {
        "type": "object",
        "description": described(policy).about,
        "properties": {"policy": {"const": name}} | options,
        "required": ["policy"] if name != Schedule().name else [],
        "additionalProperties": False,
    }


def _value(option: Option) -> dict[str, Any]:
    default = {"default": list(option.default) if isinstance(option.default, tuple) else option.default}
    if option.kind is bool:
        return {"type": "boolean"} | default
    if get_origin(option.kind) is Literal:
        return {"enum": list(get_args(option.kind))} | default
    number = {"type": "number"} | _bounds(option.limits)
    if get_origin(option.kind) is tuple:
        return {"type": "array", "items": number, "minItems": 1} | default
    return number | default


def _bounds(limits: Limits) -> dict[str, float]:
    found = {"exclusiveMinimum": limits.above, "minimum": limits.least, "maximum": limits.most}
    return {name: bound for name, bound in found.items() if bound is not None}
