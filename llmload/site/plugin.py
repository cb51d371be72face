"""The only module that knows Datasette (0.65): its hooks, and how its requests and connections become ours and back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, unquote
from weakref import WeakKeyDictionary

from datasette import hookimpl
from datasette.utils import StartupError
from datasette.utils.asgi import Response

from llmload.errors import UsageError
from llmload.reporters.texts import texts_in
from llmload.site import assets, live
from llmload.site.answering import answer
from llmload.site.asking import Answer, Asked, Page, Refused
from llmload.site.language import chosen_language, preferred_language
from llmload.site.links import LiveLinks
from llmload.site.options import SiteOptions, read_options
from llmload.site.reading import Reading
from llmload.site.routes import ROUTES
from llmload.store import schema
from llmload.store.database import Store
from llmload.store.states import state_of

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.database import Database
    from datasette.utils.asgi import Request

_T = TypeVar("_T")
_Handle = Callable[["Request"], Awaitable[Response]]
_Route = Callable[..., Awaitable[Response | None]]
"""Whatever of its arguments a route names Datasette gives it; one that sends its answer itself returns none."""

NAME = "llmload"
"""Of the plugin, where metadata configures it."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A Datasette that was given a store: which of its databases that is, how it is read, what its owner chose."""

    database: Database
    reading: Reading
    options: SiteOptions


_SITES: WeakKeyDictionary[Datasette, _Site | None] = WeakKeyDictionary()


def application(store: Path, chosen: dict[str, object], base_url: str = "/") -> Callable[..., Awaitable[None]]:
    """An ASGI application that serves a store; `chosen` as in `options.read_options`."""
    from datasette.app import Datasette

    datasette = Datasette([str(store)], metadata={"plugins": {NAME: chosen}}, settings={"base_url": base_url})
    made: Callable[..., Awaitable[None]] = datasette.app()
    return made


@hookimpl  # type: ignore[untyped-decorator]
def register_routes(datasette: Datasette) -> list[tuple[str, _Route]]:
    """Our pages, where a file that Datasette was given is a store; none in anybody else's Datasette."""
    site = _site_of(datasette)
    if site is None:
        return []
    routes: list[tuple[str, _Route]] = [(r"/-/llmload/(?P<name>[^/]+)$", _asset_of(datasette, site))]
    routes.append((_pattern("benchmark/{run}/events"), _events(datasette, site)))
    for route in ROUTES:
        if route.document is not None:
            routes.append((_pattern(route.document_path), _handle(datasette, site, route.document, route.depth)))
        routes.append((_pattern(route.path), _handle(datasette, site, route.page, route.depth)))
    return routes


@hookimpl  # type: ignore[untyped-decorator]
def startup(datasette: Datasette) -> None:
    """Settings that a site of ours has, however Datasette was started.

    0.65 gives a plugin no other way to them than the attributes that its own constructor fills.
    """
    site = _SITES.get(datasette)
    if site is None:
        return
    datasette.sql_time_limit_ms = min(datasette.sql_time_limit_ms, SQL_TIME_LIMIT_MS)
    forced = {"allow_download": False, "allow_csv_stream": False, "suggest_facets": False}
    limit = {"sql_time_limit_ms": datasette.sql_time_limit_ms}
    datasette._settings.update({"default_allow_sql": site.options.has_sql, **forced, **limit})


SQL_TIME_LIMIT_MS = 500
"""Of one query of Datasette's own pages."""


def _site_of(datasette: Datasette) -> _Site | None:
    """The site that a Datasette is, looked up once; StartupError for options that cannot be had."""
    if datasette not in _SITES:
        database = _store_of(datasette)
        _SITES[datasette] = None
        if database is not None:
            try:
                options = read_options(datasette.plugin_config(NAME) or {}, os.environ)
            except UsageError as error:
                raise StartupError(str(error)) from None
            _SITES[datasette] = _Site(database, Reading(Path(database.path), database.connect), options)
    return _SITES[datasette]


def _store_of(datasette: Datasette) -> Database | None:
    """The first database that llmload has made."""
    for database in datasette.databases.values():
        if database.path is not None:
            connection = database.connect()
            try:
                if schema.applied(connection):
                    return database
            except sqlite3.DatabaseError:
                continue
            finally:
                connection.close()
    return None


def _pattern(path: str) -> str:
    """Such as `benchmark/{run}` as the regular expression that Datasette looks for."""
    parts = re.split(r"(\{\w+\})", path)
    return "/" + "".join(f"(?P<{part[1:-1]}>[^/]+)" if part[:1] == "{" else re.escape(part) for part in parts) + "$"


def _handle(datasette: Datasette, site: _Site, page: Page, depth: int) -> _Handle:
    async def handle(request: Request) -> Response:
        await _may_view(datasette, site, request)
        asked = _asked(request, site.options, depth)
        answered = await _in_thread(datasette, lambda: answer(page, asked, site.reading.store))
        return _response(answered)

    return handle


def _events(datasette: Datasette, site: _Site) -> Callable[..., Awaitable[None]]:
    streams = live.Streams()

    async def handle(request: Request, send: Callable[[live.Message], Awaitable[None]]) -> None:
        await _may_view(datasette, site, request)
        asked = _asked(request, site.options, 2)
        run_id = asked.parts["run"]
        source = live.Source(
            partial(_in_thread, datasette, lambda: state_of(site.reading.store(), run_id)),
            partial(_in_thread, datasette, lambda: site.reading.store().steps(run_id)),
            asked.texts,
        )
        await streams.answer(source, live.Exchange(request.method, request.receive, send, _is_stopping))

    return handle


def _is_stopping() -> bool:
    """Whether the server was told to end: it waits for every answer, and tells nobody but those who look."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


def _asset_of(datasette: Datasette, site: _Site) -> _Handle:
    def missing(asked: Asked, _: Store) -> Answer:
        raise Refused(404, asked.texts["site.unknown_page"])

    async def handle(request: Request) -> Response:
        await _may_view(datasette, site, request)
        found = assets.asset(request.url_vars["name"])
        if found is None:
            return _response(answer(missing, _asked(request, site.options, 2), site.reading.store))
        return _response(found)

    return handle


async def _may_view(datasette: Datasette, site: _Site, request: Request) -> None:
    """Datasette checks no permission on the routes of a plugin."""
    await datasette.ensure_permissions(request.actor, [("view-database", site.database.name), "view-instance"])


async def _in_thread(datasette: Datasette, work: Callable[[], _T]) -> _T:
    if datasette.executor is None:
        return work()
    return await asyncio.get_running_loop().run_in_executor(datasette.executor, work)


def _asked(request: Request, options: SiteOptions, depth: int) -> Asked:
    query = {name: tuple(values) for name, values in parse_qs(request.query_string, keep_blank_values=True).items()}
    chosen = chosen_language(query.get("lang", ("",))[-1])
    preferred = preferred_language(request.headers.get("accept-language", ""))
    texts = texts_in(chosen or preferred or options.language)
    parts = {name: unquote(part) for name, part in request.url_vars.items()}
    return Asked(texts, LiveLinks(depth, chosen), parts, query, _is_for_programs(request))


def _is_for_programs(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return request.path.endswith(".json") or ("application/json" in accepted and "text/html" not in accepted)


def _response(answered: Answer) -> Response:
    headers = {"Cache-Control": answered.freshness.value, "Vary": "Accept-Language"}
    if answered.file_name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{answered.file_name}"'
    return Response(answered.body, answered.status, headers, answered.content_type)
