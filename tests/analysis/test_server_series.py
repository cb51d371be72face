"""What a server told of itself becomes a series and figures: its page before its log, gauges of the windows only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.analysis.server_series import server_figures_of, server_series_of
from llmload.samples import Distribution, ServerWork, Source, Watched
from tests.analysis.builders import paced, window
from tests.analysis.watched import SECOND, lasting, series


def test_a_server_that_tells_nothing_has_neither() -> None:
    assert server_series_of([lasting(0, 10)]) is None
    assert server_figures_of([lasting(0, 10)]) is None


def test_the_page_comes_before_the_log() -> None:
    page = series("requests_running", [(1, 8.0)])
    log = series("requests_running", [(1, 3.0)], source=Source.LOG)
    found = server_series_of([lasting(0, 10, page, log)])
    assert found is not None
    assert (found.source, found.running, found.waiting) == (Source.METRICS, (8.0,), (None,))
    alone = server_series_of([lasting(0, 10, log)])
    assert alone is not None
    assert (alone.source, alone.running) == (Source.LOG, (3.0,))


def test_throughput_comes_from_the_counter_of_tokens_and_not_across_a_restart() -> None:
    counter = series("output_tokens", [(1, 100.0), (2, 300.0), (3, 10.0), (4, 60.0)])
    found = server_series_of([lasting(0, 10, counter)])
    assert found is not None
    assert (found.at_s, found.output_tps) == ((2.0, 4.0), (200.0, 50.0))


def test_throughput_is_of_each_window_and_not_of_the_turn_of_another_side_between_them() -> None:
    first = lasting(0, 3, series("output_tokens", [(1, 100.0), (2, 300.0)]))
    after_a_pause = lasting(1_000, 1_003, series("output_tokens", [(1_001, 90_000.0), (1_002, 90_100.0)]))
    found = server_series_of([first, after_a_pause])
    assert found is not None
    assert [rate for rate in found.output_tps if rate is not None] == [200.0, 100.0]


def test_gauges_are_of_the_measured_windows() -> None:
    waiting = series("requests_waiting", [(4, 99.0), (5, 1.0), (7, 5.0), (11, 99.0)])
    cache = series("kv_cache_share", [(5, 0.2), (7, 0.9)])
    found = server_figures_of([lasting(5, 10, waiting, cache)])
    assert found is not None
    assert (found.waiting, found.waiting_max, found.kv_cache_share, found.running) == (3.0, 5.0, 0.9, None)


def test_counts_and_latencies_are_of_all_windows_together() -> None:
    def grown(requests: float, seconds: float) -> ServerWork:
        return ServerWork(
            0,
            SECOND,
            {"preemptions": 1.0, "prefix_cache_hits": 30.0, "prefix_cache_queries": 100.0},
            {"ttft_s": Distribution(requests, seconds), "queue_s": Distribution(0.0, 0.0)},
        )

    found = server_figures_of([lasting(0, 1, work=grown(100, 10.0)), lasting(2, 3, work=grown(300, 90.0))])
    assert found is not None
    assert (found.ttft_ms, found.preemptions, found.queue_ms) == (pytest.approx(250.0), 2.0, None)
    assert found.prefix_cache_hit_share == pytest.approx(0.3)


def test_tpot_is_the_time_of_all_tokens_that_have_one_before_them() -> None:
    """As llama.cpp tells it, whose time is divided by the first token of each answer, too."""
    answers = window(paced([50.0] * 10))
    tokens = float(sum(record.output_tokens or 0 for record in answers.records))
    work = ServerWork(0, SECOND, {"output_tokens": tokens}, {"itl_s": Distribution(tokens, (tokens - 10) * 0.02)})
    found = server_figures_of([replace(answers, watched=Watched(server=work))])
    assert found is not None
    assert found.tpot_ms == pytest.approx(20.0)


def test_a_count_that_one_window_lacks_is_not_told() -> None:
    told = ServerWork(0, SECOND, {"preemptions": 1.0})
    found = server_figures_of([lasting(0, 1, work=told), lasting(2, 3)])
    assert found is not None
    assert found.preemptions is None


def test_no_hits_at_all_are_a_share_of_nothing_hit() -> None:
    none = ServerWork(0, SECOND, {"prefix_cache_hits": 0.0, "prefix_cache_queries": 100.0})
    found = server_figures_of([lasting(0, 1, series("prefix_cache_hit_share", [(0.5, 0.7)]), work=none)])
    assert found is not None
    assert found.prefix_cache_hit_share == 0.0
