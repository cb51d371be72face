"""What was seen to go wrong with Datasette 0.65: first that the trap is there, then that we are not in it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Response

from llmload.store.database import open_store
from llmload.store.snapshot import write_snapshot
from tests.recorded_runs import CLEAN
from tests.site.visiting import visiting

RUN = f"/benchmark/{CLEAN.header.run_id}"


class _Unguarded:
    """A plugin as anybody writes it first: a route that asks for no permission and sets no header."""

    __name__ = "unguarded"

    @hookimpl
    def register_routes(self) -> list[tuple[str, object]]:
        return [(r"/unguarded$", lambda: Response.text("open"))]


def test_routes_of_plugins_check_no_permission_and_get_no_cors_by_themselves(filled: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.db"
    with closing(sqlite3.connect(plain)) as connection:
        connection.execute("CREATE TABLE plain (x)")
    plugin = _Unguarded()
    pm.register(plugin)
    try:
        with visiting(plain, metadata={"allow": False}, cors=True) as visit:
            trapped = visit.get("/unguarded")
            closed = visit.get("/plain")
    finally:
        pm.unregister(plugin)
    assert (trapped.status, trapped.all_of("access-control-allow-origin"), closed.status) == (200, [], 403)
    assert trapped.all_of("cache-control") == []

    with visiting(filled, metadata={"allow": False}) as visit:
        assert {visit.get(path).status for path in (RUN, f"{RUN}.json", "/-/llmload/page.css")} == {403}
    with visiting(filled, cors=True, settings={"default_cache_ttl": 3600}) as visit:
        told = visit.get(RUN)
    assert told["access-control-allow-origin"] == "*"
    assert told["cache-control"] == "max-age=60"


def test_a_catalogue_with_query_only_on_every_connection_is_broken_and_ours_is_whole(filled: Path) -> None:
    class QueryOnly:
        __name__ = "query_only"

        @hookimpl
        def prepare_connection(self, conn: sqlite3.Connection) -> None:
            conn.execute("PRAGMA query_only = 1")

    plugin = QueryOnly()
    pm.register(plugin)
    try:
        with visiting(filled) as visit:
            trapped = visit.get(f"/{filled.stem}").status
    finally:
        pm.unregister(plugin)
    assert trapped >= 500
    with visiting(filled) as visit:
        assert visit.get(f"/{filled.stem}").status == 200


def test_connections_cannot_write_although_no_pragma_forbids_it(filled: Path) -> None:
    async def written(datasette: Datasette) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE runs SET scenario = 'x'")

        await datasette.get_database(filled.stem).execute_fn(write)

    datasette = Datasette([str(filled)])
    try:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            asyncio.run(written(datasette))
    finally:
        datasette.get_database(filled.stem).close()
        assert datasette.executor is not None
        datasette.executor.shutdown()


def _begin(path: Path, run_id: str) -> None:
    with open_store(path) as store:
        store.begin(replace(CLEAN.header, run_id=run_id))


def test_a_store_in_use_is_never_read_as_immutable(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    _begin(path, "first")
    with open_store(path):  # its log stays, since somebody has it open
        with visiting(immutables=[str(path)]) as visit:
            _begin(path, "second")
            assert visit.get("/benchmark/second.json").status != 404
            told = json.loads(visit.get("/live/run_list.json?_shape=array").body)
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as trapped:
            try:
                seen = {run for (run,) in trapped.execute("SELECT run_id FROM runs")}
            except sqlite3.DatabaseError:
                seen = set()
    assert seen != {"first", "second"}
    assert {row["run"] for row in told} == {"first", "second"}


def test_a_snapshot_may_be_read_as_immutable(filled: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.db"
    write_snapshot(filled, snapshot)
    with visiting(immutables=[str(snapshot)]) as visit:
        assert visit.get(RUN).status == 200
        assert visit.get("/snapshot/run_list").status == 200
        assert not visit.datasette.get_database("snapshot").is_mutable
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.db"]


@pytest.mark.parametrize("sql", ["select+zeroblob(200000000)", "select+hex(zeroblob(1000000))"])
def test_no_query_makes_a_value_of_two_hundred_megabytes(sql: str, filled: Path) -> None:
    with visiting(filled, chosen={"sql": True}) as visit:
        told = visit.get(f"/{filled.stem}.json?sql={sql}&_shape=array")
    assert told.status == 400 or list(json.loads(told.body)[0].values()) == [None]
    assert len(told.body) < 1000


def test_documents_of_some_megabytes_still_fit_our_pages(tmp_path: Path) -> None:
    path = tmp_path / "llmload.db"
    source = "x" * 5_000_000
    with open_store(path) as store:
        store.begin(replace(CLEAN.header, document_text=source))
        store.finish(
            CLEAN.header.run_id, replace(CLEAN, header=replace(CLEAN.header, document_text=source)), "finished"
        )
    with visiting(path) as visit:
        assert visit.get(f"{RUN}.json").status == 200


def test_the_list_of_tables_does_not_wait_for_millions_of_requests(tmp_path: Path) -> None:
    path = tmp_path / "llmload.db"
    _begin(path, "many")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO requests (id, kind, due_us, tail_us) WITH RECURSIVE many (n) AS"
            " (SELECT 1 UNION ALL SELECT n + 1 FROM many LIMIT 1000000) SELECT n, 0, 0, 0 FROM many"
        )
        connection.commit()
    with visiting(path) as visit:
        visit.get("/llmload")
        began = time.monotonic()
        told = json.loads(visit.get("/llmload.json").body)
        listed_s = time.monotonic() - began
        page = visit.get("/llmload/requests?_size=5")
    (requests,) = [table for table in told["tables"] if table["name"] == "requests"]
    assert requests["hidden"]
    assert listed_s < 2.0
    assert page.status == 200


def test_a_catalogue_of_nobody_is_read_by_anybody(filled: Path) -> None:
    """Datasette's own `_internal` would list every table."""
    with visiting(filled) as visit:
        assert visit.get("/_internal").status == 403
