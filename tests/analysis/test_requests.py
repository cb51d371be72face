"""Rows of single requests: what METRICS.md defines for each, and nothing for what it does not."""

from __future__ import annotations

from dataclasses import replace

from llmload.analysis.metrics import measure
from llmload.analysis.requests import request_rows
from llmload.domain import Outcome, Phase
from llmload.planned import Step
from tests.analysis.builders import SLO, dropped, paced, request, window

RATE = Step(1, "rate", 5.0)


def test_a_row_has_the_latencies_that_the_summary_is_made_of() -> None:
    observed = [window(paced([50.0, 60.0, 90.0]))]
    rows = list(request_rows([observed], SLO))
    summary = measure(observed, SLO).latency["ttft"]
    assert sorted(row.ttft_ms or 0 for row in rows) == [50.0, 60.0, 90.0]
    assert (summary.min_ms, summary.max_ms) == (50.0, 90.0)
    assert [(row.seq, row.outcome, row.is_good) for row in rows] == [(seq, Outcome.OK, True) for seq in range(3)]


def test_warm_up_fillers_and_what_we_cancelled_are_no_rows() -> None:
    others = [
        replace(request(seq), phase=phase, outcome=outcome)
        for seq, (phase, outcome) in enumerate(
            [
                (Phase.WARMUP, Outcome.OK),
                (Phase.FILLER, Outcome.OK),
                (Phase.MEASURED, Outcome.CANCELLED),
                (Phase.MEASURED, Outcome.OK),
            ]
        )
    ]
    assert [row.seq for row in request_rows([[window(others)]], SLO)] == [3]


def test_a_failed_request_has_what_it_got_to_and_no_zeros() -> None:
    failed = request(0, outcome=Outcome.HTTP_ERROR)
    failed = replace(failed, event_ns=failed.event_ns[:0], error_type="HTTP_503", http_status=503, output_tokens=None)
    (row,) = request_rows([[window([failed])]], SLO)
    assert (row.ttft_ms, row.tpot_ms, row.e2e_ms, row.output_tokens) == (None, None, None, None)
    assert (row.is_good, row.error_type, row.http_status) == (False, "HTTP_503", 503)


def test_only_open_loop_tells_ttft_since_a_request_was_due() -> None:
    (closed,) = request_rows([[window(paced([50.0]))]], SLO)
    (opened,) = request_rows([[window(paced([50.0]), step=RATE)]], SLO)
    assert closed.ttft_due_ms is None
    assert opened.ttft_due_ms == 50.0


def test_a_dropped_request_was_never_sent() -> None:
    (row,) = request_rows([[window([dropped(request(0))], step=RATE)]], SLO)
    assert (row.outcome, row.sent_s, row.lag_ms, row.ttft_ms) == (Outcome.DROPPED, None, None, None)


def test_seconds_count_from_the_start_of_each_window_whatever_its_clock() -> None:
    first = window(paced([50.0], begin_ms=2000.0))
    later = replace(window(paced([50.0], begin_ms=500.0), step=RATE), start_ns=first.start_ns + 250_000_000)
    rows = list(request_rows([[], [first], [later]], SLO))
    assert [row.step for row in rows] == [first.look.step, RATE]
    assert rows[0].sent_s is not None
    assert rows[1].sent_s is not None
    assert round(rows[0].sent_s - rows[1].sent_s, 6) == 1.75
