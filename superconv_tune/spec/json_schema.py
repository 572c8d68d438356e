"""The JSON schema of a spec, by which an editor completes keys and words and shows what they mean.

``make reference`` writes it to ``spec.schema.json``. It says less than a spec is checked for: that two keys do not go
together, or that a value lies outside its limits, is said when a spec is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.formats import FORMATS
from superconv_tune.lr.schedule import as_mapping
from superconv_tune.measures.metrics import METRICS
from superconv_tune.spec.docstrings import described
from superconv_tune.spec.fields import Section
from superconv_tune.spec.files import AUTO
from superconv_tune.spec.schedule_schema import schedule_schema
from superconv_tune.spec.space import Space
from superconv_tune.spec.spec import DataSpec, ExperimentSpec, MetricSpec

PATH = Path(__file__).with_name("spec.schema.json")
DRAFT = "http://json-schema.org/draft-07/schema#"  # the latest that editors know
DESCRIBED_BY: Mapping[type, type] = {Space: Hyperparameters}  # whose docstring says what the keys mean

# What pydantic does not know of a key, because code of ours reads it first.
KEYS: Mapping[type, JsonSchemaValue] = {
    DataSpec: {"format": {"enum": [*FORMATS, AUTO]}},
    MetricSpec: {"name": {"anyOf": [{"enum": list(METRICS)}, {"type": "string"}]}},
}
FILLED_IN = {DataSpec: ("format",), MetricSpec: ("direction",)}  # keys that need not be given, though pydantic says so
# Pydantic's names for the limits of a number that may be written in more than one way.
LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def spec_schema() -> JsonSchemaValue:
    """The schema of a YAML file that `superconv_tune.spec.load.load_spec` reads."""
    schema = ExperimentSpec.model_json_schema(schema_generator=_Generator)
    schema["$defs"] |= {"Schedule": schedule_schema()}
    reference, fields = {"$ref": "#/$defs/Schedule"}, ExperimentSpec.model_fields
    several = {"anyOf": [{"type": "array", "items": reference}, {"type": "string"}]}
    schema["properties"]["schedule"] |= reference | {"default": as_mapping(fields["schedule"].default)}
    _list_families(schema)
    schema["properties"]["baselines"] = {
        "description": schema["properties"]["baselines"]["description"],
        "default": [as_mapping(schedule) for schedule in fields["baselines"].default],
    } | several
    whole = {"$schema": DRAFT, "title": "spec of superconv_tune"} | schema
    return json.loads(json.dumps(whole), object_pairs_hook=_with_standard_names)  # type: ignore[no-any-return]


def as_text() -> str:
    """The content of `PATH`."""
    return json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n"


def _list_families(schema: JsonSchemaValue) -> None:
    """In a file the families that compete are a list under ``model``; ``families`` is where the spec keeps them."""
    known = schema["properties"]
    several = known.pop("families")
    words = {"description": "the family of models, or a list of those that compete; without it the data decide."}
    known["model"] |= words | {"anyOf": [*known["model"]["anyOf"], {"type": "array", "items": several["items"]}]}


class _Generator(GenerateJsonSchema):
    """Adds to pydantic's schema what the docstrings say, and the words that stand for a whole section."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A section: its keys, or the one word that is short for it."""
        kind: Any = schema["cls"]
        section = super().model_schema(schema)
        about = described(kind).about
        section |= {"title": about.rstrip("."), "description": about}
        section["properties"] |= KEYS.get(kind, {})
        section["required"] = [key for key in section.get("required", ()) if key not in FILLED_IN.get(kind, ())]
        words = described(DESCRIBED_BY.get(kind, kind)).attributes
        for key, known in section["properties"].items():
            known |= {"description": words[key].replace("None", "null")}
        shorthand = kind.shorthand if issubclass(kind, Section) else None
        return {"anyOf": [_word(section["properties"][shorthand]), section]} if shorthand else section

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """No: the title would repeat the key."""
        return False


def _word(known: JsonSchemaValue) -> JsonSchemaValue:
    """What a bare word may be where it stands for this key of its section."""
    options = [option for option in known.get("anyOf", [known]) if option != {"type": "null"}]
    return options[0] if len(options) == 1 else {"anyOf": options}


def _with_standard_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {LIMITS.get(name, name): value for name, value in pairs}


if __name__ == "__main__":
    PATH.write_text(as_text(), encoding="utf-8")
