"""Every SQL statement that a page of the site executes, timed over the large store: no reader waits for one query."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from llmload.reporters.texts import Language, texts_in
from llmload.site.asking import Asked, Page
from llmload.site.links import LiveLinks
from llmload.site.routes import ROUTES
from llmload.store.database import Store
from tests.bench.served import percentile
from tests.bench.site_pages import KINDS, Asking, Known
from tests.bench.table import Row

_BAR_MS = 50
_TIMES = 20
"""Of each kind of page."""

_SPACE = re.compile(r"\s+")


class Timed(sqlite3.Connection):
    """A connection that knows how long each of its queries took, all rows read."""

    taken: dict[str, list[float]]

    def cursor(self, factory: Any = None) -> Any:
        """One that tells this connection what it took."""
        return super().cursor(_TimedCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """By such a cursor."""
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.execute(sql, parameters)


class _TimedCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        connection = self.connection
        if isinstance(connection, Timed) and sql.lstrip().upper().startswith(("SELECT", "WITH")):
            began = perf_counter()
            sqlite3.Cursor(connection).execute(sql, parameters).fetchall()
            connection.taken[_SPACE.sub(" ", sql)].append((perf_counter() - began) * 1000)
        return super().execute(sql, parameters)


def rows(store: Path, there: Known) -> list[Row]:
    """The slowest statement of all pages."""
    with closing(sqlite3.connect(store, factory=Timed, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.taken = defaultdict(list)
        for page, asked in _asked(there):
            page(asked, Store(store, connection))
        slowest, statement = max((percentile(taken, 0.95), statement) for statement, taken in connection.taken.items())
        times = sum(map(len, connection.taken.values()))
    note = f"of {len(connection.taken)} statements, {times:,} times; {statement[:160]}"
    return [Row("site: slowest query, p95", _BAR_MS, slowest, "ms", note)]


def _asked(there: Known) -> Iterator[tuple[Page, Asked]]:
    for kind in KINDS:
        draw = Random(kind.name)
        for _ in range(_TIMES):
            asking = kind.draw(there, draw)
            yield _page(asking), _question(asking)


def _page(asking: Asking) -> Page:
    for route in ROUTES:
        if asking.route == route.path:
            return route.page
        if asking.route == route.document_path and route.document is not None:
            return route.document
    raise LookupError(asking.route)


def _question(asking: Asking) -> Asked:
    query: dict[str, tuple[str, ...]] = {}
    for name, value in asking.query:
        query[name] = (*query.get(name, ()), value)
    return Asked(texts_in(Language.EN), LiveLinks(asking.route.count("/")), dict(asking.parts), query)
