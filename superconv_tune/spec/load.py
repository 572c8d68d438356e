"""From a YAML file and command-line options to a checked spec, or to every error at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from superconv_tune.core.errors import UserError, did_you_mean, raise_any
from superconv_tune.spec.fields import Section
from superconv_tune.spec.files import data_at, expanded, make_absolute, missing, name_format, near
from superconv_tune.spec.name import MOST
from superconv_tune.spec.options import option_of
from superconv_tune.spec.space import ELSEWHERE, SHAPES
from superconv_tune.spec.spec import ExperimentSpec

DEFAULT = Path(__file__).with_name("digits.yaml")  # the spec of a search that names none
# How PyYAML calls whole numbers, others, and the key << that takes over what another mapping has.
INT, FLOAT, MERGE = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:merge"
WRITTEN = Path("spec")  # in messages, and in the working directory: one that a program wrote
EXAMPLES = "See search_spaces/ for examples."
SHOWN_CHARS = 80  # length of a wrong value in a message


def load_spec(
    asked: Path | Mapping[str, object] | None,
    overrides: Mapping[str, object],
    *,
    data_elsewhere: bool = False,
    called: Callable[[str], str] = option_of,
) -> ExperimentSpec:
    """Read and check a spec.

    Args:
        asked: path of the YAML file; its content, if a program wrote it; or None for the built-in digits. Paths inside
            are relative to the file's folder, or to the working directory. In all paths ``~`` and ``$VARIABLE`` are
            replaced.
        overrides: values by dotted key (``data.path``) that replace those of the file; their paths are relative to
            the working directory. ``data.path`` without a spec asks a question without a target.
        data_elsewhere: whether ``data.path`` is on another machine, and neither looked for nor expanded here.
        called: what the user calls a dotted key that replaces one of the file, for messages.

    Raises:
        UserError: with one message for each error.
    """
    place, content = _asked(asked, overrides)
    make_absolute(content, place.parent.absolute())
    for key, value in overrides.items():
        _override(content, key, _placed(key, value, is_elsewhere=data_elsewhere))
    name_format(content)
    given = {key: called(key) for key in overrides}
    absent = {key: file for key, file in missing(content).items() if not (data_elsewhere and key == "data.path")}
    messages = [
        f"{_where(place, key, given)}: there is no file or folder {file}. {near(file)}" for key, file in absent.items()
    ]
    try:
        spec = ExperimentSpec.model_validate(content)
    except ValidationError as error:
        details = [each for each in error.errors() if "data.path" not in absent or each["loc"] != ("data", "format")]
        messages += [message(place, detail, given) for detail in details]
        raise UserError(messages) from error
    raise_any(messages)
    return spec


def _asked(asked: Path | Mapping[str, object] | None, overrides: Mapping[str, object]) -> tuple[Path, dict[str, Any]]:
    """The content that was asked for, and the file that it is from, or that messages call it by."""
    if isinstance(asked, Mapping):
        return WRITTEN, {"name": "study"} | deepcopy(dict(asked))
    if asked is None and "data.path" in overrides:
        return DEFAULT, {"name": _slug(str(overrides["data.path"]))}
    place = expanded(asked) if asked else DEFAULT
    return place, read_yaml(place, "spec", EXAMPLES)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice; PyYAML would silently take the second."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value if key.tag != MERGE]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.MarkedYAMLError(problem=f"the key {twice[0]!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> object:
    """A number as an option reads it. YAML 1.1 takes 010 for 8 and 1:30 for 90; YAML 1.2 does not."""
    text = node.value.replace("_", "")
    if ":" in text:
        return node.value
    if node.tag == FLOAT:
        return loader.construct_yaml_float(node)
    return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else loader.construct_yaml_int(node)


for tag in (INT, FLOAT):
    _StrictLoader.add_constructor(tag, _number)

# YAML 1.1 reads 1e-4 as text; YAML 1.2 reads it as a number, and so does this loader.
_StrictLoader.add_implicit_resolver(FLOAT, re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


def read_yaml(path: Path, what: str, hint: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: path of the file.
        what: what the file should be, for messages.
        hint: sentence that says where to find a correct one.

    Raises:
        UserError: if the file cannot be read, or does not hold a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {near(path)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file ({error.reason}). A {what} is YAML.") from error
    except (yaml.YAMLError, ValueError) as error:  # an invalid date, such as 2024-13-01, is a plain ValueError
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise UserError(f"{path} {found}, but a {what} is a mapping of keys. {hint}")
    return content


def _placed(key: str, value: object, *, is_elsewhere: bool) -> object:
    """The value; as a path if the key takes one."""
    if key == "data.path":
        is_there = is_elsewhere and str(value).startswith(("~", "$"))  # whose home it is shows on the other machine
        return Path(str(value)) if is_there else expanded(str(value)).absolute()
    return str(expanded(str(value))) if key == "output" else value


def _override(content: dict[str, Any], key: str, value: object) -> None:
    if isinstance(value, Path):
        content["data"] = data_at(content.get("data"), value)
        return
    *sections, last = key.split(".")
    for place, section in enumerate(sections):
        inner = content.get(section)
        if inner is None:
            content[section] = {}
        elif isinstance(inner, str) and (short := _shorthand(sections[: place + 1])):
            content[section] = {short: inner}
        elif not isinstance(inner, dict):  # an error in the file, reported when the spec is checked
            return
        content = content[section]
    content[last] = value


def _shorthand(keys: list[str]) -> str | None:
    """The key that a bare word in a section stands for, if there is one."""
    section = _section_at(keys, ExperimentSpec)
    return section.shorthand if section is not None and issubclass(section, Section) else None


def _slug(path: str) -> str:
    """A study name made from the name of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(path).stem).strip("-.")[:MOST] or "data"


def _where(place: Path, dotted: str, given: Mapping[str, str]) -> str:
    """The option or the place in the file that a message is about."""
    option = next((key for key in given if f"{dotted}.".startswith(f"{key}.")), None)
    return f"{place}: {dotted or 'the whole'}" if option is None else given[option]


def message(
    path: Path,
    detail: ErrorDetails,
    given: Mapping[str, str],
    root: type[BaseModel] = ExperimentSpec,
    hints: Mapping[str, str] = ELSEWHERE,
) -> str:
    """A message for an error that pydantic found: where it is, what is wrong, what was given, how to fix it.

    Args:
        path: path of the file.
        detail: the error; its ``loc`` has the keys as in the file.
        given: what the user calls the keys that were given as options, by dotted key.
        root: type of the whole file.
        hints: advice by unknown key.
    """
    keys = ["model" if key == "families" else str(key) for key in detail["loc"] if key not in SHAPES]
    dotted = ".".join(keys)
    where = _where(path, dotted, given)
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key. {_known_key(keys, root, hints)}"
    if detail["type"] == "missing":
        return f"{where}: is missing. Add it."
    text = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return f"{where}: {text}" + ("" if text.endswith((".", "?")) else ".")
    shown = repr(detail["input"])[:SHOWN_CHARS]
    if detail["type"] == "literal_error":
        return f"{where}: is unknown: {shown}. {did_you_mean(detail['input'], _words(detail))}"
    if detail["type"] == "model_type":
        return f"{where}: takes keys, but got {shown}. Known: {', '.join(_keys_of(keys, root))}."
    return f"{where}: {text[0].lower()}{text[1:]}, but got {shown}."


def _words(detail: ErrorDetails) -> list[str]:
    """The values that pydantic expected, from its ``'max' or 'min'``, or ``0, 1 or 2``."""
    return [word.strip("'") for word in re.split(r", | or ", detail["ctx"]["expected"])]


def _known_key(keys: list[str], root: type[BaseModel], hints: Mapping[str, str]) -> str:
    """Advice on an unknown key: the hint for a known mistake, else the most similar key of its section."""
    if keys[-1] in hints:
        return hints[keys[-1]]
    known = _keys_of(keys[:-1], root)
    return did_you_mean(keys[-1], known) if known else "Leave it out."


def _keys_of(keys: list[str], root: type[BaseModel]) -> list[str]:
    """The keys of a section."""
    section = _section_at(keys, root)
    return list(section.model_fields) if section else []


def _section_at(keys: list[str], root: type[BaseModel]) -> type[BaseModel] | None:
    section: type[BaseModel] | None = root
    for key in (key for key in keys if not key.isdecimal()):  # the place in a list
        section = _section(section, key) if section else None
    return section


def _section(parent: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = parent.model_fields.get(key)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
