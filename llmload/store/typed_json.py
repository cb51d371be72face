"""Our types as JSON and back, for documents that anybody may have written: what is not of the type raises.

Nothing is converted: a text stays a text and is never taken for a number, since a page trusts what it is told. Numbers
are such that arithmetic with them does not overflow.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Literal, TypeVar, Union, get_args, get_origin

from llmload.baseline import Estimate
from llmload.verdict import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from cattrs import Converter

Kind = TypeVar("Kind")

_MOST, _LEAST = 2**63, 1e-30
"""Sizes within which the figures of a page can be added, multiplied and divided."""

_DEEPEST = 20
"""Levels of a foreign value, such as a setting that a server told."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF_A_CHARACTER = re.compile(r"(?<!\\)(?:\\\\)*+\\u[dD][89a-fA-F]")  # and no backslash before a u in a text


def to_text(value: object) -> bytes:
    """A value of ours in UTF-8, in its own order; a lone surrogate, which UTF-8 cannot hold, becomes U+FFFD."""
    told = json.dumps(_converter().unstructure(value), ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub("\ufffd", told).encode()


def of_text(text: bytes, kind: type[Kind]) -> Kind:
    """The value again; raises ValueError, TypeError and others for what is none."""
    told = text.decode()
    if _HALF_A_CHARACTER.search(told):
        raise ValueError("half a character, which to_text never writes")
    return _converter().structure(json.loads(told), kind)


@cache
def _converter() -> Converter:
    """From our types to what JSON has, and back. That of cattrs for JSON lets any number pass for another one."""
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook_func(lambda kind: kind is object, _foreign)
    for kind, hook in ((float, _number), (int, _whole), (bool, _truth), (str, _text)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(lambda kind: kind == float | None, _number_if_any)  # most fields are such
    converter.register_structure_hook_func(_is_word, _word)
    converter.register_structure_hook(Estimate, _with_figures(Estimate, converter, _figure, "value"))
    converter.register_structure_hook(Evidence, _with_figures(Evidence, converter, _figure_if_any, *_BEYOND))
    return converter


_BEYOND = ("observed", "low", "high")


def _with_figures(kind: type, converter: Converter, hook: Callable[..., object], *names: str) -> Callable[..., object]:
    from cattrs.gen import make_dict_structure_fn, override

    figures = {name: override(struct_hook=hook) for name in names}
    return make_dict_structure_fn(kind, converter, "from_converter", **figures)  # type: ignore[arg-type]


def is_bearable(value: float) -> bool:
    """Whether figures can be made of a number without overflow; NaN and infinity are none."""
    return value == 0 or _LEAST < abs(value) < _MOST


def _number(value: object, _: object) -> float:
    """As it was: a whole number is told without a decimal point."""
    if type(value) is float and is_bearable(value):
        return value
    return _whole(value, int)


def _number_if_any(value: object, _: object) -> float | None:
    return None if value is None else _number(value, float)


def _figure(value: object, _: object) -> float:
    """Infinity too: what only failed attempts reach is beyond every limit."""
    return value if type(value) is float and math.isinf(value) else _number(value, float)


def _figure_if_any(value: object, _: object) -> float | None:
    return None if value is None else _figure(value, float)


def _whole(value: object, _: object) -> int:
    if type(value) is not int or not -_MOST < value < _MOST:
        raise TypeError(f"{value!r:.40} is no whole number of 64 bits")
    return value


def _truth(value: object, _: object) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{value!r:.40} is neither true nor false")
    return value


def _text(value: object, kind: type[str]) -> str:
    """Or one of the words of an enumeration."""
    if type(value) is not str:
        raise TypeError(f"{value!r:.40} is no text")
    return kind(value)


def words_of(kind: object) -> tuple[str, ...]:
    """Those of a closed list of words, be it one Literal or several together; none where it is no such list."""
    words: list[str] = []
    for each in get_args(kind):
        if isinstance(each, str):
            words.append(each)
        elif inner := words_of(each):
            words += inner
        else:
            return ()
    return tuple(words)


_CLOSED: tuple[object, ...] = (Literal, Union, UnionType)


def _is_word(kind: object) -> bool:
    return get_origin(kind) in _CLOSED and bool(words_of(kind))


def _word(value: object, kind: object) -> str:
    if type(value) is not str or value not in words_of(kind):
        raise ValueError(f"{value!r:.40} is none of the words that there are")
    return value


def _foreign(value: object, _: object, depth: int = 0) -> object:
    """Whatever JSON holds, as far as pages can tell it."""
    if depth > _DEEPEST:
        raise ValueError("a value within values within values")
    match value:
        case dict():
            return {_text(name, str): _foreign(each, object, depth + 1) for name, each in value.items()}
        case list():
            return [_foreign(each, object, depth + 1) for each in value]
        case None | bool() | str():
            return value
        case _:
            return _number(value, float)
