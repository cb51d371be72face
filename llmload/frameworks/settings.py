"""The settings of a framework as its dataclass declares them: names, types in words, defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", NoneType: "null"}
_SIGNS = {Gt: "> {0.gt}", Ge: ">= {0.ge}", Lt: "< {0.lt}", Le: "<= {0.le}"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `type` says which values a scenario may give it; `default` is what is assumed otherwise."""

    name: str
    type: str
    default: object


def settings_of(settings: type) -> tuple[Setting, ...]:
    """What the dataclass `settings` declares, in its order.

    TypeError in one sentence: it is no such dataclass, or has a field that no plain value of YAML fits.
    """
    if not (isinstance(settings, type) and is_dataclass(settings)):
        raise TypeError("its settings are not a dataclass")
    try:
        hints = get_type_hints(settings, include_extras=True)
    except Exception as error:  # the annotations of a third party are evaluated here: anything may come of it
        raise TypeError(f"the types of its settings cannot be read ({error})") from None
    return tuple(_setting(field.name, hints[field.name], field.default) for field in fields(settings))


def kinds_of(hint: object) -> frozenset[object]:
    """The plain types that an annotation allows, and the values of its literals."""
    return frozenset(kind for part in _parts(hint) for kind in _kinds(part))


def _setting(name: str, hint: object, default: object) -> Setting:
    if name.startswith("_"):
        raise TypeError(f"its setting {name} begins with an underscore")
    if default is MISSING:
        raise TypeError(f"its setting {name} has no default")
    if unknown := [kind for kind in kinds_of(hint) if isinstance(kind, type) and kind not in _WORDS]:
        raise TypeError(f"its setting {name} is a {unknown[0].__name__}, and not a number, a text, true, false or null")
    if any(not _is_bounded_number(part) for part in _parts(hint)):
        raise TypeError(f"its setting {name} has bounds that are no numbers, or is no number")
    return Setting(name, " or ".join(_words(part) for part in _parts(hint)), default)


def _is_bounded_number(part: object) -> bool:
    """Whether the bounds of a part are numbers, and it is one too; a part without bounds has none that are not."""
    if get_origin(part) is not Annotated:
        return True
    bounds = [bound for each in get_args(part)[1:] if (bound := _bound(each)) is not None]
    return not bounds or (kinds_of(part) <= {int, float} and all(type(bound) in (int, float) for bound in bounds))


def _bound(constraint: object) -> object:
    match constraint:
        case Ge(bound) | Gt(bound) | Le(bound) | Lt(bound):
            return bound
        case _:
            return None


def _parts(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _kinds(part: object) -> Iterator[object]:
    origin = get_origin(part)
    if origin is Annotated:
        yield from kinds_of(get_args(part)[0])
    elif origin is Literal:
        yield from get_args(part)
    else:
        yield origin or part


def _words(part: object) -> str:
    origin = get_origin(part)
    if origin is Annotated:
        plain, *rest = get_args(part)
        bounds = [_SIGNS[type(each)].format(each) for each in rest if type(each) in _SIGNS]
        return " ".join((" or ".join(_words(each) for each in _parts(plain)), " and ".join(bounds))).strip()
    if origin is Literal:
        return " or ".join(str(value) for value in get_args(part))
    return _WORDS.get(part, str(part)) if isinstance(part, type) else str(part)
