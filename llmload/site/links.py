"""Addresses of pages as seen from one of them: always relative, which holds under any prefix and in any folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

from llmload.reporters.texts import Language


class Links(Protocol):
    """Where a page finds the others. Names and ids may hold anything; they are quoted here."""

    @property
    def is_live(self) -> bool:
        """Whether a server answers: filters, comparisons of any runs and runs in progress are there only then."""

    @property
    def forms(self) -> tuple[str, ...]:
        """Downloads that there are of each run, such as csv; see `export`."""

    @property
    def database(self) -> str | None:
        """The whole store as a file to take along; None where it is not offered."""

    def history(self, query: Mapping[str, str] | None = None) -> str:
        """The list of runs, filtered by a query."""

    def run(self, run_id: str) -> str:
        """One run."""

    def shared(self, run_id: str) -> str:
        """The same to be read by others: the one address of it, in the language of whoever reads it."""

    def run_json(self, run_id: str) -> str:
        """The same for programs."""

    def export(self, run_id: str, form: str) -> str:
        """A download of a run; `form` is csv, xlsx, json or junit."""

    def compare(self, run_ids: Sequence[str]) -> str:
        """Runs held against the first of them."""

    def trends(self, scenario: str) -> str:
        """How the figures of a scenario went."""

    def recommendations(self, query: Mapping[str, str] | None = None) -> str:
        """What runs recommend, newest first; `before` a run, only what is older."""

    def recommendation(self, run_id: str) -> str:
        """That of one run."""

    def builder(self) -> str:
        """The form that makes a scenario."""

    def asset(self, name: str) -> str:
        """A style, script or schema of the site; see `assets.py`."""


@dataclass(frozen=True, slots=True)
class LiveLinks:
    """Of pages that a server answers. `depth` is how many folders the page lies below the site's root."""

    depth: int = 0
    language: Language | None = None  # as the reader chose it; kept along the way
    version: str = ""  # of the assets, which a browser may then keep
    tables: str = ""  # where Datasette shows the tables of the store

    @property
    def is_live(self) -> bool:
        """See Links."""
        return True

    @property
    def forms(self) -> tuple[str, ...]:
        """See Links."""
        return tuple(EXTENSIONS)

    @property
    def database(self) -> str | None:
        """See Links: whoever may read pages may not take everything."""
        return None

    def history(self, query: Mapping[str, str] | None = None) -> str:
        """See Links."""
        return self._to("", query or {})

    def run(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{_quoted(run_id)}")

    def shared(self, run_id: str) -> str:
        """See Links."""
        return f"{'../' * self.depth}benchmark/{_quoted(run_id)}?shared=true"

    def run_json(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{_quoted(run_id)}.json")

    def events(self, run_id: str) -> str:
        """What happens to a run in progress, as server-sent events."""
        return self._to(f"benchmark/{_quoted(run_id)}/events")

    def export(self, run_id: str, form: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{_quoted(run_id)}/export", {"format": form})

    def compare(self, run_ids: Sequence[str]) -> str:
        """See Links."""
        return self._to("compare", {"runs": ",".join(run_ids)} if run_ids else {})

    def trends(self, scenario: str) -> str:
        """See Links."""
        return self._to(f"trends/{_quoted(scenario)}")

    def recommendations(self, query: Mapping[str, str] | None = None) -> str:
        """See Links."""
        return self._to("recommend", query)

    def recommendation(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"recommend/{_quoted(run_id)}")

    def builder(self) -> str:
        """See Links."""
        return self._to("new")

    def asset(self, name: str) -> str:
        """See Links."""
        version = f"?v={self.version}" if self.version else ""
        return f"{'../' * self.depth}-/llmload/{name}{version}"

    def browse(self) -> str:
        """The tables of the store, in Datasette's own pages; "" where nobody shows them."""
        return f"{'../' * self.depth}{self.tables}" if self.tables else ""

    def _to(self, path: str, query: Mapping[str, str] | None = None) -> str:
        asked = {**(query or {}), **({} if self.language is None else {"lang": self.language.value})}
        address = f"{'../' * self.depth}{path}" or "./"
        return f"{address}?{urlencode(asked, safe=',')}" if asked else address


NEWER = "after"
"""The key of a query for runs that are newer than those of a page of the history."""

_Query = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Linked:
    """What the pages of a static site have led to so far, and so must be there as well: in the order of asking."""

    histories: list[_Query] = field(default_factory=lambda: [()])
    comparisons: dict[tuple[str, ...], None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StaticLinks:
    """Of pages that are files, on a host that knows nothing of them, or on a disk.

    Every address names its file in full, which holds on hosts that add no `.html` or `index.html` by themselves.
    """

    depth: int
    linked: Linked
    forms: tuple[str, ...]
    snapshot: str | None = None  # its file, where it lies beside the pages
    place: int = 1  # which page of the history this is, where it is one

    @property
    def is_live(self) -> bool:
        """See Links."""
        return False

    @property
    def database(self) -> str | None:
        """See Links."""
        return None if self.snapshot is None else self._to(self.snapshot)

    def history(self, query: Mapping[str, str] | None = None) -> str:
        """See Links. Pages lead to older runs; the newer ones are on the page that led here."""
        if query is not None and NEWER in query:
            return self._to(history_file(self.place - 1))
        asked = tuple(sorted((query or {}).items()))
        if asked not in self.linked.histories:
            self.linked.histories.append(asked)
        return self._to(history_file(self.linked.histories.index(asked) + 1))

    def run(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{file_name(run_id)}.html")

    def shared(self, run_id: str) -> str:
        """See Links: nothing can be done to a run here, whoever reads of it."""
        return self.run(run_id)

    def run_json(self, run_id: str) -> str:
        """See Links."""
        return self.export(run_id, "json")

    def export(self, run_id: str, form: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{file_name(run_id)}.{EXTENSIONS[form]}")

    def compare(self, run_ids: Sequence[str]) -> str:
        """See Links."""
        self.linked.comparisons[tuple(run_ids)] = None
        return self._to(comparison_file(run_ids))

    def trends(self, scenario: str) -> str:
        """See Links."""
        return self._to(f"trends/{file_name(scenario)}.html")

    def recommendations(self, query: Mapping[str, str] | None = None) -> str:
        """See Links: one page has them all."""
        return self._to("recommend.html")

    def recommendation(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"recommend/{file_name(run_id)}.html")

    def builder(self) -> str:
        """See Links."""
        return self._to("new.html")

    def asset(self, name: str) -> str:
        """See Links."""
        return self._to(f"assets/{name}")

    def _to(self, path: str) -> str:
        return f"{'../' * self.depth}{path}"


EXTENSIONS = {"csv": "csv", "xlsx": "xlsx", "json": "json", "junit": "junit.xml"}
"""How the file of a download ends, by its form."""


def history_file(number: int) -> str:
    """The file of one page of the history, from 1 on."""
    return "index.html" if number == 1 else f"page-{number}.html"


def comparison_file(run_ids: Sequence[str]) -> str:
    """The file of a comparison: a folder for each run but the last."""
    return f"compare/{'/'.join(map(file_name, run_ids))}.html"


_SAFE = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9](?:[a-z0-9._-]{0,99}(?<!\.))?", re.ASCII)
"""Names that every file system takes and keeps apart, those of Windows and macOS included; no address quotes them."""


def file_name(name: str) -> str:
    """A name as a file has it: itself where that is safe, else its beginning and a digest that keeps it apart.

    `~`, which stands before each digest, is in no name that is kept.
    """
    if _SAFE.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    beginning = re.sub(r"[^a-z0-9]+", "-", name[:200].lower()).strip("-")[:40].strip("-")
    return f"{beginning or 'run'}~{digest}"


def _quoted(name: str) -> str:
    return quote(name, safe="")
