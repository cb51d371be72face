"""GitHub's expressions, as far as our workflow files use them; anything else is an error.

Names with dots, texts, numbers, true, false, null, `! == != && || ( )`, and `always()`, `success()`, `failure()`.
Texts are compared without regard to case, and values of different kinds as numbers, as GitHub does:
https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | float | bool | Mapping[str, Value] | None"

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>&&|\|\||==|!=|[!()])"
                    r"|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))")  # fmt: skip
_IN_TEXT = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}
_STATUS = ("always", "success", "failure")


@dataclass(frozen=True, slots=True)
class Context:
    """What names mean, and whether an earlier step has failed the job."""

    names: Mapping[str, Value]
    has_failed: bool = False


class ExpressionError(Exception):
    """An expression that GitHub would refuse, or that is not known here."""


def evaluate(source: str, context: Context) -> Value:
    """What an expression is; one in `${{ }}` may stand for the whole of it."""
    inner = _IN_TEXT.fullmatch(source.strip())
    parser = _Parser(_tokens(inner[1] if inner else source), context)
    value = parser.either()
    if parser.rest:
        raise ExpressionError(f"{source!r} goes on where it should end: {parser.rest}")
    return value


def interpolate(source: str, context: Context) -> str:
    """A text with all its expressions replaced."""
    return _IN_TEXT.sub(lambda found: text(evaluate(found[1], context)), source)


def text(value: Value) -> str:
    """How GitHub writes a value into a text."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return value
        case int() | float():
            return f"{value:g}"
        case _:
            return "Object"


def _tokens(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while source[at:].strip():
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"{source!r} has something unknown at {source[at:]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    """Reads tokens from the left; the operators that bind least are read first."""

    def __init__(self, tokens: list[tuple[str, str]], context: Context) -> None:
        self.rest, self.context = tokens, context

    def either(self) -> Value:
        value = self.both()
        while self._takes("||"):
            other = self.both()
            value = value if is_true(value) else other
        return value

    def both(self) -> Value:
        value = self.same()
        while self._takes("&&"):
            other = self.same()
            value = other if is_true(value) else value
        return value

    def same(self) -> Value:
        value = self.negated()
        while self.rest and self.rest[0][1] in {"==", "!="}:
            is_wanted = self.rest.pop(0)[1] == "=="
            value = _are_equal(value, self.negated()) is is_wanted
        return value

    def negated(self) -> Value:
        if self._takes("!"):
            return not is_true(self.negated())
        return self.one()

    def one(self) -> Value:
        if not self.rest:
            raise ExpressionError("an expression ends too early")
        kind, token = self.rest.pop(0)
        match kind:
            case "text":
                return token[1:-1].replace("''", "'")
            case "number":
                return float(token)
            case "name":
                return self._status(token) if self._takes("(") else self._named(token)
            case _ if token == "(":
                value = self.either()
                self._expect(")")
                return value
            case _:
                raise ExpressionError(f"{token!r} is no value")

    def _status(self, name: str) -> bool:
        self._expect(")")
        if name not in _STATUS:
            raise ExpressionError(f"the function {name} is not known here")
        return name == "always" or (name == "failure") is self.context.has_failed

    def _named(self, name: str) -> Value:
        """A name that is unknown is an error at its first word; below that it is null, as on GitHub."""
        if name in _WORDS:
            return _WORDS[name]
        first, *others = name.split(".")
        if first not in self.context.names:
            raise ExpressionError(f"{first} is not known here")
        value = self.context.names[first]
        for other in others:
            value = value.get(other) if isinstance(value, Mapping) else None
        return value

    def _takes(self, sign: str) -> bool:
        if self.rest and self.rest[0] == ("sign", sign):
            self.rest.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise ExpressionError(f"{sign!r} is missing")


def is_true(value: Value) -> bool:
    """False, null, 0, NaN and the empty text are false."""
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return bool(value) or isinstance(value, Mapping)


def _are_equal(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        return one is other
    return one is other or _number(one) == _number(other)


def _number(value: Value) -> float:
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case str():
            try:
                return float(value) if value.strip() else 0.0
            except ValueError:
                return math.nan
        case _:
            return math.nan
