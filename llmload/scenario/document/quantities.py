"""Field types of the document: quantities carry their unit in text, and a bare number is told its likely intent."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from llmload.units import (
    format_duration,
    format_number,
    format_share,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_share,
)


class Section(BaseModel):
    """A map of the document: strict types, no unknown keys, never changed after it was read."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        # Only the whole document is built, on first use; so defaults are made with model_construct(), which builds
        # nothing. That is half of the start-up time of `validate`.
        defer_build=True,
    )


def wrong(message: str, hint: str, field: str = "") -> PydanticCustomError:
    """What a validator raises: the two sentences of a problem, and in which field of a map it lies."""
    return PydanticCustomError("llmload", "{message}", {"message": message, "hint": hint, "field": field})


_LONGEST = 100  # characters; the patterns that read quantities are not made for novels


def _quantity(kind: str, parse: Callable[[str], float], intent: Callable[[float], str]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise wrong(f"expected {kind}", f"Write it like {intent(1)}")
        if not isinstance(value, str):
            likely = intent(value) if math.isfinite(value) else intent(1)
            raise wrong(f"{kind} needs a unit, and {value} has none", f"Did you mean {likely}?")
        if len(value) > _LONGEST:
            raise wrong(f"{kind} of {len(value)} characters", f"Write it like {intent(1)}")
        try:
            return parse(value)
        except ValueError as error:
            message, _, advice = str(error).partition("; ")
            raise wrong(message, advice[:1].upper() + advice[1:] or f"Write it like {intent(1)}") from None

    return read


def _likely_share(value: float) -> str:
    return format_share(value) if 0 < value <= 1 else f"{format_number(value)}%"


_DURATION_TEXT = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$"
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": _DURATION_TEXT, "examples": ["500ms", "30s", "1h30m"]})
_SHARE_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$", "examples": ["95%"]})
_RATE_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(req|requests|tok|tokens)?/(s|m|h)$", "examples": ["2/s"]}
)

_in_seconds = _quantity("a time", parse_duration, lambda value: f"{format_number(value)}s")
_in_milliseconds = _quantity("a time", parse_duration, lambda value: f"{format_number(value)}ms")
_in_percent = _quantity("a share", parse_share, _likely_share)
_of_growth = _quantity("a share", parse_percent, _likely_share)
_per_second = _quantity("a rate", parse_rate, lambda value: f"{format_number(value)}/s")
_tokens_per_second = _quantity("a rate", parse_rate, lambda value: f"{format_number(value)} tok/s")


def _rate_text(value: float) -> str:
    return f"{format_number(value)}/s"


def _tokens_text(value: float) -> str:
    return f"{format_number(value)} tok/s"


_AsDuration = PlainSerializer(format_duration, return_type=str)
_AsShare = PlainSerializer(format_share, return_type=str)

Duration = Annotated[float, BeforeValidator(_in_seconds), _AsDuration, _DURATION_SCHEMA]
"""Seconds, zero allowed; a bare number was probably meant as seconds."""
Patience = Annotated[float, BeforeValidator(_in_seconds), Gt(0), _AsDuration, _DURATION_SCHEMA]
"""Seconds, more than zero."""
Latency = Annotated[float, BeforeValidator(_in_milliseconds), Gt(0), _AsDuration, _DURATION_SCHEMA]
"""Seconds, more than zero; a bare number was probably meant as milliseconds."""
Cost = Annotated[float, BeforeValidator(_in_milliseconds), _AsDuration, _DURATION_SCHEMA]
"""Seconds, zero allowed; a bare number was probably meant as milliseconds."""
Share = Annotated[float, BeforeValidator(_in_percent), _AsShare, _SHARE_SCHEMA]
"""0..1, written with a percent sign."""
Growth = Annotated[float, BeforeValidator(_of_growth), _AsShare, _SHARE_SCHEMA]
"""A share of what there is, on top of it: may pass 100 %."""
Confidence = Annotated[float, BeforeValidator(_in_percent), Ge(0.5), Lt(1), _AsShare, _SHARE_SCHEMA]
RequestRate = Annotated[
    float, BeforeValidator(_per_second), Gt(0), Le(100_000), PlainSerializer(_rate_text), _RATE_SCHEMA
]
TokenRate = Annotated[float, BeforeValidator(_tokens_per_second), Gt(0), PlainSerializer(_tokens_text), _RATE_SCHEMA]

Count = Annotated[int, Ge(1), Le(10**12)]
Whole = Annotated[int, Ge(0), Le(2**63 - 1)]
Positive = Annotated[float, Gt(0)]
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]
"""One line of text, not empty."""
ClassName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""A class of traffic; gates say it in one line."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _hexadecimal(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise wrong("not a SHA-256", "Write its 64 hexadecimal digits, as sha256sum prints them")
    return text


Sha256 = Annotated[str, AfterValidator(_hexadecimal), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})]
