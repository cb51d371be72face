"""A site within this process, asked with exactly the bytes that a test wants to send: no client puts them right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasette.app import Datasette

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """One answer. Names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def all_of(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all_of(name)
        return value


class Visit:
    """Asks one Datasette again and again; `address` is where the requests come from."""

    def __init__(self, datasette: Datasette, runner: asyncio.Runner, address: str | None) -> None:
        self.datasette = datasette
        self._application, self._runner, self._address = datasette.app(), runner, address

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Told:
        """Ask as a program does that sends what it is told."""
        given = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        raw, _, query = path.encode("utf-8").partition(b"?")
        return self.send(method, raw, query, given)

    def send(self, method: str, raw_path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Told:
        """Ask with these bytes."""
        return self._runner.run(asyncio.wait_for(self._send(method, raw_path, query, headers), PATIENCE_S))

    async def _send(self, method: str, raw_path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Told:
        from urllib.parse import unquote

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "headers": [(b"host", b"site.test"), *headers],
            "client": None if self._address is None else (self._address, 5000),
            "server": ("site.test", 80),
        }
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.sleep(PATIENCE_S)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await self._application(scope, receive, send)
        start, *rest = sent
        fields = tuple((bytes(n).decode("latin-1").lower(), bytes(v).decode("latin-1")) for n, v in start["headers"])
        return Told(int(str(start["status"])), fields, b"".join(bytes(each.get("body", b"")) for each in rest))


@contextmanager
def visiting(
    *files: Path,
    chosen: Mapping[str, object] | None = None,
    metadata: Mapping[str, object] | None = None,
    address: str | None = None,
    **given: object,
) -> Iterator[Visit]:
    """Plain Datasette on these files; `chosen` are options of the site, `metadata` and `given` those of Datasette."""
    told = {**(metadata or {}), "plugins": {"llmload": dict(chosen or {})}}
    datasette = Datasette([str(file) for file in files], metadata=told, **given)
    try:
        with asyncio.Runner() as runner:
            yield Visit(datasette, runner, address)
    finally:
        for database in datasette.databases.values():
            database.close()
        if datasette.executor is not None:
            datasette.executor.shutdown()
