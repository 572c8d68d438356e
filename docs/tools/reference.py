"""Writes the pages of the reference that follow from the code; a test compares them with what is committed.

python -m docs.tools.reference
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from superconv_tune.commands.main import app
from superconv_tune.spec.json_schema import PATH as SPEC_SCHEMA
from superconv_tune.spec.json_schema import spec_schema

FOLDER = Path(__file__).parents[1] / "reference"
VERDICT_SCHEMA = SPEC_SCHEMA.parents[1] / "reporting" / "verdict.schema.json"
NOTE = "<!-- Made from the code by `make reference`; edit the code. -->\n"

SPEC_BEGINNING = """\
# Keys of a spec

A spec is a YAML file: one question, and how it is searched. Every key but `name` and either `data` or `task` may be
left out. A section that has one main key takes a bare word for it: `data: digits` is `data: {format: digits}`. A wrong
key is answered with the right one. Options of the command line replace keys; they take the same words. Editors complete
the keys: see [Complete keys in an editor](../how_to/editor.md).
"""
VERDICT_BEGINNING = """\
# verdict.json

The answer for programs. Its JSON schema, which is installed with the package, is
[`verdict.schema.json`](../../superconv_tune/reporting/verdict.schema.json). `schema_version` rises when a key changes
its meaning or is removed; new keys may come at any time.
"""
COMMANDS_BEGINNING = """\
# Commands

Each command says the same with `--help`, and `python -m superconv_tune.search` is `superconv-tune search`. In bash, zsh
and fish `superconv-tune --install-completion` has the Tab key complete commands and options.
"""


def pages() -> dict[Path, str]:
    """The content of every generated page."""
    return {
        FOLDER / "spec.md": NOTE + SPEC_BEGINNING + "".join(_spec()),
        FOLDER / "verdict.md": NOTE + VERDICT_BEGINNING + "".join(_verdict()),
        FOLDER / "commands.md": NOTE + COMMANDS_BEGINNING + "".join(_commands()),
    }


# -- keys of a spec -------------------------------------------------------------------------------------------------


def _spec() -> Iterator[str]:
    schema = spec_schema()
    yield _keys("The file itself", schema)
    titles = {"DataSpec": "data", "TaskSpec": "task", "ModelSpec": "model", "MetricSpec": "metric"}
    titles |= {"OptimizerSpec": "optimizer", "Space": "space", "Range": "a range of the space", "SplitSpec": "split"}
    titles |= {"ResourcesSpec": "resources", "PixelScale": "normalise"}
    rest = {name: name for name in schema["$defs"] if name != "Schedule"}
    for name, title in (titles | {key: word for key, word in rest.items() if key not in titles}).items():
        if name in schema["$defs"]:
            yield _keys(f"`{title}`" if " " not in title else title.capitalize(), schema["$defs"][name])
    yield "\n`schedule` and each of the `baselines`: see [Learning-rate policies](schedules.md).\n"


def _keys(title: str, section: Mapping[str, Any]) -> str:
    options = section.get("anyOf", [section])
    properties: Mapping[str, Any] = next(option["properties"] for option in options if "properties" in option)
    rows = [f"| `{key}` | {_values(known)} | {_cell(known['description'])} |" for key, known in properties.items()]
    return "\n".join([f"\n## {title}\n", "| key | value | meaning |", "|---|---|---|", *rows]) + "\n"


def _values(known: Mapping[str, Any]) -> str:
    """What may be written, and the default."""
    words = list(dict.fromkeys(_kinds(known)))
    default = known.get("default")
    said = (
        ""
        if default is None or (isinstance(default, dict) and "a section" in words)
        else f"; default `{_as_yaml(default)}`"
    )
    return _cell(", ".join(words) + said)


def _kinds(known: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in known:
        yield f"see `{known['$ref'].rpartition('/')[2]}`" if known["$ref"].endswith("Range") else "a section"
    for option in [*known.get("anyOf", ()), *known.get("oneOf", ())]:
        yield from _kinds(option)
    if "enum" in known:
        yield ", ".join(f"`{word}`" for word in known["enum"])
    elif "const" in known:
        yield f"`{known['const']}`"
    elif known.get("type") not in (None, "null"):
        yield {"string": "text", "array": "a list", "object": "a mapping", "integer": "whole number"}.get(
            known["type"], known["type"]
        )


def _as_yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_as_yaml(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_yaml, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# -- verdict.json ---------------------------------------------------------------------------------------------------


def _verdict() -> Iterator[str]:
    schema = json.loads(VERDICT_SCHEMA.read_text(encoding="utf-8"))
    yield "\n| key | value | meaning |\n|---|---|---|\n"
    yield from _entries(schema, schema, "")


def _entries(schema: Mapping[str, Any], whole: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, known in schema.get("properties", {}).items():
        resolved = _resolved(known, whole)
        kind = ", ".join(dict.fromkeys(_json_kinds(resolved, whole)))
        meaning = known.get("description") or resolved.get("description", "")
        yield f"| `{prefix}{key}` | {_cell(kind)} | {_cell(meaning)} |\n"
        for option in [resolved, *resolved.get("oneOf", ()), *resolved.get("anyOf", ())]:
            inner = _resolved(option, whole)
            yield from _entries(inner, whole, f"{prefix}{key}.")
            if "items" in inner:
                yield from _entries(_resolved(inner["items"], whole), whole, f"{prefix}{key}[].")


def _resolved(known: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in known:
        return known
    found: Any = whole
    for part in known["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return {**found, **{key: value for key, value in known.items() if key != "$ref"}}


def _json_kinds(known: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    for option in [*known.get("anyOf", ()), *known.get("oneOf", ())]:
        yield from _json_kinds(_resolved(option, whole), whole)
    if "enum" in known:
        yield ", ".join(f"`{json.dumps(word)}`" for word in known["enum"])
    elif "const" in known:
        yield f"`{json.dumps(known['const'])}`"
    else:
        kinds = known.get("type", [])
        yield from [kinds] if isinstance(kinds, str) else kinds


# -- commands -------------------------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    whole: Any = typer.main.get_command(app)
    for name, command in whole.commands.items():
        yield _command(f"superconv-tune {name}", command)


def _command(title: str, command: Any) -> str:
    about, examples = (inspect.cleandoc(part or "") for part in (command.help, command.epilog))
    rows = [f"| {_option(param)} | {_cell(_meaning(param))} |" for param in command.params if _is_shown(param)]
    table = "\n".join(["| option | meaning |", "|---|---|", *rows])
    examples = re.sub(r"\n{2,}", "\n\n", examples.replace("\b", "").strip("\n"))
    return f"\n## `{title}`\n\n{_unmarked(about)}\n\n{table}\n\n```text\n{examples}\n```\n"


def _is_shown(param: Any) -> bool:
    return not getattr(param, "hidden", False) and param.name not in ("install_completion", "show_completion")


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name}`"
    return ", ".join(f"`{name}`" for name in param.opts)


def _meaning(param: Any) -> str:
    text = getattr(param, "help", None) or ""
    default = param.default
    is_said = not getattr(param, "show_default", True) or default in (None, False, ()) or "Default" in text
    return text if is_said or callable(default) else f"{text} Default: `{default}`."


def _unmarked(text: str) -> str:
    return text.replace("\b", "").strip()


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
