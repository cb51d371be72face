"""The words of reports in every language: one catalogue file per language, with the same keys in each.

Text for machines (JSON, CSV, JUnit) and the terminal stays English; Markdown, HTML and Excel speak one of these.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class Language(StrEnum):
    """A language that reports are written in, by its code in ISO 639."""

    EN = "en"
    KO = "ko"


@dataclass(frozen=True, slots=True)
class Texts:
    """One catalogue. A text has its place as its key: `texts["heading.gates"]`; KeyError for one that is missing.

    Placeholders are named, and filled by `str.format`: `texts["tally.failed"].format(count=3)`.
    """

    language: Language
    entries: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.entries[key]

    def counted(self, key: str, count: int | str) -> str:
        """`1 request`, `2,000 requests`: the entry `key.one` or `key.other`, whose placeholder is `count`.

        A figure that is text already, such as "1.5", is put in as it is.
        """
        shown = f"{count:,}" if isinstance(count, int) else count
        form = "one" if shown == "1" and f"{key}.one" in self.entries else "other"
        return self.entries[f"{key}.{form}"].format(count=shown)


@cache
def texts_in(language: Language) -> Texts:
    """The catalogue of a language."""
    content = resources.files("llmload.reporters").joinpath("catalogues", f"{language.value}.toml").read_text("utf-8")
    return Texts(language, dict(_entries(tomllib.loads(content), "")))


def _entries(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
