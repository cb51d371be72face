"""A document that anybody may have written, read value by value: each fault is told with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import orjson

from llmload.errors import DataFileError
from llmload.plain_text import plain
from llmload.store.foreign_file import bytes_of

LONGEST_TEXT = 20_000
"""Characters of one text; the settings in a fingerprint are the longest ones."""

DEEPEST = 20
"""Levels of a foreign value, such as a setting that a server told."""

_MOST_FAULTS = 20
_MOST = 2.0**53  # beyond it numbers of JSON are no longer whole

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Place:
    """A value and where it stands; whatever is wrong with it is added to `faults`, and something harmless returned."""

    path: str
    value: object
    faults: list[tuple[str, str]]

    def wrong(self, problem: str) -> None:
        """Note a fault."""
        self.faults.append((self.path, problem))

    def at(self, name: str) -> Place:
        """A member of an object; null where it is missing."""
        inner = self.value.get(name) if isinstance(self.value, dict) else None
        return Place(name if self.path == "document" else f"{self.path}.{plain(name, 60)}", inner, self.faults)

    def is_there(self) -> bool:
        """Whether it is anything but null; that it is an object shows when it is read."""
        return self.value is not None

    def members(self) -> Iterator[tuple[str, Place]]:
        """Of an object."""
        if isinstance(self.value, dict):
            yield from ((name, self.at(name)) for name in self.value)
        else:
            self.wrong("is not an object")

    def each(self, most: int) -> Iterator[Place]:
        """Of a list."""
        if not isinstance(self.value, list):
            self.wrong("is not a list")
        elif len(self.value) > most:
            self.wrong(f"has {len(self.value):,} members, at most {most:,} are read")
        else:
            yield from (Place(f"{self.path}[{n}]", value, self.faults) for n, value in enumerate(self.value))

    def each_if_any(self, most: int) -> Iterator[Place]:
        """Of a list that documents of earlier versions lack."""
        yield from self.each(most) if self.is_there() else ()

    def text(self) -> str:
        """Of bounded length."""
        if isinstance(self.value, str) and len(self.value) <= LONGEST_TEXT:
            return self.value
        self.wrong("is too long" if isinstance(self.value, str) else "is not text")
        return ""

    def text_or_none(self) -> str | None:
        """Text, or None for null."""
        return None if self.value is None else self.text()

    def word(self, words: type[Word]) -> Word:
        """One of a closed list; the first of it where it is none."""
        for word in words:
            if word.value == self.value:
                return word
        self.wrong(f"is none of {', '.join(words)}")
        return next(iter(words))

    def one_of(self, *known: str) -> str:
        """One of these texts; the first of them where it is none."""
        if isinstance(self.value, str) and self.value in known:
            return self.value
        self.wrong(f"is none of {', '.join(known)}")
        return known[0]

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.wrong("is not true or false")
        return self.value is True

    def number(self, most: float = _MOST) -> float:
        """From 0 to `most`."""
        return self._between(0, most)

    def number_or_none(self, most: float = _MOST) -> float | None:
        """From 0 to `most`, or None for null."""
        return None if self.value is None else self.number(most)

    def signed(self, most: float = _MOST) -> float:
        """From -`most` to `most`."""
        return self._between(-most, most)

    def signed_or_none(self, most: float = _MOST) -> float | None:
        """From -`most` to `most`, or None for null."""
        return None if self.value is None else self.signed(most)

    def above_0(self) -> float:
        """A load, or a limit: it stands on an axis, which may be logarithmic."""
        value = self.number()
        if value == 0:
            self.wrong("is not above 0")
        return value or 1.0

    def above_0_or_none(self) -> float | None:
        """A load or a limit, or None for null."""
        return None if self.value is None else self.above_0()

    def count(self) -> int:
        """A whole number from 0 on."""
        number = self.number()
        if number != int(number):
            self.wrong(f"is {number:g}, and not a whole number")
        return int(number)

    def count_or_none(self) -> int | None:
        """A whole number from 0 on, or None for null."""
        return None if self.value is None else self.count()

    def _between(self, least: float, most: float) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong("is missing" if value is None else "is not a number")
        elif not least <= value <= most:
            self.wrong(f"is {value:g}, and not from {least:g} to {most:g}")
        else:
            return value
        return 0.0

    def foreign(self) -> object:
        """Whatever JSON holds, unless it is nested beyond what can be told."""
        if _is_too_deep(self.value, DEEPEST):
            self.wrong(f"is nested more than {DEEPEST} levels deep")
            return None
        return self.value


def _is_too_deep(value: object, levels: int) -> bool:
    match value:
        case dict():
            return not levels or any(_is_too_deep(each, levels - 1) for each in value.values())
        case list():
            return not levels or any(_is_too_deep(each, levels - 1) for each in value)
        case _:
            return False


def document_of(path: Path, version: str, largest: int, remedy: str) -> Place:
    """The root of a JSON file of that `apiVersion`; DataFileError where it is none, or larger than `largest` bytes."""
    raw = bytes_of(path, largest, remedy)
    name = plain(str(path))
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        raise DataFileError(where, f"is not JSON: {error.msg.partition(':')[0]}", remedy) from None
    document = Place("document", value, [])
    told = document.at("apiVersion").value
    if told != version:
        seen = f"is {plain(told, 60)!r}" if isinstance(told, str) else "is missing"
        is_other = isinstance(told, str) and told.rpartition("/")[0] == version.rpartition("/")[0]
        todo = "Another llmload wrote it: read it with that version, or write it again with this one"
        raise DataFileError(f"{name}: apiVersion", f"{seen}, and not {version!r}", todo if is_other else remedy)
    return document


def refuse_faults(path: Path, document: Place, remedy: str) -> None:
    """DataFileError that names every place which cannot be trusted, up to a number of them."""
    if not document.faults:
        return
    name = plain(str(path))
    (where, problem), *others = document.faults
    more = [f"{name}: {where}: {problem}." for where, problem in others[: _MOST_FAULTS - 1]]
    if len(document.faults) > _MOST_FAULTS:
        more.append(f"{name}: {len(document.faults) - _MOST_FAULTS:,} more.")
    raise DataFileError(f"{name}: {where}", problem, remedy, more)
