"""The only module that knows Datasette (0.65): its hooks, and how its requests and connections become ours and back."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from datasette import hookimpl
from datasette.utils.asgi import Response

from llmload.reporters.texts import Language, texts_in
from llmload.site import assets
from llmload.site.answering import answer
from llmload.site.asking import Answer, Asked, Page
from llmload.site.links import LiveLinks
from llmload.site.routes import ROUTES
from llmload.store import schema
from llmload.store.database import Store

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.database import Database
    from datasette.utils.asgi import Request

_Handle = Callable[["Request"], Awaitable[Response]]


@hookimpl  # type: ignore[untyped-decorator]
def register_routes(datasette: Datasette) -> list[tuple[str, _Handle]]:
    """Our pages, where the first file that Datasette was given is a store; none in anybody else's Datasette."""
    database = _store_of(datasette)
    if database is None:
        return []
    routes: list[tuple[str, _Handle]] = [(r"/-/llmload/(?P<name>[^/]+)$", _asset)]
    for route in ROUTES:
        if route.document is not None:
            routes.append((_pattern(route.document_path), _handle(datasette, database, route.document, route.depth)))
        routes.append((_pattern(route.path), _handle(datasette, database, route.page, route.depth)))
    return routes


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


def _handle(datasette: Datasette, database: Database, page: Page, depth: int) -> _Handle:
    async def handle(request: Request) -> Response:
        await datasette.ensure_permissions(request.actor, [("view-database", database.name), "view-instance"])
        asked = _asked(request, depth)
        path = Path(database.path)
        return _response(await database.execute_fn(lambda connection: answer(page, asked, Store(path, connection))))

    return handle


async def _asset(request: Request) -> Response:
    found = assets.asset(request.url_vars["name"])
    return Response.text("There is no such file.", status=404) if found is None else _response(found)


def _asked(request: Request, depth: int) -> Asked:
    query = {name: tuple(values) for name, values in parse_qs(request.query_string, keep_blank_values=True).items()}
    chosen = _chosen(query)
    parts = {name: unquote(part) for name, part in request.url_vars.items()}
    return Asked(texts_in(chosen or Language.EN), LiveLinks(depth, chosen), parts, query)


def _chosen(query: Mapping[str, tuple[str, ...]]) -> Language | None:
    named = query.get("lang", ("",))[-1]
    return Language(named) if named in list(Language) else None


def _response(answered: Answer) -> Response:
    headers = {"Cache-Control": answered.freshness.value}
    if answered.file_name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{answered.file_name}"'
    return Response(answered.body, answered.status, headers, answered.content_type)
