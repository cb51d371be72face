"""Which pages the bench asks for: each kind with its bar, and addresses drawn anew so that no cache knows them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote, urlencode

from llmload.site.filters import cursor_query
from llmload.store.history import Before, Place


@dataclass(frozen=True, slots=True)
class Asking:
    """One address: which of our routes, what stands for its parts, and the query."""

    route: str
    parts: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    @property
    def address(self) -> str:
        """Behind the root of the site."""
        path = self.route.format(**{name: quote(value, safe="") for name, value in self.parts})
        return f"/{path}?{urlencode(self.query)}" if self.query else f"/{path}"


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has to ask for; runs by id, and when each was made, oldest first."""

    runs: tuple[tuple[str, str, str], ...]  # id, created, scenario
    models: tuple[str, ...]
    frameworks: tuple[str, ...]
    recommended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of page: 95 of 100 answers within `bar_ms`, if there is a bar."""

    name: str
    bar_ms: float | None
    draw: Callable[[Known, Random], Asking]


def known(store: Path) -> Known:
    """Everything that may be drawn."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:

        def column(query: str) -> tuple[str, ...]:
            return tuple(value for (value,) in connection.execute(query))

        return Known(
            tuple(connection.execute("SELECT run_id, created, scenario FROM runs ORDER BY created, run_id")),
            column("SELECT DISTINCT model FROM runs WHERE model IS NOT NULL"),
            column("SELECT DISTINCT framework FROM runs WHERE framework IS NOT NULL"),
            column("SELECT run_id FROM recommendations JOIN runs USING (run)"),
        )


def _run(known: Known, draw: Random) -> str:
    return draw.choice(known.runs)[0]


def _history(known: Known, draw: Random, *query: tuple[str, str]) -> Asking:
    return Asking("", query=query)


def _deep(known: Known, draw: Random, *query: tuple[str, str]) -> Asking:
    run_id, created, _ = draw.choice(known.runs)
    return Asking("", query=(*query, *cursor_query(Before(Place(created, run_id)))))


def _compared(known: Known, draw: Random) -> Asking:
    scenario = draw.choice(known.runs)[2]
    like = [run_id for run_id, _, name in known.runs if name == scenario]
    return Asking("compare", query=(("runs", ",".join(draw.sample(like, min(3, len(like))))),))


def _combined(known: Known, draw: Random) -> Asking:
    scenario = draw.choice(known.runs)[2]
    query = (("scenario", scenario), ("verdict", "fail"), ("label", "branch=main"))
    return _deep(known, draw, *query)


KINDS = (
    Kind("history, first page", 100, _history),
    Kind("history, a page of the past", 100, _deep),
    Kind("history of a scenario", 100, lambda k, d: _history(k, d, ("scenario", d.choice(k.runs)[2]))),
    Kind("history of a model", 100, lambda k, d: _history(k, d, ("model", d.choice(k.models)))),
    Kind("history of a framework", 100, lambda k, d: _history(k, d, ("framework", d.choice(k.frameworks)))),
    Kind("history of a verdict", 100, lambda k, d: _deep(k, d, ("verdict", d.choice(("pass", "fail"))))),
    Kind("history of a label", 100, lambda k, d: _deep(k, d, ("label", d.choice(("branch=pr", "team=search"))))),
    Kind("history of a scenario, a verdict and a label", 100, _combined),
    Kind("history.json", 100, lambda k, d: Asking("history.json", query=_deep(k, d).query)),
    Kind("run .json", 100, lambda k, d: Asking("benchmark/{run}.json", (("run", _run(k, d)),))),
    Kind("run page", 200, lambda k, d: Asking("benchmark/{run}", (("run", _run(k, d)),))),
    Kind("comparison of 3 runs", 300, _compared),
    Kind("trends of a scenario", None, lambda k, d: Asking("trends/{scenario}", (("scenario", d.choice(k.runs)[2]),))),
    Kind("recommendations", None, lambda k, d: Asking("recommend")),
    Kind("one recommendation", None, lambda k, d: Asking("recommend/{run}", (("run", d.choice(k.recommended)),))),
)
