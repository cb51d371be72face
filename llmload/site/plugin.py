"""The only module that knows Datasette (0.65): its hooks, and how its requests and connections become ours and back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, unquote
from weakref import WeakKeyDictionary

from datasette import hookimpl
from datasette.utils import StartupError, tilde_encode
from datasette.utils.asgi import Base400, NotFound, Response
from datasette.views.base import DatasetteError
from markupsafe import Markup

from llmload.errors import StoreError, UsageError
from llmload.reporters.texts import texts_in
from llmload.site import assets, browsing, live
from llmload.site.access import Access, Application, asks_for_json
from llmload.site.answering import answer, refused, tell_defect
from llmload.site.asking import Answer, Asked, Page, Refused
from llmload.site.headers import headers_of, is_known
from llmload.site.language import chosen_language, preferred_language
from llmload.site.links import LiveLinks
from llmload.site.options import ANY_ORIGIN, SiteOptions, read_options
from llmload.site.reading import Reading
from llmload.site.routes import ROUTES
from llmload.site.turns import Turns
from llmload.store import schema
from llmload.store.opening import explained
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

SQL_TIME_LIMIT_MS = 500
"""Of one query of Datasette's own pages."""

LONGEST_VALUE_BYTES = 1 << 20
"""Of one value that Datasette's own pages may make or read: SQLite would make one of 1 GB in memory."""

_PLACES = {route.path.partition("/")[0] for route in ROUTES}
"""First parts of the addresses of our pages: a database of such a name gets another address."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A Datasette that was given a store: which of its databases that is, how it is read, what its owner chose."""

    database: Database
    reading: Reading
    options: SiteOptions
    turns: Turns


_SITES: WeakKeyDictionary[Datasette, _Site | None] = WeakKeyDictionary()


def application(store: Path, chosen: dict[str, object], base_url: str = "/") -> Application:
    """An ASGI application that serves a store; `chosen` as in `options.read_options`."""
    from datasette.app import Datasette

    datasette = Datasette([str(store)], metadata={"plugins": {NAME: chosen}}, settings={"base_url": base_url})
    made: Application = datasette.app()
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


@hookimpl(trylast=True)  # type: ignore[untyped-decorator]  # the last one stands before all others
def asgi_wrapper(datasette: Datasette) -> Callable[[Application], Application]:
    """Who may read, and the headers of every answer."""
    site = _site_of(datasette)
    if site is None:
        return lambda application: application
    return lambda application: Access(application, site.options, datasette.setting("base_url"))


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


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection, database: str, datasette: Datasette) -> None:
    """Bounds on what a query can make.

    `PRAGMA query_only` would break Datasette's own catalogue, and `trusted_schema = OFF` the generated columns of runs.
    """
    site = _SITES.get(datasette)
    if site is not None and database == site.database.name:
        conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)
        conn.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
        conn.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)


@hookimpl  # type: ignore[untyped-decorator]
def get_metadata(datasette: Datasette) -> dict[str, object]:
    """Names, units and descriptions for Datasette's own pages; what the owner's metadata says stands above it."""
    site = _SITES.get(datasette)
    return {} if site is None else browsing.described(site.database.name)


@hookimpl  # type: ignore[untyped-decorator]
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    """The way from Datasette's own pages back to ours."""
    if _SITES.get(datasette) is None:
        return []
    return [{"href": datasette.urls.path("/"), "label": "All runs"}]


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(value: object, column: str, database: str, datasette: Datasette) -> Markup | None:
    """A run's id leads to its page."""
    site = _SITES.get(datasette)
    if site is None or database != site.database.name or column not in {"run", "run_id"} or not isinstance(value, str):
        return None
    address = datasette.urls.path(f"/{LiveLinks().run(value)}")
    return Markup('<a href="{}">{}</a>').format(str(address), value)


@hookimpl  # type: ignore[untyped-decorator]
def forbidden(datasette: Datasette, request: Request) -> Response | None:
    """A page of ours for what `allow` keeps from a reader."""
    site = _SITES.get(datasette)
    if site is None:
        return None
    asked = _asked(site, request, _depth(datasette, request))
    return _response(request, refused(asked, Refused(403, asked.texts["site.access.forbidden"])))


@hookimpl(hookwrapper=True)  # type: ignore[untyped-decorator]
def handle_exception(datasette: Datasette, request: Request, exception: Exception) -> Iterator[None]:
    """A page of ours for every refusal and defect, Datasette's own included.

    It stands in the place of all others: Datasette's own prints the values of all variables, for a page not found too.
    """
    outcome = yield
    site = _SITES.get(datasette)
    if site is not None:
        asked = _asked(site, request, _depth(datasette, request))
        outcome.force_result([_response(request, refused(asked, _refusal_of(exception, asked, site)))])  # type: ignore[attr-defined]


def _refusal_of(exception: Exception, asked: Asked, site: _Site) -> Refused:
    match exception:
        case NotFound():
            return Refused(404, asked.texts["site.unknown_page"])
        case Base400():
            return Refused(exception.status, str(exception.args[0]))
        case DatasetteError():  # always of what was asked, although some say 500
            because = str(exception.title if exception.message_is_html else exception.message)
            return Refused(exception.status if exception.status < 500 else 400, because)
    if _is_of_the_question(exception):
        return Refused(400, asked.texts["site.access.unsound"])
    try:
        with explained(Path(site.database.path)):
            raise exception
    except StoreError as error:
        return Refused(503, error.problem, error.remedy)
    except Exception as error:
        tell_defect(error)
        return Refused(500, asked.texts["site.defect"], asked.texts["site.defect_remedy"])


_UNREADABLE = (
    *(ValueError, LookupError, TypeError, ArithmeticError, NotImplementedError, AssertionError),
    *(sqlite3.IntegrityError, sqlite3.ProgrammingError),
)
"""What Datasette's own pages raise for a value of a query, such as `_next` or `_through`, that they cannot read."""


def _is_of_the_question(exception: Exception) -> bool:
    """Whether a page of Datasette's own raised it, and not code of ours that it called."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(exception.__traceback__)]
    is_theirs = any(name.startswith("datasette.views.") for name in modules) and not modules[-1].startswith("llmload.")
    return is_theirs and isinstance(exception, _UNREADABLE)


def _depth(datasette: Datasette, request: Request) -> int:
    """How many folders below the site's root the path is that a browser shows."""
    base_url: str = datasette.setting("base_url")
    path: str = request.path
    below = path.removeprefix(base_url) if path.startswith(base_url) else path[1:]
    return min(below.count("/"), _DEEPEST)


_DEEPEST = 20
"""Folders; a browser goes no higher than the root, and no page of anybody lies deeper."""


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
            if datasette.cors and not options.origins:
                options = replace(options, origins=(ANY_ORIGIN,))  # it does not reach the routes of plugins by itself
            _SITES[datasette] = _Site(database, Reading(Path(database.path), database.connect), options, Turns())
            _make_safe(database)
    return _SITES[datasette]


def _make_safe(database: Database) -> None:
    """Immutable is said of files that nobody writes; of one with a write-ahead log it gives stale or torn pages."""
    with Path(database.path).open("rb") as file:
        is_logged = file.read(20)[18:] == b"\x02\x02"
    database.is_mutable = database.is_mutable or is_logged
    database.execute = _quiet(database.execute)
    if database.route in _PLACES:
        database.route = f"{database.route}-store"


def _quiet(execute: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    """Without a log of failed queries: it has texts of query strings as they came, terminal commands included."""

    async def executed(*given: object, **named: object) -> object:
        return await execute(*given, **{**named, "log_sql_errors": False})

    return executed


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
        asked = _asked(site, request, depth)
        work = partial(answer, page, asked, site.reading.store)
        answered = await site.turns.take(partial(_in_thread, datasette, work))
        return _response(request, answered)

    return handle


def _events(datasette: Datasette, site: _Site) -> Callable[..., Awaitable[None]]:
    streams = live.Streams()

    async def handle(request: Request, send: Callable[[live.Message], Awaitable[None]]) -> None:
        await _may_view(datasette, site, request)
        asked = _asked(site, request, 2)
        run_id = asked.parts["run"]
        source = live.Source(
            partial(_in_thread, datasette, lambda: state_of(site.reading.store(), run_id)),
            partial(_in_thread, datasette, lambda: site.reading.store().steps(run_id)),
            asked.texts,
        )
        await streams.answer(source, live.Exchange(request.method, request.receive, send, _is_stopping))

    return handle


def _is_stopping() -> bool:
    """Whether the server was told to end. Uvicorn then waits for every answer, and no message of ASGI says so before.

    Its handler of SIGTERM knows, and sse-starlette asks it in the same way. Another server ends streams as it likes.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


def _asset_of(datasette: Datasette, site: _Site) -> _Handle:
    async def handle(request: Request) -> Response:
        await _may_view(datasette, site, request)
        name, version = request.url_vars["name"], request.args.get("v")
        if name not in assets.NAMES:
            raise NotFound("asset")
        return _response(request, await _in_thread(datasette, lambda: assets.asset(name, version)))

    return handle


async def _may_view(datasette: Datasette, site: _Site, request: Request) -> None:
    """Datasette checks no permission on the routes of a plugin."""
    await datasette.ensure_permissions(request.actor, [("view-database", site.database.name), "view-instance"])


async def _in_thread(datasette: Datasette, work: Callable[[], _T]) -> _T:
    if datasette.executor is None:
        return work()
    return await asyncio.get_running_loop().run_in_executor(datasette.executor, work)


def _asked(site: _Site, request: Request, depth: int) -> Asked:
    query = {name: tuple(values) for name, values in parse_qs(request.query_string, keep_blank_values=True).items()}
    chosen = chosen_language(query.get("lang", ("",))[-1])
    preferred = preferred_language(request.headers.get("accept-language", ""))
    texts = texts_in(chosen or preferred or site.options.language)
    found = request.scope.get("url_route", {"kwargs": {}})["kwargs"]
    parts = {name: unquote(part) for name, part in found.items() if part is not None}
    links = LiveLinks(depth, chosen, assets.version(), tilde_encode(site.database.route))
    return Asked(texts, links, parts, query, asks_for_json(request.path, request.headers.get("accept", "")))


def _response(request: Request, answered: Answer) -> Response:
    headers = headers_of(answered)
    if "ETag" in headers and is_known(request.headers.get("if-none-match", ""), headers["ETag"]):
        headers.pop("Content-Length")
        return Response(b"", 304, headers, answered.content_type)
    return Response(answered.body, answered.status, headers, answered.content_type)
