"""A site in a process of its own, on a port of this machine that was free."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx
from playwright.sync_api import Page

_PATIENCE_S = 30.0


class OpenSite(Protocol):
    """Opens a page of the site, such as `compare?runs=a,b`; `options` are those of a browser context."""

    def __call__(self, path: str, **options: object) -> Page: ...


@contextmanager
def served(store: Path, folder: Path) -> Iterator[str]:
    """The address of the site's root, with a slash at its end. What the server says is in `folder`/served.log."""
    port = _free_port()
    address, log = f"http://127.0.0.1:{port}/", folder / "served.log"
    command = [sys.executable, "-m", "datasette", "serve", str(store), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, env=_environment())
        try:
            _wait(process, address, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def _environment() -> dict[str, str]:
    """This checkout's llmload, whatever is installed."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            httpx.get(f"{address}-/llmload/site.css", timeout=5.0, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the site did not answer: {log.read_text(errors='replace')}")
