"""What a reader asks a page for, and what the page answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from llmload.reporters.texts import Texts
from llmload.site.links import Links
from llmload.store.database import Store

HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"

LONGEST_VALUE = 500
"""Characters of one value of a query that a page looks at."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. Parts of the path and values of the query are decoded, and hostile."""

    texts: Texts
    links: Links
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_for_programs: bool = False  # who asks reads JSON: a refusal is a document then

    def value(self, name: str) -> str | None:
        """The last value of a name in the query, shortened; None where there is none or nothing in it."""
        values = self.query.get(name, ())
        return values[-1][:LONGEST_VALUE].strip() or None if values else None


class Freshness(Enum):
    """How long an answer holds: SETTLED ones, of runs that have ended, for a minute; CHANGING ones are asked again.

    VERSIONED ones are of an address that names their version, and hold for good.
    """

    SETTLED = "max-age=60"
    CHANGING = "no-cache"
    VERSIONED = "max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent. `file_name` is the name under which a browser saves it; None = it is shown."""

    body: bytes
    content_type: str = HTML
    status: int = 200
    freshness: Freshness = Freshness.CHANGING
    file_name: str | None = None


Page = Callable[[Asked, Store], Answer]
"""A pure function of the question and of one snapshot of the store. It may raise Refused, and StoreError."""


class Refused(Exception):  # noqa: N818 - nothing of ours is wrong: this is an answer, too
    """There is no such page, or not for these values. Texts are in the reader's language; `status` is that of HTTP."""

    def __init__(self, status: int, because: str, remedy: str = "") -> None:
        super().__init__(because)
        self.status, self.because, self.remedy = status, because, remedy
