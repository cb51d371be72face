"""What the author declared of a server, held against what the server tells about itself.

Servers tell settings in spellings of their own ("True", "0.92", null): each is read as the type that our setting has,
and one that cannot be read so is compared as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import isclose, isfinite
from types import NoneType
from typing import get_type_hints

from llmload.domain import TargetFacts
from llmload.frameworks.settings import kinds_of
from llmload.verdict import Finding

Value = str | int | float | bool | None

_CAUSE = "the server runs with another value than the scenario declares; correct framework_config or restart the server"
_CLOSE = 1e-6  # of a share that a server keeps in 32 bits


def actual_settings(settings: type, told: Mapping[str, object]) -> dict[str, Value]:
    """Of what a server told, what tells a setting of the dataclass `settings`, in that setting's own type.

    Nothing is made of what is not a single value, and of a null where the setting knows none.
    """
    hints = get_type_hints(settings, include_extras=True)
    found: dict[str, Value] = {}
    for field in fields(settings):
        value = told.get(field.name)
        if field.name not in told or not (value is None or isinstance(value, str | int | float)):
            continue
        kinds = kinds_of(hints[field.name])
        read = _read_as(kinds, value)
        if read is not None or NoneType in kinds:
            found[field.name] = read
    return found


def disagreements(facts: TargetFacts) -> tuple[Finding, ...]:
    """One finding for each declared setting of which the server tells another value.

    What was only assumed cannot disagree: there the server's word is taken. Declaring `null` leaves it to the server.
    """
    return tuple(
        Finding(f"framework_config.{name}", written(declared), written(actual), _CAUSE, kind="declared")
        for name, actual in sorted(facts.actual.items())
        if name in facts.declared
        and (declared := facts.settings.get(name)) is not None
        and not _is_same(declared, actual)
    )


def written(value: object) -> str:
    """A value as a scenario would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _is_same(declared: object, actual: object) -> bool:
    if isinstance(declared, bool) or isinstance(actual, bool):
        return declared is actual
    if isinstance(declared, int | float) and isinstance(actual, int | float):
        is_counted = isinstance(declared, int) and isinstance(actual, int)
        return declared == actual if is_counted else isclose(declared, actual, rel_tol=_CLOSE)
    return written(declared).casefold() == written(actual).casefold()


def _read_as(kinds: frozenset[object], told: Value) -> Value:
    word = "none" if told is None else str(told).strip()
    small = word.casefold()
    for choice in kinds:
        if isinstance(choice, str) and choice.casefold() == small:
            return choice
    if small in ("none", "null", ""):
        return None
    if bool in kinds and small in ("true", "false"):
        return small == "true"
    number = _number(word)
    if number is not None and number.is_integer() and int in kinds:
        return int(number)
    return number if number is not None and float in kinds else told


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if isfinite(number) else None
