"""The server on a port: from the socket to a clean stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence

from llmload.errors import UsageError
from llmload.scenario.asked import Simulator
from llmload.simulator.server import Server


def listen(
    settings: Simulator,
    *,
    host: str,
    port: int,
    api_key: str | None,
    stop_signals: Sequence[signal.Signals],
    on_url: Callable[[str], None],
    parent: int | None = None,
) -> None:
    """Serve until a stop signal, or until `parent`, a pipe's end that nobody writes to, says end of file.

    `on_url` is called once, when connections are accepted; port 0 takes a free one. UsageError where the port cannot
    be had.
    """
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_serve(settings, (host, port), api_key, stop_signals, on_url, parent))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _serve(
    settings: Simulator,
    address: tuple[str, int],
    api_key: str | None,
    stop_signals: Sequence[signal.Signals],
    on_url: Callable[[str], None],
    parent: int | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in stop_signals:
        loop.add_signal_handler(number, stop.set)
    if parent is not None:
        loop.add_reader(parent, _stop_at_end, parent, stop)
    server = Server(settings, api_key)
    host, port = address
    try:
        listener = await loop.create_server(server.connect, host, port, backlog=4096)
    except OSError as error:
        raise UsageError("simulator", f"cannot listen on {host}:{port}: {error.strerror}", "Choose another") from error
    named = f"[{host}]" if ":" in host else host
    on_url(f"http://{named}:{listener.sockets[0].getsockname()[1]}")
    await stop.wait()
    listener.close()
    server.close()
    if parent is not None:
        loop.remove_reader(parent)
    await asyncio.sleep(0)  # lets the connections hear that they are lost
    await listener.wait_closed()


def _stop_at_end(parent: int, stop: asyncio.Event) -> None:
    if not os.read(parent, 4096):
        stop.set()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Uvloop where it is installed."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
