"""A real server as a process: started, asked until it is ready, and gone afterwards with all it started in turn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

_STOPPED_WITHIN_S = 15


@contextmanager
def running(
    command: Sequence[str], *, ready: str, ready_within_s: float, log: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The server in a group of its own, once the address `ready` answers 200; AssertionError with its log: never.

    It is stopped with the block, or by the system when we are killed (`setpriv`, of util-linux).
    """
    whole = {**_inherited(), **env}
    with (
        log.open("wb") as out,
        subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", *command],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=whole,
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait_until_ready(ready, process, ready_within_s, log)
            yield process
        finally:
            _stop(process)


def _inherited() -> dict[str, str]:
    """Our environment without what is meant for our own interpreter."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], within_s: float, log: Path) -> None:
    give_up = time.monotonic() + within_s
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < give_up and process.poll() is None:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            time.sleep(0.05)
    raise AssertionError(f"the server is not ready (exit status {process.poll()}):\n{log.read_text()[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def free_ports(how_many: int) -> list[int]:
    """Different ports that were free a moment ago, for servers that do not tell which one they were given."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(how_many)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
