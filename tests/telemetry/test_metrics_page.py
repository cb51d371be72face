"""The metrics page over real sockets: who answers, who does not, and who gets the key."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.endpoint import Endpoint
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in
from llmload.samples import Distribution, ServerWork, Source
from llmload.scenario.asked import Auto, MetricsPage
from llmload.telemetry.prometheus import page_of
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.watching import PageReader
from tests.forwarding_proxy import ForwardingProxy
from tests.frameworks.captured import body_of
from tests.load.conftest import certificate, server_tls
from tests.scripted_server import Piece, Request, Script, ScriptedServer

__all__ = ["certificate", "server_tls"]

KEY = "sk-very-secret-0815"
PAGE = "vllm:num_requests_running 0\nvllm:prompt_tokens_total {}\n"


def endpoint(url: str, framework: str = "vllm") -> Endpoint:
    headers = (("authorization", f"Bearer {KEY}"), ("Accept", "application/json"))
    return Endpoint(url, framework, "chat", "tiny", True, {}, headers=headers)


def answer(body: str | bytes, status: str = "200 OK", extra: str = "") -> Script:
    content = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n{extra}Content-Length: {len(content)}\r\n\r\n"
    return Script([Piece(0, head.encode() + content)])


def pages(*bodies: str, then: str = "") -> Callable[[Request], Script]:
    """Each body once, and the last one, or `then`, for ever."""
    return lambda request: answer(bodies[request.number] if request.number < len(bodies) else then or bodies[-1])


@contextmanager
def watched(script: Callable[[Request], Script], framework: str = "vllm") -> Iterator[tuple[PageReader, Recorder, str]]:
    with ScriptedServer(script) as server, page_of(Auto(), endpoint(server.url, framework)) as page:
        assert page is not None
        yield page, Recorder(), server.url


def window(page: PageReader, recorder: Recorder, reads: int = 0) -> tuple[ServerWork | None, tuple[str, ...]]:
    page.begin(recorder)
    for _ in range(reads):
        page.read(recorder)
    work = page.end(recorder)
    return work, recorder.take()[1]


def in_korean(notes: Sequence[str]) -> bool:
    """Whether no two words of English are left."""
    return not any(re.search("[a-z]+ [a-z]+", in_language(note, texts_in(Language.KO))) for note in notes)


def test_both_edges_make_the_servers_work_and_the_timer_its_samples() -> None:
    with watched(pages(PAGE.format(100), PAGE.format(130), PAGE.format(170))) as (page, recorder, _):
        began_ns = time.monotonic_ns()
        page.begin(recorder)
        page.read(recorder)
        work = page.end(recorder)
        series, notes = recorder.take()
    assert work is not None
    assert (work.counts, work.running_before, work.running_after) == ({"prompt_tokens": 70}, 0, 0)
    assert began_ns <= work.start_ns <= work.end_ns <= time.monotonic_ns()
    told = {each.name: (each.source, list(each.values)) for each in series}
    assert told == {"prompt_tokens": (Source.METRICS, [130]), "requests_running": (Source.METRICS, [0])}
    assert notes == ()


def test_histograms_of_a_captured_page_grow_within_a_window() -> None:
    bodies = [body_of(f"vllm/metrics-{state}.prom").decode() for state in ("busy", "idle")]
    with watched(pages(*bodies)) as (page, recorder, _):
        work, notes = window(page, recorder)
    assert work is not None
    assert isinstance(work.distributions["ttft_s"], Distribution)
    assert work.distributions["ttft_s"].count == sum(work.distributions["ttft_s"].counts) > 0
    assert (work.running_before, work.running_after, notes) == (24, 0, ())


def test_the_end_waits_until_the_server_has_done_with_what_was_cancelled() -> None:
    busy = "vllm:num_requests_running 3\nvllm:prompt_tokens_total 20\n"
    with watched(pages(PAGE.format(10), busy, busy, PAGE.format(30))) as (page, recorder, _):
        work, _ = window(page, recorder)
    assert work is not None
    assert (work.counts, work.running_after) == ({"prompt_tokens": 20}, 0)


def test_somebody_elses_requests_are_waited_for_no_longer_than_a_second() -> None:
    busy = "vllm:num_requests_running 3\nvllm:prompt_tokens_total 20\n"
    with watched(pages(PAGE.format(10), busy)) as (page, recorder, _):
        page.begin(recorder)
        began = time.monotonic()
        work = page.end(recorder)
        assert 0.9 < time.monotonic() - began < 3
    assert work is not None
    assert work.running_after == 3


@pytest.mark.parametrize(
    ("bodies", "note"),
    [
        pytest.param(
            [PAGE.format(100), PAGE.format(7), PAGE.format(120)],
            "the server began anew within a window, or several replicas answer in turn",
            id="a counter fell and rose again",
        ),
        pytest.param(
            [f"process_start_time_seconds {start}\n{PAGE.format(9)}" for start in (1, 1, 2)],
            "the server began anew within a window",
            id="another process",
        ),
        pytest.param(
            [f"process_start_time_seconds {start}\n{PAGE.format(9)}" for start in (1, 2, 1)],
            "several replicas answer in turn",
            id="two processes in turn",
        ),
    ],
)
def test_pages_of_several_lives_are_not_held_against_ours(bodies: list[str], note: str) -> None:
    with watched(pages(*bodies)) as (page, recorder, url):
        work, notes = window(page, recorder, reads=1)
    assert work is None
    assert notes == (f"Metrics page {url}/metrics: {note}: its counts are not held against ours",)
    assert in_korean(notes)


def slowly(pieces: int, after_s: float) -> Script:
    body = PAGE.format(5).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    cut = -(-len(body) // pieces)
    return Script([Piece(0, head), *(Piece(after_s, body[at : at + cut]) for at in range(0, len(body), cut))])


def test_a_page_in_many_pieces_is_read() -> None:
    with watched(lambda _: slowly(50, 0.002)) as (page, recorder, _):
        work, notes = window(page, recorder)
    assert work is not None
    assert notes == ()


GZIP = "Content-Encoding: gzip\r\n"
CUT = Script([Piece(0, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + PAGE.format(5).encode())], "close")
ENDLESS = Script([Piece(0, b"HTTP/1.1 200 OK\r\n\r\n"), *[Piece(0, b"#" * 10_000_000)] * 10], "close")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param(answer("", "404 Not Found"), "it answers with status 404", id="no such page"),
        pytest.param(answer("", "401 Unauthorized"), "it answers with status 401", id="a key is wanted"),
        pytest.param(answer("", "302 Found", "Location: /m\r\n"), "it answers with status 302", id="a redirect"),
        pytest.param(answer("<html>"), "it has no figure that llmload knows", id="another page"),
        pytest.param(answer(b"\0\xff" * 9), "it has no figure that llmload knows", id="rubbish"),
        pytest.param(answer("x", extra=GZIP), "it is compressed, which nobody asked for", id="compressed"),
        pytest.param(ENDLESS, "it is longer than 8 MB", id="100 MB"),
        pytest.param(CUT, "the server hung up", id="half a page"),
        pytest.param(Script([Piece(0, b"\x16\x03\x01 nonsense\r\n\r\n")], "close"), "the server hung up", id="no HTTP"),
        pytest.param(Script((), "reset"), "the server hung up", id="a reset"),
    ],
)
def test_a_page_that_is_none_is_one_note(script: Script, problem: str) -> None:
    with watched(lambda _: script) as (page, recorder, url):
        found = [window(page, recorder, reads=2) for _ in range(4)]
    assert found == [(None, (f"Metrics page {url}/metrics: {problem}",)), *[(None, ())] * 3]
    assert in_korean(found[0][1])


SLOW = {
    "it says nothing": Script((), "stall"),
    "it drips its page": slowly(8, 0.5),
    "it drips its head": Script([Piece(0.9, b"X") for _ in range(9)]),
}


def test_a_server_that_is_slow_delays_an_edge_by_two_seconds() -> None:
    def begin(script: Script) -> tuple[float, list[str]]:
        with watched(lambda _: script) as (page, recorder, _):
            began = time.monotonic()
            page.begin(recorder)
            return time.monotonic() - began, [note.partition("/metrics: ")[2] for note in recorder.take()[1]]

    with ThreadPoolExecutor(len(SLOW)) as pool:
        told = dict(zip(SLOW, pool.map(begin, SLOW.values()), strict=True))
    assert {name: notes for name, (_, notes) in told.items()} == {key: ["it is not there within 2 s"] for key in SLOW}
    assert max(delay for delay, _ in told.values()) < 4


def test_nobody_there_is_one_note_with_what_to_switch_on() -> None:
    with ScriptedServer(lambda _: answer("")) as server:
        url = server.url
    recorder = Recorder()
    with page_of(Auto(), endpoint(url, "sglang")) as page:
        assert page is not None
        assert window(page, recorder) == (
            None,
            (
                f"Metrics page {url}/metrics: nothing answers there",
                "To have the server's own figures, start SGLang with --enable-metrics",
            ),
        )


def test_a_page_that_dies_within_a_window_leaves_gaps_and_a_note() -> None:
    script = pages(PAGE.format(1), PAGE.format(2))
    with watched(lambda request: script(request) if request.number < 2 else answer("", "503 Busy")) as (
        page,
        recorder,
        url,
    ):
        work, notes = window(page, recorder, reads=3)
    assert work is None
    assert notes == (
        f"Metrics page {url}/metrics: samples are missing: it answers with status 503",
        f"Metrics page {url}/metrics: it was not read at the edge of a window: it answers with status 503",
    )
    assert in_korean(notes)


def test_a_page_that_hangs_holds_up_two_edges_and_is_back_as_soon_as_it_answers() -> None:
    hangs = True

    def script(request: Request) -> Script:
        told = answer(PAGE.format(request.number))
        return Script([Piece(30, told.pieces[0].data)]) if hangs and request.number else told

    with watched(script) as (page, recorder, _):
        page.begin(recorder)
        began = time.monotonic()
        assert [window(page, recorder)[0] for _ in range(8)] == [None] * 8
        assert 3.9 < time.monotonic() - began < 6.5
        hangs = False
        work, notes = window(page, recorder)
    assert work is not None
    assert notes == ()


def test_a_connection_that_the_server_promised_to_keep_and_closed_is_opened_again() -> None:
    with watched(lambda request: replace(answer(PAGE.format(request.number)), then="close")) as (page, recorder, _):
        work, notes = window(page, recorder, reads=3)
    assert work is not None
    assert notes == ()


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_page_beside_the_api_gets_the_key_of_the_api(path: str) -> None:
    with ScriptedServer(pages(PAGE.format(1))) as server, page_of(Auto(), endpoint(server.url + path)) as page:
        assert page is not None
        page.begin(Recorder())
        head = server.requests[0].head.decode()
    assert head.startswith("GET /metrics HTTP/1.1")
    assert f"authorization: Bearer {KEY}" in head
    assert head.lower().count("accept: ") == 1


def test_a_prefix_and_a_query_of_the_url_are_kept() -> None:
    with ScriptedServer(pages(PAGE.format(1))) as server:
        with page_of(Auto(), endpoint(server.url + "/team/v1?tenant=7")) as page:
            assert page is not None
            page.begin(Recorder())
        assert server.requests[0].head.startswith(b"GET /team/metrics?tenant=7 HTTP/1.1")


def test_a_page_elsewhere_never_gets_the_key() -> None:
    with ScriptedServer(pages(PAGE.format(1))) as api, ScriptedServer(pages(PAGE.format(1))) as other:
        with page_of(MetricsPage(other.url + "/m"), endpoint(api.url)) as page:
            assert page is not None
            page.begin(Recorder())
        assert KEY.encode() not in other.requests[0].head
        with page_of(MetricsPage(api.url + "/m"), endpoint(api.url)) as page:
            assert page is not None
            page.begin(Recorder())
        assert KEY.encode() in api.requests[0].head


def test_credentials_of_a_url_are_sent_and_never_told() -> None:
    with ScriptedServer(lambda _: answer("", "404 Not Found")) as server:
        url = server.url.replace("://", "://user:pass-4711@") + "/m?token=hush"
        recorder = Recorder()
        with page_of(MetricsPage(url), endpoint("http://127.0.0.1:9")) as page:
            assert page is not None
            page.begin(recorder)
        assert b"uthorization: Basic " in server.requests[0].head
    (note,) = recorder.take()[1]
    assert "status 404" in note
    assert not any(secret in note for secret in ("user", "4711", "hush"))


def test_nothing_is_read_where_nothing_is_asked_or_no_server_tells() -> None:
    with page_of(None, endpoint("http://127.0.0.1:9")) as page:
        assert page is None
    with page_of(Auto(), endpoint("http://127.0.0.1:9", "ollama")) as page:
        assert page is None


def test_tritons_page_is_looked_for_beside_its_api_and_then_on_its_own_port() -> None:
    with ScriptedServer(lambda _: answer("", "404 Not Found")) as server:
        recorder = Recorder()
        with page_of(Auto(), endpoint(server.url, "triton")) as page:
            assert page is not None
            page.begin(recorder)
        notes = recorder.take()[1]
    assert [note.partition(": ")[0] for note in notes] == [
        f"Metrics page {server.url}/metrics",
        "Metrics page http://127.0.0.1:8002/metrics",
    ]


def test_the_targets_proxy_is_used_for_its_own_origin_and_no_other() -> None:
    with ScriptedServer(pages(PAGE.format(1))) as server:
        with ForwardingProxy({"llm.test": ("127.0.0.1", int(server.url.rpartition(":")[2]))}) as proxy:
            behind = replace(endpoint("http://llm.test"), proxy=proxy.url)
            for source in (Auto(), MetricsPage("http://llm.test/m"), MetricsPage(server.url + "/elsewhere")):
                with page_of(source, behind) as page:
                    assert page is not None
                    assert window(page, Recorder())[0] is not None
        assert set(proxy.lines) == {"GET http://llm.test/metrics", "GET http://llm.test/m"}


def test_a_page_over_tls_is_trusted_as_the_target_is(
    certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with ScriptedServer(pages(PAGE.format(1)), tls=server_tls) as server:
        stranger, known = endpoint(server.url), replace(endpoint(server.url), tls_ca_file=str(certificate[0]))
        found = []
        for each in (stranger, known, replace(stranger, tls_verify=False)):
            with page_of(Auto(), each) as page:
                assert page is not None
                found.append(window(page, Recorder())[0] is not None)
    assert found == [False, True, True]
