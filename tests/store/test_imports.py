"""Results of the earlier tool become runs: their figures as they were told, what they lack as None, and no secret."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import IMPORTED, RunResult
from llmload.errors import DataFileError, StoreError
from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Language, texts_in
from llmload.store.database import Store, open_store
from llmload.store.imports import LARGEST, read_file, result_of, run_of
from llmload.store.loadtest import MOST_LEVELS
from llmload.verdict import Status

DOCUMENTS = Path(__file__).parent / "loadtest"
COMMAND = json.loads((DOCUMENTS / "command.json").read_text(encoding="utf-8"))
MODIFIED = datetime(2025, 7, 1, 9, 30, tzinfo=UTC)

Json = dict[str, object]


def imported(document: object) -> RunResult:
    return run_of(json.dumps(document).encode(), "old.json", MODIFIED)


def changed(path: str, value: object) -> Json:
    """The recorded document with another value at a path such as `results.0.ttft`; ... leaves the name out."""
    document: Json = json.loads(json.dumps(COMMAND))
    *parents, last = path.split(".")
    place: object = document
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]  # type: ignore[index]
    assert isinstance(place, dict)
    if value is ...:
        place.pop(last, None)
    else:
        place[last] = value
    return document


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.db") as opened:
        yield opened


# ---------------------------------------------------------------- figures


def test_figures_are_those_of_the_file_in_our_units() -> None:
    first = imported(COMMAND).steps[0]
    assert (first.step.label, first.metrics.attempts, first.metrics.ok, first.metrics.good) == (
        "concurrency 1",
        100,
        98,
        96,
    )
    assert first.metrics.goodput == pytest.approx(0.9795918)
    assert (first.metrics.error_rate, first.metrics.output_tps, first.metrics.rps) == (0.02, 118.5, 0.926)
    assert (first.metrics.window_s, first.metrics.output_tokens) == (105.86, 12544)
    ttft, tpot = first.metrics.latency["ttft"], first.metrics.latency["tpot"]
    assert (ttft.p50_ms, ttft.p95_ms, ttft.p99_ms, ttft.mean_ms) == (18.25, 24.5, 30.75, 19.25)
    assert (tpot.p50_ms, tpot.p95_ms, tpot.p99_ms) == (8.125, 9.0, 9.5)


def test_what_the_file_does_not_hold_is_none_and_never_0() -> None:
    second = imported(COMMAND).steps[1].metrics
    unknown = (second.good, second.goodput, second.goodput_low, second.rps, second.window_s, second.input_tokens)
    assert set(unknown) == {None}
    assert {second.cancelled, second.dropped, second.cached_tokens, second.total_tps, second.goodput_rps} == {None}
    ttft = second.latency["ttft"]
    assert {ttft.count, ttft.skipped, ttft.mean_ms, ttft.min_ms, ttft.max_ms, ttft.p90_ms} == {None}


def test_a_step_in_which_nothing_succeeded_has_no_latency_where_the_tool_wrote_0() -> None:
    last = imported(COMMAND).steps[2].metrics
    assert (last.latency, last.error_rate, last.ok) == ({}, 1.0, 0)


def test_without_streaming_e2e_does_not_pass_for_ttft() -> None:
    run = imported(changed("config.stream", False))
    assert set(run.steps[0].metrics.latency) == {"e2e"}
    assert "the answers were not streamed" in run.caveats[-1].figure


def test_an_error_rate_that_was_not_told_follows_from_the_counts() -> None:
    assert imported(changed("results.0.error_rate_percent", ...)).steps[0].metrics.error_rate == 0.02


def test_an_imported_run_is_not_gated_and_says_why() -> None:
    run = imported(COMMAND)
    assert (run.status, run.exit_code, run.is_imported) == (Status.NOT_GATED, 0, True)
    assert run.because == "imported from old.json, not measured by this llmload"
    assert run.fingerprint["measured_by"] == "llm-loadtest"


# ---------------------------------------------------------------- the server


@pytest.mark.parametrize(
    ("told", "framework"),
    [
        pytest.param({"vllm_config": {}}, "vllm", id="vllm_config alone"),
        pytest.param({"vllm_config": {}, "adapter": "openai"}, "vllm", id="vllm_config beside an adapter"),
        pytest.param({"framework": "sglang", "framework_config": {}}, "sglang", id="a framework"),
        pytest.param({"framework": "sglang", "vllm_config": {}}, "sglang", id="a framework beside vllm_config"),
        pytest.param({"adapter": "triton"}, "triton", id="the adapter triton"),
        pytest.param({"adapter": "triton", "vllm_config": {}}, "triton", id="the adapter triton and vllm_config"),
        pytest.param({"adapter": "openai"}, "openai", id="the adapter openai"),
        pytest.param({}, "openai", id="nothing"),
        pytest.param({"framework": "a fork of mine"}, "a fork of mine", id="an unknown one"),
    ],
)
@pytest.mark.parametrize("where", ["config", "the document"])
def test_the_framework_is_the_one_that_the_old_fields_mean(told: Json, framework: str, where: str) -> None:
    document: Json = {"config": told, "results": COMMAND["results"]}
    if where == "the document":
        document = {**told, "results": COMMAND["results"]}
    target = imported(document).target
    assert target is not None
    assert target.framework == framework


def test_settings_are_declared_as_written_and_none_is_made_up() -> None:
    target = imported(COMMAND).target
    assert target is not None
    assert target.settings == {"gpu_memory_utilization": 0.85, "quantization": "none", "tensor_parallel_size": 2}
    assert set(target.declared) == set(target.settings)
    assert (target.model, target.url, target.api, target.fit) == (
        "Qwen/Qwen3-14B",
        "http://***@localhost:8000",
        None,
        None,
    )


def test_no_secret_of_the_file_reaches_the_store(store: Store) -> None:
    assert store.take_in(read_file(DOCUMENTS / "command.json")) is None
    with closing(sqlite3.connect(store.path)) as connection:
        everything = "\n".join(connection.iterdump())
    assert "Qwen" in everything
    for secret in ("sk-never-stored", "hf-never-stored", "hunter22"):
        assert secret not in everything


def test_a_file_that_names_no_server_says_so() -> None:
    run = imported({"results": COMMAND["results"]})
    assert run.target is not None
    assert (run.target.model, run.target.url, run.header.scenario) == ("unknown", "unknown", "loadtest")
    assert "model: the file does not name it; server_url: the file does not name it" in run.caveats[-1].figure


# ---------------------------------------------------------------- its time


@pytest.mark.parametrize(
    ("started", "created", "unsure"),
    [
        pytest.param("2026-01-05T12:34:56.789012", "2026-01-05T12:34:56.789Z", "no time zone", id="no zone"),
        pytest.param("2026-01-05 12:34:56", "2026-01-05T12:34:56.000Z", "no time zone", id="a blank for the T"),
        pytest.param("2026-01-05T12:34:56Z", "2026-01-05T12:34:56.000Z", "", id="UTC"),
        pytest.param("2026-01-05T12:34:56+09:00", "2026-01-05T03:34:56.000Z", "", id="an offset"),
        pytest.param(1767616496.5, "2026-01-05T12:34:56.500Z", "", id="seconds since 1970"),
        pytest.param(None, "2025-07-01T09:30:00.000Z", "no started_at: its date is that of the file", id="null"),
        pytest.param(..., "2025-07-01T09:30:00.000Z", "no started_at: its date is that of the file", id="none"),
    ],
)
def test_the_run_is_dated_by_the_file_and_doubt_is_told(started: object, created: str, unsure: str) -> None:
    run = imported(changed("started_at", started))
    assert run.header.created == created
    doubts = [caveat.figure for caveat in run.caveats if caveat.rule == "time of the run unsure"]
    assert [unsure in doubt for doubt in doubts] == ([True] if unsure else [])


def test_a_file_without_a_time_is_dated_by_its_last_change(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(changed("started_at", ...)))
    os.utime(path, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    assert read_file(path).header.created == "2025-07-01T09:30:00.000Z"


# ---------------------------------------------------------------- in the store


@pytest.mark.parametrize("name", ["command.json", "service.json"])
def test_a_run_comes_back_from_the_store_as_it_was_read(store: Store, name: str) -> None:
    run = read_file(DOCUMENTS / name)
    assert store.take_in(run) is None
    stored = store.load(run.header.run_id)
    assert (stored.status, stored.observations) == (IMPORTED, ())
    assert result_of(stored) == run


def test_the_same_file_is_one_run_wherever_it_lies(store: Store, tmp_path: Path) -> None:
    run = read_file(DOCUMENTS / "command.json")
    copy = tmp_path / "copy.json"
    copy.write_bytes((DOCUMENTS / "command.json").read_bytes())
    assert [store.take_in(run), store.take_in(read_file(copy))] == [None, run.header.run_id]
    assert len(store.list_runs()) == 1


def test_every_view_of_the_store_tells_that_it_was_imported(store: Store) -> None:
    store.take_in(read_file(DOCUMENTS / "command.json"))
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT DISTINCT status, framework FROM run_list").fetchall() == [
            ("imported", "vllm")
        ]
        steps = connection.execute('SELECT status, step, "TTFT p99 (ms)", "requests/s" FROM step_list').fetchall()
    assert steps[1] == ("imported", "concurrency 10", 120.5, None)


def test_an_imported_run_cannot_be_gone_on_with(store: Store) -> None:
    run = read_file(DOCUMENTS / "command.json")
    store.take_in(run)
    assert store.recover() == ()
    with pytest.raises(StoreError, match="this run is imported"):
        store.resume(run.header.run_id)


# ---------------------------------------------------------------- files that cannot be trusted


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        pytest.param("results", ..., "results: is missing", id="no results"),
        pytest.param("results", [], "results: has 0 members", id="empty results"),
        pytest.param("results", {}, "results: is an object, and not a list", id="results that are no list"),
        pytest.param("results", [3], "results[0]: is 3, and not an object", id="a step that is a number"),
        pytest.param("results", [{}] * (MOST_LEVELS + 1), "1 to 1,000 are read", id="too many steps"),
        pytest.param("config", "old", "config: is text, and not an object", id="a config that is text"),
        pytest.param("results.0.concurrency", ..., "results[0].concurrency: is missing", id="no concurrency"),
        pytest.param(
            "results.0.concurrency", 0, "results[0].concurrency: is 0, and not at least 1", id="concurrency 0"
        ),
        pytest.param("results.0.concurrency", 1.5, "is 1.5, and not a whole number", id="half a concurrency"),
        pytest.param("results.1.concurrency", 1, "results[1].concurrency: is 1 a second time", id="a level twice"),
        pytest.param("results.0.total_requests", -1, "results[0].total_requests: is -1, and not from 0", id="negative"),
        pytest.param("results.0.total_requests", True, "is True, and not a number", id="a truth value"),
        pytest.param("results.0.total_requests", 10**30, "is 1e+30, and not from 0", id="beyond whole numbers"),
        pytest.param("results.0.total_requests", 97, "is 98, of 97 requests", id="more successes than requests"),
        pytest.param("results.0.ttft", "fast", "results[0].ttft: is text, and not an object", id="a latency in words"),
        pytest.param("results.0.ttft.p95", ..., "results[0].ttft.p95: is missing", id="a percentile less"),
        pytest.param("results.0.ttft.p95", "24 ms", "results[0].ttft.p95: is text, and not a number", id="text"),
        pytest.param("results.0.goodput.goodput_percent", 130, "is 130, and not from 0 to 100", id="130 percent"),
        pytest.param("model", 7, "model: is 7, and not text", id="a model that is a number"),
        pytest.param("model", "x" * 401, "model: has 401 characters", id="a model that is a novel"),
        pytest.param("started_at", "yesterday", "started_at: is no time that can be read", id="a time in words"),
        pytest.param("started_at", "0001-01-01T00:00:00+14:00", "started_at: is no time", id="before the first year"),
        pytest.param("started_at", "0001-01-01T00:00:00Z", "started_at: is no time", id="the first year"),
        pytest.param("started_at", 1e30, "started_at: is no time", id="after the last year"),
        pytest.param("started_at", True, "started_at: is no time", id="a time that is a truth value"),
        pytest.param("config.vllm_config", [1], "config.vllm_config: is a list", id="settings in a list"),
        pytest.param(
            "config.vllm_config.quantization", {"a": 1}, "quantization: is an object, and not text", id="a deep setting"
        ),
        pytest.param("apiVersion", "llmload/result/v1", "apiVersion: a document of llmload itself", id="our own"),
    ],
)
def test_a_fault_is_told_with_its_path(path: str, value: object, fault: str) -> None:
    with pytest.raises(DataFileError) as refused:
        imported(changed(path, value))
    assert fault in str(refused.value)
    assert str(refused.value).startswith("old.json: ")
    assert refused.value.exit_code == 2


def test_every_fault_is_told_at_once_but_not_thousands() -> None:
    broken = [{"concurrency": -number} for number in range(1, 40)]
    with pytest.raises(DataFileError) as refused:
        imported({"results": broken})
    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert "results[0].total_requests: is missing" in str(refused.value)
    assert lines[-1].endswith("more.")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_PLACES = [
    *("config", "model", "server_url", "results", "started_at", "completed_at", "config.vllm_config", "config.stream"),
    *("config.vllm_config.quantization", "config.framework", "config.framework_config", "adapter"),
    *("results.0.concurrency", "results.0.ttft", "results.0.ttft.p50", "results.0.goodput", "results.0.total_requests"),
    *("results.0.goodput.goodput_percent", "results.0.error_rate_percent", "results.0.throughput_tokens_per_sec"),
]


@given(st.sampled_from(_PLACES), _JSON)
def test_whatever_stands_in_a_file_it_is_a_run_that_can_be_told_or_a_fault(path: str, value: object) -> None:
    try:
        run = imported(changed(path, value))
    except DataFileError:
        return
    for name in ("markdown", "json", "junit", "csv"):
        assert any(b"imported" in content for content in REPORTERS[name](run, texts_in(Language.EN)).values())


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        pytest.param(b"", "line 1, column 1: not JSON", id="nothing"),
        pytest.param(b"[1]", "document: is a list, and not an object", id="a list"),
        pytest.param(b'{"results": NaN}', "not JSON: unexpected character", id="NaN"),
        pytest.param(b'{"results": 1e999}', "not JSON: number is infinity", id="infinity"),
        pytest.param(b'{"results": ' + b"[" * 100_000, "not JSON: depth limit exceeded", id="deep nesting"),
        pytest.param(b'{"model": "\xff"}', "not JSON: str is not valid UTF-8", id="not UTF-8"),
    ],
)
def test_what_is_not_json_is_refused(raw: bytes, fault: str) -> None:
    with pytest.raises(DataFileError) as refused:
        run_of(raw, "old.json", MODIFIED)
    assert fault in str(refused.value)


def test_a_byte_order_mark_is_read_over() -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(COMMAND).encode()
    assert len(run_of(raw, "old.json", MODIFIED).steps) == 3


def _a_pipe(path: Path) -> None:
    os.mkfifo(path)


def _too_much(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(_a_pipe, "is not a file", id="a pipe"),
        pytest.param(Path.mkdir, "is not a file", id="a folder"),
        pytest.param(_too_much, "is larger than 10,000,000 bytes", id="a huge file"),
        pytest.param(lambda path: None, "cannot be read: no such file", id="nothing"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, make: Callable[[Path], object], fault: str) -> None:
    path = tmp_path / "old.json"
    make(path)
    with pytest.raises(DataFileError, match=fault):
        read_file(path)
