"""While a window runs: figures at a glance, and no surprise from missing ones."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from llmload.domain import Phase
from llmload.progress import Progress, Waiting
from llmload.reporters import live
from llmload.samples import GpuNow
from tests.store.observations import GPUS_NOW

RUNNING = Progress("concurrency 50", Phase.MEASURED, 120, 200, 50, 1234.5, 100.2, 333.3, 0.93, 12.3)
BEGUN = Progress("concurrency 50", Phase.WARMUP, 0, 0, 1, 0.0, None, None, None, 0.0)


def shown(progress: Progress | Waiting) -> str:
    file = io.StringIO()
    Console(file=file, width=90).print(live.panel(progress))
    return file.getvalue()


def test_the_line_tells_where_the_window_stands() -> None:
    assert live.line(RUNNING) == (
        "concurrency 50, measured: 120 / 200 requests, 50 in flight, 1,234 events/s, "
        "TTFT p50 100 ms, p95 333 ms, goodput 93%, 8s left"
    )


def test_the_panel_tells_the_same() -> None:
    text = shown(RUNNING)
    for words in ("concurrency 50, measured", "120 / 200", "1,234 events/s", "100 ms / 333 ms", "93%", "8s"):
        assert words in text


def test_a_window_that_has_just_begun_has_no_figures_yet() -> None:
    assert live.line(BEGUN) == "concurrency 50, warmup: 0 / 0 requests, 1 in flight, goodput n/a, n/a left"
    assert "0 / 0" in shown(BEGUN)


def test_answers_that_are_no_text_have_neither_ttft_nor_events() -> None:
    vectors = replace(RUNNING, output_events_per_s=0.0, ttft_p50_ms=None, ttft_p95_ms=None)
    assert live.line(vectors) == "concurrency 50, measured: 120 / 200 requests, 50 in flight, goodput 93%, 8s left"
    assert "TTFT" not in shown(vectors)
    assert "events/s" not in shown(vectors)
    assert shown(vectors).count("\n") == shown(RUNNING).count("\n")


def test_a_stream_that_stalls_is_told() -> None:
    assert "50 in flight, 0 events/s, TTFT p50 100 ms" in live.line(replace(RUNNING, output_events_per_s=0.0))


def test_the_panel_keeps_its_height() -> None:
    assert shown(RUNNING).count("\n") == shown(BEGUN).count("\n")


def test_each_gpu_has_its_figures_as_far_as_it_tells_them() -> None:
    told = replace(RUNNING, gpus=GPUS_NOW)
    assert live.line(told).removeprefix(live.line(RUNNING)) == (
        "; GPU 0 97%, 71 / 80 GiB, 66 °C, 640 W; GPU 1 0%, 0.50 GiB"
    )
    for words in ("GPU 0 97%, 71 / 80 GiB, 66 °C, 640 W", "GPU 1 0%, 0.50 GiB"):
        assert words in shown(told)


def test_a_gpu_that_tells_nothing_is_not_idle() -> None:
    mute = GpuNow(3, "NVIDIA H100", None, None, 80 * 2**30, None, None)
    assert live.line(replace(RUNNING, gpus=(mute,))).endswith("; GPU 3 n/a")


def test_many_gpus_leave_the_terminal_readable() -> None:
    many = tuple(replace(GPUS_NOW[0], index=index) for index in range(11))
    text = shown(replace(RUNNING, gpus=many))
    assert "GPU 7 97%" in text
    assert "GPU 8" not in text
    assert "and 3 more" in text
    assert shown(replace(RUNNING, gpus=many)).count("\n") == shown(RUNNING).count("\n") + 9


def test_a_long_wait_is_told_in_minutes_and_overshoot_is_no_wait() -> None:
    assert "10m00s left" in live.line(replace(RUNNING, done=10, planned=110, elapsed_s=60.0))
    assert live.line(replace(RUNNING, done=210)).endswith(", 0s left")


def test_a_server_that_is_waited_for_has_a_line_and_a_panel() -> None:
    waiting = Waiting(elapsed_s=12.4, limit_s=600.0)
    assert live.line(waiting) == "waiting for the server: 12 s of 10m"
    assert live.line(waiting) in shown(waiting)
