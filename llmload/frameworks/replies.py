"""Reading what servers tell about themselves: JSON of whatever shape, which may be anything."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

_TOO_MANY = 2**40
"""Of one request: whoever claims more is not believed, and the sum of millions of such counts has 64 bits at most."""


def document(reply: bytes | None) -> object:
    """The JSON of a reply; None where there is none."""
    try:
        return orjson.loads(reply) if reply else None
    except ValueError:
        return None


def member(parent: object, *names: str) -> object:
    """What stands under the names, one below the other; None where nothing does."""
    for name in names:
        parent = parent.get(name) if isinstance(parent, Mapping) else None
    return parent


def items(value: object) -> list[object]:
    """The entries of a list; none where it is no list."""
    return value if isinstance(value, list) else []


def word(value: object) -> str | None:
    """A text with something in it."""
    return value if isinstance(value, str) and value else None


def whole(value: object) -> int | None:
    """A number above 0 that counts something."""
    return value if type(value) is int and 0 < value < _TOO_MANY else None


def count(value: object) -> int | None:
    """A number that counts something, 0 included."""
    return value if type(value) is int and 0 <= value < _TOO_MANY else None
