"""The simulator as a child process: start it, ask it for the truth, stop it by its own pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO
from urllib.parse import urlsplit

import orjson

from llmload.errors import TargetError
from llmload.scenario.asked import Simulator
from llmload.simulator.profiles import machine_of
from llmload.simulator.settings import API_KEY_VARIABLE, encode
from llmload.simulator.truth import Truth

_START_TIMEOUT_S = 30.0  # it takes a third of a second; a busy CI machine may take its time
_STOP_TIMEOUT_S = 2.0
_TRUTH_TIMEOUT_S = 30.0


@dataclass(slots=True)
class SimulatorProcess:
    """A running simulator; a context manager that stops it."""

    url: str
    _child: subprocess.Popen[bytes] = field(repr=False)
    _errors: IO[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def truth(self) -> Truth:
        """What it did (simulator/truth.py); ask after the load, since the answer takes it some milliseconds."""
        truth: Truth = orjson.loads(self._ask("GET", "/truth"))
        return truth

    def reset_truth(self) -> None:
        """Let it forget the requests and the lateness noted so far."""
        self._ask("POST", "/truth/reset")

    def errors(self) -> str:
        """What the child wrote to stderr: nothing, unless it has a defect. Ask before stop()."""
        return _read(self._errors)

    def stop(self) -> None:
        """End the child: SIGTERM, two seconds, SIGKILL. May be called twice."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> SimulatorProcess:
        """Itself: it already runs."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _ask(self, method: str, path: str) -> bytes:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TRUTH_TIMEOUT_S)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        except OSError as error:
            raise TargetError(self.url, f"the simulator does not answer: {error}", "Was it stopped?") from error
        finally:
            connection.close()


def start(settings: Simulator, *, api_key: str | None) -> SimulatorProcess:
    """Start a simulator on a free loopback port and return when it listens.

    The child ends when this process does. UsageError for settings that cannot run; TargetError if it does not start.
    """
    machine_of(settings)  # refuse impossible settings here, in the caller's words
    environment = {name: value for name, value in os.environ.items() if name != API_KEY_VARIABLE}
    if api_key is not None:
        environment[API_KEY_VARIABLE] = api_key
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "llmload.simulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
    )
    process = SimulatorProcess("", child, errors)
    try:
        process.url = _introduce(child, encode(settings), errors)
    except TargetError:
        process.stop()
        raise
    return process


def _introduce(child: subprocess.Popen[bytes], settings: bytes, errors: IO[bytes]) -> str:
    """Hand over the settings and wait for the URL."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child needs pipes")
    with contextlib.suppress(BrokenPipeError):  # it died already: no URL comes, and its last words are told below
        child.stdin.write(settings)
        child.stdin.flush()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        url = child.stdout.readline() if selector.select(_START_TIMEOUT_S) else b""
    if url.startswith(b"http://"):
        return url.decode("ascii").strip()
    said = _read(errors)[-2000:].strip()
    raise TargetError("simulator", f"it did not start: {said or 'no URL in time'}", "Run `llmload simulate` to see why")


def _read(errors: IO[bytes]) -> str:
    """The file so far; its position belongs to the child, which shares it."""
    return os.pread(errors.fileno(), 1_000_000, 0).decode("utf-8", "replace")
