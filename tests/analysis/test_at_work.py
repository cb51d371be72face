"""How much of its time a request spends in a server that only tells how many it has: by what both had at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from llmload.analysis.at_work import share_at_work
from llmload.domain import Observation
from llmload.samples import Watched
from tests.analysis.builders import MS, request, window
from tests.analysis.watched import series

SAMPLES_S = [place / 10 for place in range(1, 10)]


def loaded(samples: Sequence[tuple[float, float]], waiting: Sequence[tuple[float, float]] = ()) -> Observation:
    """One second of four requests at a time, each 100 ms long, and what the server told of itself."""
    records = [request(seq, at_ms=seq // 4 * 100, ttft_ms=0, tpot_ms=10) for seq in range(40)]
    told = [series("requests_running", samples)]
    if waiting:
        told.append(series("requests_waiting", waiting))
    return replace(window(records), start_ns=0, end_ns=1000 * MS, watched=Watched(series=tuple(told)))


def test_a_server_that_has_all_of_ours_has_all_of_their_time() -> None:
    found = share_at_work([loaded([(at + 0.05, 4.0) for at in SAMPLES_S])])
    assert found is not None
    assert (found.share, found.error) == (1.0, 0.0)


def test_what_waits_in_the_server_is_in_the_server() -> None:
    at = [place + 0.05 for place in SAMPLES_S]
    found = share_at_work([loaded([(each, 1.0) for each in at], [(each, 3.0) for each in at])])
    assert found is not None
    assert found.share == 1.0


def test_requests_that_are_held_back_on_the_way_are_missing_in_the_server() -> None:
    """At every instant each of four requests is in the server by a chance of one in three."""
    draw = Random(7)
    instants = [0.05 + place / 10 for place in range(9)]
    samples = [(at, float(sum(draw.random() < 1 / 3 for _ in range(4)))) for at in instants]
    found = share_at_work([loaded(samples), loaded(samples)])
    assert found is not None
    assert abs(found.share - 1 / 3) < 3 * found.error
    assert found.error < 0.1


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param([], id="no samples"),
        pytest.param([(0.15, 4.0), (0.25, 4.0), (0.35, 4.0)], id="too few"),
        pytest.param([(2.0 + place, 4.0) for place in range(9)], id="all of them after the window"),
    ],
)
def test_without_samples_of_the_window_nothing_is_told(samples: Sequence[tuple[float, float]]) -> None:
    assert share_at_work([loaded(samples)]) is None


def test_what_waits_alone_does_not_tell_what_is_in_work() -> None:
    waiting = series("requests_waiting", [(at + 0.05, 0.0) for at in SAMPLES_S])
    assert share_at_work([replace(loaded([]), watched=Watched(series=(waiting,)))]) is None


def test_a_window_in_which_nothing_of_ours_was_in_flight_tells_nothing() -> None:
    quiet = [replace(loaded([(at, 1.0) for at in SAMPLES_S]), records=())]
    assert share_at_work(quiet) is None
