"""The log of a container as Docker's engine sends it over its socket (API `GET /containers/NAME/logs`)."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from llmload.plain_text import plain
from llmload.telemetry.log_file import MOST
from llmload.telemetry.log_text import LineBuffer
from llmload.telemetry.recorder import Recorder

if TYPE_CHECKING:
    import httpx

_PATIENCE_S = 5.0
_LEAVE_S = 1.0
_HEADER = 8
_ONLY = 0  # the stream of a terminal, which has one
_FOLLOW = {"follow": "1", "stdout": "1", "stderr": "1", "tail": "0"}


class Frames:
    """Takes Docker's multiplexed stream apart: a header of stream, three zeros and a length, then so many bytes.

    `docs.docker.com/reference/api/engine`, "Stream format". ValueError where it is no such stream.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces of each stream in `data`, as far as they came."""
        while data:
            if self._left == 0:
                missing = _HEADER - len(self._header)
                self._header, data = self._header + data[:missing], data[missing:]
                if len(self._header) == _HEADER:
                    self._begin(self._header)
                    self._header = b""
                continue
            piece, data = data[: self._left], data[self._left :]
            self._left -= len(piece)
            yield self._stream, piece

    def _begin(self, header: bytes) -> None:
        if header[0] > 3 or header[1:4] != b"\0\0\0":
            raise ValueError(header)
        self._stream, self._left = header[0], int.from_bytes(header[4:])


class SocketLog:
    """Follows a container from now on, in a thread that waits for what the engine sends."""

    def __init__(self, path: str, name: str) -> None:
        self._path, self._name = path, name
        self._lock = threading.Lock()
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._notes: list[str] = []
        self._buffers: dict[int, LineBuffer] = {}
        self._socket: socket.socket | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._follow, name="docker-log", daemon=True)
        self._thread.start()

    def read(self, recorder: Recorder) -> list[str]:
        """The lines that came since the last time."""
        with self._lock:
            pieces, self._pieces, self._size = self._pieces, deque(), 0
            notes, self._notes = self._notes, []
        for note in notes:
            recorder.note(f"Server log of container {self._name}: {note}")
        lines: list[str] = []
        for stream, data in pieces:
            buffer = self._buffers.setdefault(stream, LineBuffer())
            if data:
                lines += buffer.feed(data)
            else:
                buffer.skip()
        return lines

    def close(self) -> None:
        """Hang up, which wakes the thread."""
        self._is_closing = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_LEAVE_S)

    def _follow(self) -> None:
        import httpx

        try:
            with socket.socket(socket.AF_UNIX) as knock:  # httpx leaves a socket open that nobody answers
                knock.settimeout(_PATIENCE_S)
                knock.connect(self._path)
            with httpx.Client(
                transport=httpx.HTTPTransport(uds=self._path),
                base_url="http://docker",  # names nobody: the socket is the address
                timeout=httpx.Timeout(_PATIENCE_S),
                trust_env=False,
            ) as client:
                told = self._take(client)
        except (httpx.HTTPError, OSError) as error:
            told = f"Docker's socket {self._path} does not answer ({type(error).__name__})"
        except (ValueError, TypeError, KeyError):
            told = f"Docker's socket {self._path} sends no log"
        if not self._is_closing:
            self._tell(told)

    def _take(self, client: httpx.Client) -> str:
        """Keep what comes until it ends, and say why it did."""
        import httpx

        about = client.get(f"/containers/{self._name}/json")
        if about.status_code != httpx.codes.OK:
            return _complaint(about)
        frames = None if about.json()["Config"]["Tty"] else Frames()
        waiting = httpx.Timeout(_PATIENCE_S, read=None)
        with client.stream("GET", f"/containers/{self._name}/logs", params=_FOLLOW, timeout=waiting) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                return _complaint(response)
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            for data in () if self._is_closing else response.iter_raw():
                for stream, piece in frames.feed(data) if frames is not None else ((_ONLY, data),):
                    self._keep(stream, piece)
        return "the container has ended"

    def _keep(self, stream: int, piece: bytes) -> None:
        with self._lock:
            if self._size + len(piece) <= MOST:
                self._pieces.append((stream, piece))
                self._size += len(piece)
                return
            streams = {stream for stream, _ in self._pieces} | {stream}
            self._pieces = deque((each, b"") for each in sorted(streams))
            self._size = 0
        self._tell("it grows faster than it is read; parts of it are left out")

    def _tell(self, note: str) -> None:
        with self._lock:
            self._notes.append(note)


def _complaint(response: httpx.Response) -> str:
    """What the engine says, which it does as `{"message": ...}`."""
    with suppress(ValueError, TypeError, KeyError):
        if words := plain(str(json.loads(response.content)["message"])):
            return f"docker says: {words}"
    return f"docker answers {response.status_code}"
