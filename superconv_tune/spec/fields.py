"""Types of values that several sections of a spec share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from superconv_tune.core.errors import did_you_mean
from superconv_tune.core.secrets import Address

NONE = "none"
_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


class Section(BaseModel):
    """A mapping of the YAML file: frozen, without unknown keys, without infinite numbers.

    Attributes:
        shorthand: the key that a bare string stands for, so that ``metric: rmse`` means ``metric: {name: rmse}``.
    """

    # Values are shown by our own messages only, which know what a secret is.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
    shorthand: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return {cls.shorthand: value} if cls.shorthand and isinstance(value, str) else value


def one_of(names: Iterable[str]) -> BeforeValidator:
    """A check that a word is one of the names; the message has the nearest one, and the JSON schema has them all."""
    known = tuple(names)

    def check(value: object) -> object:
        if value not in known:
            raise ValueError(f"is unknown: {value!r}. {did_you_mean(value, known)}")
        return value

    return BeforeValidator(check, json_schema_input_type=Literal[known])


def to_number(value: object) -> int | float:
    """A finite number from a number or from text, such as a command-line option.

    Raises:
        ValueError: for anything else. YAML's ``yes`` and ``on`` are not numbers, though Python's True is one.
    """
    try:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else float(_text(value))
        is_finite = math.isfinite(number)
    except ValueError:
        raise ValueError(f"must be a number, but got {value!r}") from None
    except OverflowError:  # a whole number too large for a float
        is_finite = False
    if not is_finite:
        raise ValueError("must be finite, but is infinite or too large")
    return number


def to_seconds(value: object) -> float:
    """Seconds from a number or a duration like ``90s``, ``10m``, ``1h30m``.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(to_number(value))
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) and value.strip() else None
    if match is None:
        raise ValueError(f"must be seconds or a duration, but got {value!r}. Write 90, 90s, 10m, 1h or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.group("h", "m", "s"))
    return 3600 * hours + 60 * minutes + seconds


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _whole(value: object) -> object:
    if isinstance(value, bool):  # YAML reads yes, on and true as one, and Python takes True for 1
        raise ValueError(f"must be a whole number, but got {value!r}")
    return value


def is_none(value: object) -> bool:
    """Whether a value is the word ``none``, in any case: also what Python calls None."""
    return isinstance(value, str) and value.strip().lower() == NONE


def _none(value: object) -> object:
    """None for the word ``none``, which says the same in a file and in an option."""
    return None if is_none(value) else value


@dataclass(frozen=True)
class _OrNone:
    """Of a field that may be left empty: the word ``none`` does so too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_none, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        return {"anyOf": [*found.get("anyOf", [found]), {"const": NONE}]}


OrNone = _OrNone()
Duration = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s?)?$", examples=["10m", "1h"])]
Seconds = Annotated[float, BeforeValidator(to_seconds, json_schema_input_type=float | Duration)]
Number = Annotated[int | float, BeforeValidator(to_number, json_schema_input_type=float)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
CountOrZero = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Seed = CountOrZero
Share = Annotated[Number, Field(ge=0, lt=1)]


def to_address(value: object) -> Address:
    """The address in a text.

    Raises:
        ValueError: for anything else, or if it is not clear where its password ends; the value is not repeated.
    """
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError("takes an address such as sqlite:///studies.db, postgresql://host/studies or http://host:5000")
    return Address(value)


# Is dumped without its password, so that no copy of a spec has it.
AddressField = Annotated[
    Address, PlainValidator(to_address, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]
