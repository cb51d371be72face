"""Addresses of pages as seen from one of them: always relative, which holds under any prefix and in any folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from llmload.reporters.texts import Language


class Links(Protocol):
    """Where a page finds the others. Names and ids may hold anything; they are quoted here."""

    @property
    def is_live(self) -> bool:
        """Whether a server answers: filters, comparisons of any runs and runs in progress are there only then."""

    def history(self, query: Mapping[str, str] | None = None) -> str:
        """The list of runs, filtered by a query."""

    def run(self, run_id: str) -> str:
        """One run."""

    def run_json(self, run_id: str) -> str:
        """The same for programs."""

    def export(self, run_id: str, form: str) -> str:
        """A download of a run; `form` is csv, xlsx, json or junit."""

    def compare(self, run_ids: Sequence[str]) -> str:
        """Runs held against the first of them."""

    def trends(self, scenario: str) -> str:
        """How the figures of a scenario went."""

    def recommendations(self) -> str:
        """Every stored recommendation."""

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

    @property
    def is_live(self) -> bool:
        """See Links."""
        return True

    def history(self, query: Mapping[str, str] | None = None) -> str:
        """See Links."""
        return self._to("", query or {})

    def run(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"benchmark/{_quoted(run_id)}")

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

    def recommendations(self) -> str:
        """See Links."""
        return self._to("recommend")

    def recommendation(self, run_id: str) -> str:
        """See Links."""
        return self._to(f"recommend/{_quoted(run_id)}")

    def builder(self) -> str:
        """See Links."""
        return self._to("new")

    def asset(self, name: str) -> str:
        """See Links."""
        return f"{'../' * self.depth}-/llmload/{name}"

    def _to(self, path: str, query: Mapping[str, str] | None = None) -> str:
        asked = {**(query or {}), **({} if self.language is None else {"lang": self.language.value})}
        address = f"{'../' * self.depth}{path}" or "./"
        return f"{address}?{urlencode(asked, safe=',')}" if asked else address


def _quoted(name: str) -> str:
    return quote(name, safe="")
