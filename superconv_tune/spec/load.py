"""From a YAML file and command-line options to a checked spec, or to every error at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from superconv_tune.core.errors import UserError
from superconv_tune.spec.fields import did_you_mean
from superconv_tune.spec.space import ELSEWHERE, SHAPES
from superconv_tune.spec.spec import ExperimentSpec

DEFAULT = Path(__file__).with_name("digits.yaml")  # what a search without a spec asks
NO_TARGET = "none"
FACTORIES = (("task", "factory"), ("model", "factory"), ("optimizer", "factory"))
SHOWN_CHARS = 80  # of a wrong value in a message


def load_spec(path: Path | None, overrides: Mapping[str, object]) -> ExperimentSpec:
    """Read and check a spec.

    Args:
        path: of the YAML file; None for the built-in digits. Paths inside are relative to its folder.
        overrides: values by dotted key (``data.path``), which win over the file; their paths are relative to here.

    Raises:
        UserError: with a message for everything that is wrong.
    """
    place = path or DEFAULT
    content = _read(place)
    _make_absolute(content, place.parent.absolute())
    for key, value in overrides.items():
        _override(content, key, value)
    try:
        return ExperimentSpec.model_validate(content)
    except ValidationError as error:
        raise UserError([_told(place, detail, overrides) for detail in error.errors()]) from error


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once: the second of two would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.MarkedYAMLError(problem=f"the key {twice[0]!r} stands there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {_near(path)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text file ({error.reason}). A spec is YAML.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        came = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise UserError(f"{path} {came}, but a spec is a mapping of keys. See search_spaces/ for examples.")
    return content


def _near(path: Path) -> str:
    if path.parent.is_dir():
        files = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in {".yaml", ".yml"})
        return f"Specs in {path.parent.absolute()}: {', '.join(files) or 'none'}."
    return f"There is no folder {path.parent}."


def _make_absolute(content: dict[str, Any], folder: Path) -> None:
    """Paths of the file, which are relative to it, made independent of where the command runs."""
    data = content.get("data")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = str(folder / Path(data["path"]).expanduser())
    for section, key in FACTORIES:
        part = content.get(section)
        if isinstance(part, str) and section == "task":
            content[section] = _absolute(part, folder)
        elif isinstance(part, dict) and isinstance(part.get(key), str):
            part[key] = _absolute(part[key], folder)


def _absolute(factory: str, folder: Path) -> str:
    place, _, function = factory.rpartition(":")
    return f"{folder / place}:{function}" if place.endswith(".py") else factory


def _override(content: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        if isinstance(content.get(section), str):  # a shorthand, as in data: idx
            content[section] = {"format": content[section]}
        content = content.setdefault(section, {})
    if key == "data.path":
        value = str(Path(str(value)).expanduser().absolute())
    if key == "target" and value == NO_TARGET:
        value = None
    content[last] = int(value) if isinstance(value, str) and value.isdigit() else value


def _told(path: Path, detail: ErrorDetails, overrides: Mapping[str, object]) -> str:
    keys = [str(key) for key in detail["loc"] if key not in SHAPES]
    dotted = ".".join(keys)
    option = next((f"--{key.split('.')[-1].replace('_', '-')}" for key in overrides if key == dotted), None)
    where = option or f"{path}: {dotted or 'the whole'}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key. {_known_key(keys)}"
    if detail["type"] == "missing":
        return f"{where}: is missing. Add it."
    text = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return f"{where}: {text}" + ("" if text.endswith((".", "?")) else ".")
    shown = repr(detail["input"])
    return f"{where}: {text[0].lower()}{text[1:]}, but got {shown[:SHOWN_CHARS]}."


def _known_key(keys: list[str]) -> str:
    """What the unknown key may have meant: a word for a known mistake, else the nearest key of its section."""
    if keys[-1] in ELSEWHERE:
        return ELSEWHERE[keys[-1]]
    section: type[BaseModel] | None = ExperimentSpec
    for key in keys[:-1]:
        section = _section(section, key) if section else None
    return did_you_mean(keys[-1], section.model_fields) if section else "Leave it out."


def _section(parent: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = parent.model_fields.get(key)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
