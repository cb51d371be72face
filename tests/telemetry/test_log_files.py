"""A log file is followed from its end through whatever happens to files, and what cannot be read is said once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmload.endpoint import Endpoint
from llmload.samples import Series, Source
from llmload.scenario.asked import LogFile, Telemetry
from llmload.telemetry.gpu import NoGpus
from llmload.telemetry.log_file import MOST
from llmload.telemetry.logs import tail_of
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.sources import watch_server


def line(running: int) -> str:
    return (
        f"INFO [loggers.py:335] Engine 000: Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 "
        f"tokens/s, Running: {running} reqs, Waiting: 0 reqs, GPU KV cache usage: 0.4%, Prefix cache hit rate: 0.0%\n"
    )


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


Look = Callable[[], tuple[list[float], tuple[str, ...]]]
"""What one look finds: the requests that run, and notes."""


@contextmanager
def following(path: Path) -> Iterator[Look]:
    with tail_of(LogFile(str(path))) as tail:
        assert tail is not None
        recorder = Recorder()

        def look() -> tuple[list[float], tuple[str, ...]]:
            tail(recorder)
            series, notes = recorder.take()
            return running(series), notes

        yield look


def running(series: tuple[Series, ...]) -> list[float]:
    return [value for each in series if each.name == "requests_running" for value in each.values]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_text(line(99))
    return path


def test_only_what_comes_after_the_beginning_is_told_as_a_figure_of_the_log(log: Path) -> None:
    with tail_of(LogFile(str(log))) as tail:
        assert tail is not None
        recorder = Recorder()
        tail(recorder)
        assert recorder.take() == ((), ())
        append(log, line(3))
        tail(recorder)
        series, notes = recorder.take()
    assert {each.name: list(each.values) for each in series} == {
        "requests_running": [3.0],
        "requests_waiting": [0.0],
        "kv_cache_share": [0.004],
        "prefix_cache_hit_share": [0.0],
        "output_tps": [2.0],
        "prompt_tps": [1.0],
    }
    assert {(each.source, each.device) for each in series} == {(Source.LOG, "")}
    assert notes == ()


def test_a_line_that_comes_in_pieces_counts_when_it_is_whole(log: Path) -> None:
    with following(log) as look:
        append(log, line(12)[:-90])
        assert look() == ([], ())
        append(log, line(12)[-90:])
        assert look() == ([12.0], ())


def test_a_line_that_was_being_written_at_the_beginning_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(line(5)[:40])
    with following(log) as look:
        append(log, line(5)[40:] + line(6))
        assert look() == ([6.0], ())


def test_a_log_that_is_rotated_is_followed_into_the_new_file_and_the_old_one_is_read_to_its_end(log: Path) -> None:
    with following(log) as look:
        log.rename(log.with_suffix(".1"))
        append(log.with_suffix(".1"), line(1))
        assert look() == ([1.0], ())
        append(log, line(2))
        append(log.with_suffix(".1"), line(3))
        assert look() == ([3.0], ())
        look()
        assert look() == ([2.0], ())
        append(log, line(4))
        assert look() == ([4.0], ())


def test_a_log_that_is_emptied_is_read_from_its_beginning(log: Path) -> None:
    with following(log) as look:
        append(log, line(1) * 3)
        look()
        log.write_text(line(2))
        assert look() == ([2.0], ())


def test_a_file_that_is_not_there_yet_is_noted_once_and_read_whole_when_it_comes(tmp_path: Path) -> None:
    log = tmp_path / "later.log"
    with following(log) as look:
        note = f"Server log {log}: there is no such file yet; it is read from its beginning when it comes"
        assert [look() for _ in range(3)] == [([], (note,)), ([], ()), ([], ())]
        append(log, line(7))
        assert look() == ([7.0], ())


def test_a_file_that_goes_away_and_comes_again_is_followed(log: Path) -> None:
    with following(log) as look:
        log.unlink()
        look()
        append(log, line(8))
        assert [value for _ in range(4) for value in look()[0]] == [8.0]


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything, which is not what is tested."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("as_nobody")
def test_a_file_that_may_not_be_read_is_noted_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with following(Path("/etc/shadow")) as look:
        assert look() == ([], ("Server log /etc/shadow: it may not be read (permission denied)",))
        assert look() == ([], ())


def test_a_folder_a_pipe_and_a_path_through_a_file_are_noted_and_never_waited_for(tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.touch()
    for path, told in ((tmp_path, "not a plain file"), (pipe, "not a plain file"), (file / "x", "Not a directory")):
        with following(path) as look:
            assert look() == ([], (f"Server log {path}: it cannot be read ({told})",))


def test_bytes_that_are_no_text_and_lines_without_end_leave_the_rest_readable(log: Path) -> None:
    with following(log) as look:
        append(log, bytes(range(256)) * 2_000)
        assert look() == ([], ())
        append(log, b"\xff\xfe\x00" + b"y" * 300_000 + b"\n" + line(4).encode())
        assert look() == ([4.0], ())


def test_a_log_that_grows_too_fast_is_read_at_its_end_and_that_is_said_once(log: Path) -> None:
    with following(log) as look:
        note = f"Server log {log}: it grows faster than it is read; parts of it are left out"
        for expected in ((note,), ()):
            append(log, line(1) + "access\n" * (2 * MOST // 7) + line(2))
            assert look() == ([2.0], expected)


def test_no_text_of_the_log_is_kept(log: Path) -> None:
    with tail_of(LogFile(str(log))) as tail:
        assert tail is not None
        recorder = Recorder()
        append(log, f"password=hunter2 {line(1)}sk-hunter2\n")
        tail(recorder)
        assert "hunter2" not in repr(recorder.take())


def test_a_window_has_what_the_log_said_up_to_its_end(log: Path) -> None:
    endpoint = Endpoint("http://127.0.0.1:9", "vllm", "chat", "m", stream=True, sampling={})
    telemetry = Telemetry(gpu=None, server_metrics=None, server_logs=LogFile(str(log)))
    with watch_server(telemetry, endpoint, NoGpus()) as watch:
        watch.begin()
        append(log, f"Received request: prompt: '{line(999)}'\n{line(7)}")
        watched = watch.end()
    assert running(watched.series) == [7.0]
    assert watched.notes == ()


def test_no_log_asked_for_is_no_log() -> None:
    with tail_of(None) as tail:
        assert tail is None
