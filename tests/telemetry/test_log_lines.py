"""What a server's periodic lines say, in every wording, cut anywhere, and put together over its engines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.telemetry.log_engines import Engines
from llmload.telemetry.log_lines import EngineFigures, read_line
from llmload.telemetry.log_text import LONGEST_LINE, LineBuffer

CAPTURES = Path(__file__).parents[1] / "captures"
NAMES = (
    *("requests_running", "requests_waiting", "kv_cache_share"),
    *("prefix_cache_hit_share", "output_tps", "prompt_tps"),
)
VLLM = (
    "(APIServer pid=9404) INFO 11-21 00:08:04 [loggers.py:335] Engine 000: Avg prompt throughput: 355.3 tokens/s, "
    "Avg generation throughput: 1491.7 tokens/s, Running: 16 reqs, Waiting: 8 reqs, CPU KV cache usage: 12.4%, "
    "Prefix cache hit rate: 73.3%\n"
)
VLLM_LATER = (
    "\x1b[0;36m(APIServer pid=1)\x1b[0;0m INFO 06-13 11:03:35 [loggers.py:271] Engine 001: "
    "Avg prompt throughput: 236.8 tokens/s, Avg generation throughput: 51.4 tokens/s, Running: 11 reqs, "
    "Waiting: 120 reqs, Deferred: 3 reqs, Preemptions: 42, GPU KV cache usage: 27.3%, Prefix cache hit rate: 91.1%, "
    "External prefix cache hit rate: 1.2%, MM cache hit rate: 66.7%\n"
)
VLLM_OLDER = (
    "INFO 11-24 03:09:29 [metrics.py:386] Avg prompt throughput: 1514.3 tokens/s, "
    "Avg generation throughput: 313.4 tokens/s, Running: 35 reqs, Swapped: 2 reqs, Pending: 15 reqs, "
    "GPU KV cache usage: 95.0%, CPU KV cache usage: 1.5%.\n"
)
DECODE = (
    "[2026-11-21 00:30:18] Decode batch, #running-req: 18, #token: 1496, token usage: 0.18, cpu graph: False, "
    "gen throughput (token/s): 725.86, #queue-req: 123\n"
)
DECODE_OLDER = (
    "[2025-02-27 04:46:39 TP0] Decode batch. #running-req: 8, #token: 62531, token usage: 0.12, "
    "gen throughput (token/s): 186.64, #queue-req: 0\n"
)
DECODE_HYBRID = (
    "[2026-03-14 04:59:11] Decode batch, #running-req: 20, #full token: 2326796, full token usage: 0.14, "
    "#swa token: 77, swa token usage: 0.31, mamba num: 20, mamba usage: 1.00, cuda graph: True, "
    "gen throughput (token/s): 1174.06, #queue-req: 6, \n"
)
PREFILL = (
    "[2026-11-21 00:30:14 DP3 TP3] Prefill batch, #new-seq: 6, #new-token: 300, #cached-token: 100, "
    "token usage: 0.17, #running-req: 2, #queue-req: 21, #pending-token: 0, cpu graph: False, "
    "input throughput (token/s): 15284.61\n"
)
PREFILL_OLDER = (
    "[16:43:29 TP0] Prefill batch. #new-seq: 4, #new-token: 8192, #cached-token: 291, cache hit rate: 2.76%, "
    "token usage: 0.04, #running-req: 1, #queue-req: 38\n"
)
LMDEPLOY = (
    "[2026-02-05 17:05:17 DP0] Avg thr (in/out): 4618.5 / 2756.3 tokens/s, "
    "API server (completed/routed/waiting): 1 / 50 / 50, Engine (running/waiting): 45 / 5, KV cache: 21.6%, \n"
)
LINES = {
    "vLLM": (VLLM, ("000", ""), (16, 8, 0.124, 0.733, 1491.7, 355.3)),
    "vLLM, later": (VLLM_LATER, ("001", ""), (11, 120, 0.273, 0.911, 51.4, 236.8)),
    "vLLM, all engines in one line": (
        VLLM.replace("Engine 000", "2 Engines Aggregated"),
        ("", ""),
        (16, 8, 0.124, 0.733, 1491.7, 355.3),
    ),
    "vLLM, its older engine": (VLLM_OLDER, ("", ""), (35, 15, 0.95, None, 313.4, 1514.3)),
    "vLLM, its older engine's prefix cache": (
        "INFO 11-24 03:09:29 [metrics.py:402] Prefix cache hit rate: GPU: 62.26%, CPU: 0.00%\n",
        ("", ""),
        (None, None, None, 0.6226, None, None),
    ),
    "vLLM, as Docker keeps it": (
        '{"log":"' + VLLM.rstrip() + '\\n","stream":"stdout","time":"2026-11-21T00:08:04.1Z"}\n',
        ("000", ""),
        (16, 8, 0.124, 0.733, 1491.7, 355.3),
    ),
    "vLLM, behind a name of Docker Compose": (
        f"text-gen-1  | {VLLM}",
        ("000", ""),
        (16, 8, 0.124, 0.733, 1491.7, 355.3),
    ),
    "SGLang decodes": (DECODE, ("", ""), (18, 123, 0.18, None, 725.86, None)),
    "SGLang decodes, older": (DECODE_OLDER, ("", "TP0"), (8, 0, 0.12, None, 186.64, None)),
    "SGLang decodes with two kinds of cache": (DECODE_HYBRID, ("", ""), (20, 6, 0.31, None, 1174.06, None)),
    "SGLang prefills": (PREFILL, ("DP3", "TP3"), (None, 21, 0.17, 0.25, None, 15284.61)),
    "SGLang prefills, older": (PREFILL_OLDER, ("", "TP0"), (None, 38, 0.04, 291 / 8483, None, None)),
    "LMDeploy": (LMDEPLOY, ("DP0", ""), (45, 5, 0.216, None, 2756.3, 4618.5)),
}


def figures_in(values: tuple[float | None, ...]) -> Mapping[str, float]:
    return {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}


@pytest.mark.parametrize("name", LINES)
def test_each_wording_tells_its_figures_as_counts_and_shares(name: str) -> None:
    line, ranks, values = LINES[name]
    told = read_line(line)
    assert told is not None
    assert (told.engine, told.rank) == ranks
    assert told.figures == pytest.approx(figures_in(values))


@pytest.mark.parametrize("name", LINES)
def test_a_line_cut_anywhere_tells_the_figures_that_it_has_whole_and_no_other(name: str) -> None:
    line, _, values = LINES[name]
    whole = figures_in(values)
    for end in range(len(line)):
        for cut in (line[:end], line[:end] + "\ufffd"):
            told = read_line(cut)
            for figure, value in ({} if told is None else told.figures).items():
                if name == "SGLang prefills, older" and figure == "prefix_cache_hit_share":
                    assert value == pytest.approx(whole[figure]) or value == 0.0276
                elif name == "SGLang decodes with two kinds of cache" and figure == "kv_cache_share":
                    assert value in (0.14, 0.31)
                else:
                    assert value == pytest.approx(whole[figure])


@pytest.mark.parametrize("name", LINES)
def test_a_line_whose_beginning_was_not_seen_tells_nothing_false(name: str) -> None:
    line, _, values = LINES[name]
    whole = figures_in(values)
    for start in range(len(line)):
        told = read_line(line[start:])
        for figure, value in ({} if told is None else told.figures).items():
            assert value == pytest.approx(whole[figure])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('INFO:     127.0.0.1:54728 - "POST /v1/chat/completions HTTP/1.1" 200 OK\n', id="an access line"),
        pytest.param(f"INFO [logger.py:43] Received request cmpl-1: prompt: '{VLLM}', params\n", id="a prompt"),
        pytest.param(f'Received request cmpl-1: prompt: "it\'s {DECODE}"\n', id="a prompt in other quotes"),
        pytest.param(f"Receive: obj=GenerateReqInput(text='{DECODE}')\n", id="a prompt to SGLang"),
        pytest.param(f"{'x' * 400} {VLLM}", id="far into a line"),
        pytest.param("Engine 000: Avg prompt throughput: nan tokens/s, Running: -3 reqs\n", id="no numbers"),
        pytest.param("[x] Decode batch, #running-req: 1e9, token usage: 7.5, #queue-req: ,\n", id="no such numbers"),
        pytest.param("KV cache usage: 5%, Running: 3 reqs\n", id="figures without their beginning"),
        pytest.param("", id="nothing"),
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert read_line(line) is None


@given(st.text(max_size=300), st.sampled_from([line for line, _, _ in LINES.values()]), st.integers(0, 400))
def test_no_text_within_a_line_brings_it_to_a_stop(junk: str, line: str, at: int) -> None:
    told = read_line(line[:at] + junk + line[at:])
    assert told is None or all(value >= 0 for value in told.figures.values())


@pytest.mark.parametrize(
    "piece",
    [
        "Avg prompt throughput: ",
        "Running: 1",
        "#running-req: 11",
        ", token usage: 0",
        "[DP0 ",
        "9",
        "Decode batch",
        "a =",
    ],
)
def test_a_line_of_a_megabyte_takes_no_longer_than_a_short_one(piece: str) -> None:
    lines = [head + piece * (1_000_000 // len(piece)) for head in ("", VLLM.rstrip(), DECODE.rstrip(), LMDEPLOY)]
    began = time.process_time()
    for line in lines:
        read_line(line)
    assert time.process_time() - began < 0.25


# ---------------------------------------------------------------- captured logs


def replayed(server: str) -> list[Mapping[str, float]]:
    engines, told = Engines(), []
    for number, line in enumerate((CAPTURES / server / "server.log").read_text("utf-8").splitlines(keepends=True)):
        if (figures := read_line(line)) is not None:
            engines.hear(figures, float(number))
            told.append(engines.tell(float(number)))
    return told


def test_the_log_of_a_real_vllm_tells_ten_seconds_after_ten_seconds() -> None:
    told = replayed("vllm")
    assert [each["requests_running"] for each in told] == [0, 0, 0, 8, 0, 1, 16, 0, 0]
    assert [each["requests_waiting"] for each in told] == [0, 0, 0, 0, 0, 0, 8, 0, 0]
    assert [each["output_tps"] for each in told] == [5.9, 13.3, 0.0, 446.6, 1233.3, 994.4, 1491.7, 253.0, 0.0]
    assert max(each["kv_cache_share"] for each in told) == pytest.approx(0.004)
    assert told[-1]["prefix_cache_hit_share"] == pytest.approx(0.733)


def test_the_log_of_a_real_sglang_tells_every_batch() -> None:
    told = replayed("sglang")
    decoding = [each for each in told if "output_tps" in each]
    prefilling = [each for each in told if "prompt_tps" in each]
    assert (len(decoding), len(prefilling)) == (24, 21)
    assert max(each["requests_running"] for each in decoding) == 8
    assert decoding[-1]["output_tps"] == 685.79
    assert {each["prefix_cache_hit_share"] for each in prefilling} == {0.0}


# ---------------------------------------------------------------- several engines


def said(engine: str, rank: str = "", lasts_s: float = 10.0, **figures: float) -> EngineFigures:
    return EngineFigures(engine, rank, figures, lasts_s)  # type: ignore[arg-type] # names of samples


def test_engines_are_added_up_the_fullest_cache_counts_and_hits_are_averaged() -> None:
    engines = Engines()
    engines.hear(said("000", requests_running=3, kv_cache_share=0.5, prefix_cache_hit_share=0.2, output_tps=10), 0.0)
    engines.hear(said("001", requests_running=4, kv_cache_share=0.3, prefix_cache_hit_share=0.4, output_tps=20), 0.0)
    assert engines.tell(0.0) == pytest.approx(
        {"requests_running": 7, "kv_cache_share": 0.5, "prefix_cache_hit_share": 0.3, "output_tps": 30}
    )


def test_an_engine_that_did_not_speak_this_time_still_counts_with_its_last_word() -> None:
    engines = Engines()
    engines.hear(said("000", requests_running=3), 0.0)
    engines.hear(said("001", requests_running=4), 0.0)
    engines.tell(0.0)
    engines.hear(said("001", requests_running=6), 9.0)
    assert engines.tell(9.0) == {"requests_running": 9}


def test_an_engine_that_fell_silent_counts_no_longer() -> None:
    engines = Engines()
    engines.hear(said("DP0", requests_running=3), 0.0)
    engines.hear(said("DP1", requests_running=4), 20.0)
    assert engines.tell(20.0) == {"requests_running": 4}


def test_nothing_is_told_twice() -> None:
    engines = Engines()
    engines.hear(said("", requests_running=3), 0.0)
    assert engines.tell(0.0) == {"requests_running": 3}
    assert engines.tell(1.0) == {}


def test_of_the_ranks_of_one_engine_only_one_counts() -> None:
    engines = Engines()
    for rank in ("TP0", "TP1", "TP2", "TP3"):
        engines.hear(said("", rank, requests_running=8), 0.0)
    assert engines.tell(0.0) == {"requests_running": 8}


def test_ranks_of_different_engines_all_count() -> None:
    engines = Engines()
    for number in range(4):
        line = DECODE.replace("00:30:18]", f"00:30:18 DP{number} TP{number}]")
        told = read_line(line)
        assert told is not None
        engines.hear(told, 0.0)
    assert engines.tell(0.0)["requests_running"] == 72


# ---------------------------------------------------------------- bytes


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_where_the_bytes_were_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    buffer, edges = LineBuffer(), sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert [line for piece in pieces for line in buffer.feed(piece)] == LineBuffer().feed(data)


def test_a_line_without_end_is_left_out_and_the_next_one_is_read() -> None:
    buffer = LineBuffer()
    for _ in range(5):
        assert buffer.feed(b"x" * (LONGEST_LINE // 2)) == []
    assert buffer.feed(b"x\nnext\n") == ["next\n"]


def test_a_progress_bar_ends_with_a_carriage_return() -> None:
    assert LineBuffer().feed(b"10%|#    \r20%|##   \rloaded\r\n") == ["10%|#    \n", "20%|##   \n", "loaded\n"]


def test_what_is_no_utf8_is_replaced() -> None:
    assert LineBuffer().feed(b"\xff\xfe Decode\n") == ["\ufffd\ufffd Decode\n"]
