"""The log of a container, by the `docker` command and by Docker's socket.

There is no Docker engine here. A program named `docker` stands in for the command, and prints what the command prints;
a real HTTP server on a UNIX socket stands in for the engine, and frames the log as the engine does.
"""

from __future__ import annotations

import json
import os
import socketserver
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.scenario.asked import Container
from llmload.telemetry.docker_socket import Frames
from llmload.telemetry.log_file import MOST
from llmload.telemetry.logs import tail_of
from llmload.telemetry.recorder import Recorder
from tests.telemetry.test_log_files import line, running

DECODE = "[2026-11-21 00:30:18] Decode batch, #running-req: 8, token usage: 0.18, #queue-req: 5\n"
GIVE_UP_S = 10.0


class Seen:
    """Everything that was told so far."""

    def __init__(self) -> None:
        self.running: list[float] = []
        self.waiting: list[float] = []
        self.notes: list[str] = []


@contextmanager
def following(name: str) -> Iterator[Callable[[Callable[[Seen], object]], Seen]]:
    """A function that looks again and again until something is seen."""
    with tail_of(Container(name)) as tail:
        assert tail is not None
        recorder, seen = Recorder(), Seen()

        def until(enough: Callable[[Seen], object]) -> Seen:
            give_up = time.monotonic() + GIVE_UP_S
            while not enough(seen) and time.monotonic() < give_up:
                tail(recorder)
                series, notes = recorder.take()
                seen.running += running(series)
                seen.waiting += [value for each in series if each.name == "requests_waiting" for value in each.values]
                seen.notes += notes
                time.sleep(0.005)
            return seen

        yield until


# ---------------------------------------------------------------- the command


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a program named docker first in PATH, made of a few lines of Python; its arguments are in `arguments`."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(body: str) -> Path:
        script = folder / "docker"
        script.write_text(
            f"#!{sys.executable} -I\nimport json, os, pathlib, sys, time\n"
            f"note = pathlib.Path({str(tmp_path)!r})\n"
            "(note / 'arguments').write_text(json.dumps(sys.argv[1:]))\n(note / 'pid').write_text(str(os.getpid()))\n"
            f"{body}\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return make


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_both_streams_of_the_command_are_read_and_it_ends_with_the_watch(docker: Callable[[str], Path]) -> None:
    folder = docker(
        f"print({line(3)!r}, end='', flush=True)\ntime.sleep(0.05)\n"
        f"print({line(4)!r}, end='', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    with following("vllm-1.a_b") as until:
        seen = until(lambda seen: 4.0 in seen.running)
        assert seen.running[-1] == 4.0
        assert seen.notes == []
    assert json.loads((folder / "arguments").read_text()) == ["logs", "--follow", "--tail", "0", "vllm-1.a_b"]
    assert is_gone(int((folder / "pid").read_text()))


def test_what_ignores_being_asked_to_end_is_ended_all_the_same(docker: Callable[[str], Path]) -> None:
    folder = docker(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"print({line(3)!r}, end='', flush=True)\ntime.sleep(60)"
    )
    with following("vllm") as until:
        until(lambda seen: seen.running)
    assert is_gone(int((folder / "pid").read_text()))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(
            "sys.exit('Error response from daemon: No such container: vllm')",
            "docker says: Error response from daemon: No such container: vllm",
            id="no such container",
        ),
        pytest.param(
            "sys.exit('Cannot connect to the Docker daemon at unix:///var/run/docker.sock.')",
            "docker says: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            id="no engine",
        ),
        pytest.param("print('secret'); sys.exit(3)", "docker ended with code 3", id="another error"),
        pytest.param("print('secret')", "the container has ended", id="the end"),
    ],
)
def test_how_it_ended_is_noted_once(docker: Callable[[str], Path], body: str, told: str) -> None:
    docker(body)
    with following("vllm") as until:
        until(lambda seen: seen.notes)
        looks = iter(range(5))
        seen = until(lambda _: next(looks) == 4)
    assert seen.notes == [f"Server log of container vllm: {told}"]


def test_the_last_line_counts_before_the_end_is_told(docker: Callable[[str], Path]) -> None:
    docker(f"print({line(9)!r}, end='')")
    with following("vllm") as until:
        assert until(lambda seen: seen.notes).running == [9.0]


def test_a_line_that_the_end_cut_off_tells_no_wrong_number(docker: Callable[[str], Path]) -> None:
    docker(f"print({DECODE.replace('5', '512')[:-2]!r}, end='')")
    with following("vllm") as until:
        seen = until(lambda seen: seen.notes)
    assert seen.notes == ["Server log of container vllm: the container has ended"]
    assert seen.waiting == []


def test_a_command_that_cannot_be_started_is_noted(docker: Callable[[str], Path]) -> None:
    folder = docker("")
    (folder / "bin" / "docker").write_text("#!/no/such/interpreter\n")
    with following("vllm") as until:
        assert until(lambda seen: seen.notes).notes == [
            "Server log of container vllm: docker cannot be started (No such file or directory)"
        ]


def test_a_flood_is_let_go_and_what_comes_then_is_read(docker: Callable[[str], Path]) -> None:
    docker(
        f"print('access\\n' * {2 * MOST // 7}, end='', flush=True)\n"
        f"while True:\n    print({line(2)!r}, end='', flush=True)\n    time.sleep(0.01)"
    )
    with following("vllm") as until:
        assert until(lambda seen: seen.running).running[-1] == 2.0


@pytest.mark.parametrize("name", ["--help", "-f", "a b", "../images", "", "x;reboot", "x" * 300, "\x1b[2J"])
def test_what_is_no_name_of_a_container_is_never_handed_to_anybody(
    docker: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    docker("")
    with following(name) as until:
        (note,) = until(lambda seen: seen.notes).notes
    assert note.endswith("is no name of a container")
    assert note.isprintable()
    assert not (tmp_path / "arguments").exists()


# ---------------------------------------------------------------- the socket


def framed(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4) + text


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """What stands in for Docker's engine: one container, whose log comes in the pieces that it was given."""

    daemon_threads = True
    block_on_close = False
    is_terminal = False
    pieces: tuple[bytes, ...] = ()
    refusal: tuple[int, bytes] | None = None
    stays = True


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def do_GET(self) -> None:
        self.client_address = ("local", 0)
        if self.server.refusal is not None:
            self.answer(*self.server.refusal)
        elif self.path == "/containers/vllm/json":
            self.answer(200, json.dumps({"Config": {"Tty": self.server.is_terminal, "Env": ["KEY=hunter2"]}}).encode())
        elif self.path == "/containers/vllm/logs?follow=1&stdout=1&stderr=1&tail=0":
            self.stream()
        else:
            self.answer(404, json.dumps({"message": f"no {self.path}"}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in self.server.pieces:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            time.sleep(0.01)
        if self.server.stays:
            self.rfile.read(1)  # until the client hangs up
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing of it is printed."""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    server = Engine(f"{tmp_path}/docker.sock", Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_both_streams_of_the_socket_are_taken_apart(engine: Engine) -> None:
    whole = framed(2, DECODE[:50].encode()) + framed(1, line(3).encode()) + framed(2, DECODE[50:].encode())
    engine.pieces = (whole[:3], whole[3:20], whole[20:200], whole[200:])
    with following("vllm") as until:
        seen = until(lambda seen: seen.running)
    assert seen.running == [11.0]
    assert seen.notes == []


def test_a_terminal_has_one_stream_without_frames(engine: Engine) -> None:
    engine.is_terminal = True
    engine.pieces = (line(6).replace("\n", "\r\n").encode(),)
    with following("vllm") as until:
        assert until(lambda seen: seen.running).running == [6.0]


def test_the_end_of_the_watch_hangs_up_and_leaves_no_thread(engine: Engine) -> None:
    engine.pieces = (framed(1, line(3).encode()),)
    with following("vllm") as until:
        until(lambda seen: seen.running)
    assert "docker-log" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("arrange", "name", "told"),
    [
        pytest.param({}, "other", "docker says: no /containers/other/json", id="no such container"),
        pytest.param({"refusal": (403, b"no")}, "vllm", "docker answers 403", id="an engine that refuses"),
        pytest.param({"refusal": (200, b"[]")}, "vllm", "Docker's socket {path} sends no log", id="something else"),
        pytest.param({"pieces": (b"HTTP over HTTP",)}, "vllm", "Docker's socket {path} sends no log", id="no frames"),
        pytest.param({"stays": False}, "vllm", "the container has ended", id="the end"),
    ],
)
def test_what_the_socket_does_not_give_is_noted(
    engine: Engine, tmp_path: Path, arrange: dict[str, object], name: str, told: str
) -> None:
    for key, value in arrange.items():
        setattr(engine, key, value)
    with following(name) as until:
        seen = until(lambda seen: seen.notes)
    expected = told.format(path=tmp_path / "docker.sock")
    assert seen.notes == [f"Server log of container {name}: {expected}"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        pytest.param("unix://{tmp}/none", "there is neither the docker command nor the socket {tmp}/none", id="none"),
        pytest.param(
            "unix://{tmp}/file", "Docker's socket {tmp}/file does not answer (ConnectionRefusedError)", id="no socket"
        ),
        pytest.param(
            "tcp://127.0.0.1:2375", "DOCKER_HOST is no UNIX socket, which takes the docker command", id="far away"
        ),
    ],
)
def test_without_command_and_socket_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, told: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", host.format(tmp=tmp_path))
    with following("vllm") as until:
        seen = until(lambda seen: seen.notes)
    assert seen.notes == [f"Server log of container vllm: {told.format(tmp=tmp_path)}"]


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=40)), max_size=6), st.integers(1, 60))
def test_where_the_socket_cut_the_frames_does_not_matter(frames: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(framed(stream, text) for stream, text in frames)
    taken, parser = dict.fromkeys(range(4), b""), Frames()
    for start in range(0, len(data), size):
        for stream, piece in parser.feed(data[start : start + size]):
            taken[stream] += piece
    expected = {stream: b"".join(text for each, text in frames if each == stream) for stream in range(4)}
    assert taken == expected
