"""From a YAML file and command-line options to an ExperimentSpec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from superconv_tune.core.errors import UserError
from superconv_tune.spec.spec import ExperimentSpec

DEFAULT = Path(__file__).with_name("digits.yaml")


def load_spec(path: Path | None, overrides: Mapping[str, object]) -> ExperimentSpec:
    place = DEFAULT if path is None else path
    content: dict[str, Any] = yaml.safe_load(place.read_text())
    for key, value in overrides.items():
        node = content
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    if isinstance(content.get("target"), str):
        content["target"] = None if content["target"] == "none" else float(content["target"])
    try:
        return ExperimentSpec.model_validate(content)
    except ValidationError as error:
        raise UserError([f"{place}: {e['loc']}: {e['msg']}" for e in error.errors()]) from error
