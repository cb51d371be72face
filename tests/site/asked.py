"""Asks a site as a client does, within this process: all of Datasette and of our plugin, and no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
from datasette.app import Datasette


def ask(store: Path, *paths: str, headers: Mapping[str, str] | None = None) -> list[httpx.Response]:
    """What plain `datasette STORE` answers to each path."""

    async def asked() -> list[httpx.Response]:
        datasette = Datasette([str(store)])
        try:
            return [await datasette.client.get(path, headers=dict(headers or {})) for path in paths]
        finally:
            for database in datasette.databases.values():
                database.close()
            if datasette.executor is not None:
                datasette.executor.shutdown()

    return asyncio.run(asked())
