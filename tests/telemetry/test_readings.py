"""What pages tell in our names: captured ones to the figure, and how series are put together."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from llmload.frameworks import metric_names
from llmload.frameworks.metric_names import MetricNames
from llmload.samples import Distribution, MetricName
from llmload.telemetry.readings import Growth, PageNames, Reading, growth
from tests.frameworks.captured import body_of

VLLM = PageNames(metric_names.VLLM, "tiny")


def read(names: MetricNames, page: str, model: str = "tiny") -> Reading:
    return PageNames(names, model).study(page.encode())


def means(reading: Reading) -> dict[MetricName, tuple[float, float | None]]:
    return {name: (each.count, each.mean and round(each.mean, 6)) for name, each in reading.distributions.items()}


def test_vllms_page_is_read_to_the_figure() -> None:
    busy = VLLM.study(body_of("vllm/metrics-busy.prom"))
    assert busy.gauges == {
        "requests_running": 16,
        "requests_waiting": 8,
        "kv_cache_share": 0.00207544866316689,
    }
    assert busy.counts == {
        "requests_succeeded": 206,
        "requests_failed": 0,
        "requests_cancelled": 0,
        "prompt_tokens": 37_010,
        "prompt_tokens_cached": 27_136,
        "output_tokens": 39_750,
        "prefix_cache_queries": 37_010,
        "prefix_cache_hits": 27_136,
        "preemptions": 0,
    }
    assert means(busy) == {
        "ttft_s": (222, 0.127539),
        "itl_s": (39_528, 0.003888),
        "tpot_s": (206, 0.003977),
        "e2e_s": (206, 0.820352),
        "queue_s": (206, 0.038457),
    }
    assert (busy.at_work, busy.started_s) == (24, 1795219436.31)


def test_sglangs_page_is_read_to_the_figure() -> None:
    busy = PageNames(metric_names.SGLANG, "tiny").study(body_of("sglang/metrics-busy.prom"))
    assert busy.gauges == {"requests_running": 8, "requests_waiting": 0, "kv_cache_share": 0.18}
    assert busy.counts == {  # streamed and whole answers together
        "requests_succeeded": 26,
        "prompt_tokens": 2964,
        "output_tokens": 3399,
        "prefix_cache_queries": 2964,
    }
    assert means(busy) == {
        "ttft_s": (34, 0.062630),
        "itl_s": (3469, 0.010221),
        "tpot_s": (26, 0.008407),
        "e2e_s": (26, 1.396206),
        "queue_s": (37, 0.000621),
    }
    assert busy.at_work is None, "its gauges are of an earlier instant"


def test_llama_cpps_page_is_read_to_the_figure() -> None:
    busy = PageNames(metric_names.LLAMA_CPP, "tiny").study(body_of("llama.cpp/metrics-busy.prom"))
    assert (busy.gauges, busy.at_work) == ({"requests_running": 4, "requests_waiting": 4}, 8)
    assert busy.counts == {
        "prompt_tokens": 881 + 9043,  # those from the cache included, as everywhere
        "prompt_tokens_cached": 9043,
        "output_tokens": 10_434,
        "prefix_cache_queries": 881 + 9043,
        "prefix_cache_hits": 9043,
    }
    assert busy.distributions == {"itl_s": Distribution(10_434, 42.0588)}


def test_tritons_page_is_read_to_the_figure() -> None:
    page = PageNames(metric_names.TRITON, "vllm_like").study(body_of("triton/metrics.prom"))
    assert page.gauges == {"requests_waiting": 0}
    assert page.counts == {"requests_succeeded": 8, "requests_failed": 0, "requests_cancelled": 0}
    assert page.distributions == {
        "queue_s": Distribution(8, pytest.approx(0.000366)),
        "e2e_s": Distribution(8, pytest.approx(0.067068)),
    }


def test_how_long_triton_takes_is_not_told_of_streams() -> None:
    """A decoupled model is done when it has taken a request over, and then begins to answer."""
    names = metric_names.of_streams(metric_names.TRITON)
    assert "e2e_s" not in PageNames(names, "vllm_like").study(body_of("triton/metrics.prom")).distributions
    assert names.keys() == metric_names.TRITON.keys() - {"e2e_s"}
    assert metric_names.of_streams(metric_names.VLLM) == metric_names.VLLM


@pytest.mark.parametrize("server", ["vllm", "sglang", "llama.cpp"])
def test_a_page_is_known_by_itself_where_nobody_said_whose_it_is(server: str) -> None:
    own = {"vllm": metric_names.VLLM, "sglang": metric_names.SGLANG, "llama.cpp": metric_names.LLAMA_CPP}[server]
    page = body_of(f"{server}/metrics-busy.prom")
    assert PageNames(metric_names.EVERY, "tiny").study(page) == PageNames(own, "tiny").study(page)


def test_a_glance_tells_gauges_and_counters_as_the_whole_page_does() -> None:
    page = body_of("vllm/metrics-busy.prom")
    assert VLLM.glance(page) == replace(VLLM.study(page), distributions={})


def test_the_names_of_older_releases_are_known_too() -> None:
    old = read(
        metric_names.VLLM,
        "vllm:gpu_cache_usage_perc 0.25\nvllm:gpu_prefix_cache_hit_rate 0.5\n"
        "vllm:time_per_output_token_seconds_sum 2\nvllm:time_per_output_token_seconds_count 100\n",
    )
    assert old.gauges == {"kv_cache_share": 0.25, "prefix_cache_hit_share": 0.5}
    assert old.distributions == {"itl_s": Distribution(100, 2)}


def test_engines_are_added_up_and_the_fullest_cache_counts() -> None:
    page = "".join(
        f'vllm:num_requests_running{{engine="{engine}"}} {running}\n'
        f'vllm:kv_cache_usage_perc{{engine="{engine}"}} {share}\n'
        for engine, running, share in ((0, 3, 0.2), (1, 4, 0.9), (2, 5, 0.4))
    )
    assert read(metric_names.VLLM, page).gauges == {"requests_running": 12, "kv_cache_share": 0.9}


def test_ranks_of_one_engine_are_one_engine_and_those_of_others_are_added() -> None:
    page = "".join(
        f'sglang:num_running_reqs{{dp_rank="{dp}",tp_rank="{tp}",pp_rank="0",pid="{100 * dp + tp}"}} {running}\n'
        for dp, running in ((0, 3), (1, 4))
        for tp in range(4)
    )
    assert read(metric_names.SGLANG, page).gauges == {"requests_running": 7}


def test_only_the_served_model_counts_where_the_page_tells_models_apart() -> None:
    page = (
        'nv_inference_request_success{model="mine",version="1"} 5\nnv_inference_request_success{model="other"} 9\n'
        'nv_inference_request_failure{model="mine",reason="OTHER"} 1\n'
        'nv_inference_request_failure{model="mine",reason="CANCELED"} 2\n'
    )
    told = {"requests_succeeded": 5, "requests_failed": 1, "requests_cancelled": 2}
    assert read(metric_names.TRITON, page, "mine").counts == told
    assert read(metric_names.TRITON, page, "a name that nobody knows").counts["requests_succeeded"] == 14


def test_requests_that_were_given_up_are_none_that_succeeded() -> None:
    page = "".join(
        f'vllm:request_success_total{{finished_reason="{reason}"}} {count}\n'
        for reason, count in (("stop", 1), ("length", 20), ("abort", 300), ("error", 4000), ("repetition", 50_000))
    )
    counts = read(metric_names.VLLM, page).counts
    assert counts == {"requests_succeeded": 50_021, "requests_failed": 4000, "requests_cancelled": 300}


def test_a_figure_that_needs_two_families_is_not_told_by_one() -> None:
    assert read(metric_names.LLAMA_CPP, "llamacpp:prompt_tokens_total 5\n").counts == {}


def test_a_share_that_is_none_is_not_told() -> None:
    assert read(metric_names.VLLM, "vllm:gpu_prefix_cache_hit_rate -1\n").is_empty


def test_milliseconds_become_seconds_bounds_and_all() -> None:
    page = "".join(
        f'nv_inference_first_response_histogram_ms_bucket{{model="m",le="{le}"}} {below}\n'
        for le, below in (("100", 3), ("500", 5), ("+Inf", 6))
    )
    page += 'nv_inference_first_response_histogram_ms_sum{model="m"} 1500\n'
    page += 'nv_inference_first_response_histogram_ms_count{model="m"} 6\n'
    told = read(metric_names.TRITON, page, "m").distributions["ttft_s"]
    assert told == Distribution(6, 1.5, (0.1, 0.5), (3, 2, 1))


def test_a_figure_below_nothing_is_none() -> None:
    page = "vllm:num_requests_running 2\nvllm:num_requests_waiting -5\nvllm:prompt_tokens_total -3\n"
    told = read(metric_names.VLLM, page + histogram(1, 1, 1, total=-2.0))
    assert (told.gauges, told.counts, told.distributions) == ({"requests_running": 2}, {}, {})


def histogram(*below: float, bounds: tuple[str, ...] = ("0.1", "0.5", "+Inf"), total: float = 1.0) -> str:
    lines = [f'vllm:time_to_first_token_seconds_bucket{{le="{le}"}} {n}\n' for le, n in zip(bounds, below, strict=True)]
    lines += [
        f"vllm:time_to_first_token_seconds_sum {total}\n",
        f"vllm:time_to_first_token_seconds_count {below[-1]}\n",
    ]
    return "".join(lines)


def test_a_histogram_grows_by_its_buckets() -> None:
    grown = growth(read(metric_names.VLLM, histogram(1, 4, 5)), read(metric_names.VLLM, histogram(2, 8, 12, total=4.5)))
    assert grown == Growth({}, {"ttft_s": Distribution(7, 3.5, (0.1, 0.5), (1, 3, 3))})


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(histogram(5, 4, 6), id="counts that fall"),
        pytest.param(histogram(1, 4, bounds=("0.1", "0.5")), id="no last bucket"),
        pytest.param(histogram(1, 4, 5, bounds=("0.1", "NaN", "+Inf")).replace("NaN", "x"), id="a bound that is none"),
    ],
)
def test_buckets_that_make_no_sense_leave_sum_and_count(page: str) -> None:
    told = read(metric_names.VLLM, page).distributions["ttft_s"]
    assert told.total == 1.0
    assert math.isclose(sum(told.counts), told.count) or told.bounds == told.counts == ()


def test_vllm_grew_from_the_idle_page_to_the_busy_one() -> None:
    idle, busy = (VLLM.study(body_of(f"vllm/metrics-{state}.prom")) for state in ("idle", "busy"))
    grown = growth(busy, idle)  # the idle page was captured after the busy one
    assert grown is not None
    assert grown.counts["requests_succeeded"] == idle.counts["requests_succeeded"] - 206 > 0
    ttft = grown.distributions["ttft_s"]
    assert ttft.count == sum(ttft.counts)


def test_a_series_that_comes_later_began_at_nothing() -> None:
    before, after = (read(metric_names.SGLANG, page) for page in ("", "sglang:prompt_tokens_total 9\n"))
    assert growth(before, after) == Growth({"prompt_tokens": 9, "prefix_cache_queries": 9}, {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("vllm:prompt_tokens_total 9\n", "vllm:prompt_tokens_total 8\n", id="a counter fell"),
        pytest.param("vllm:prompt_tokens_total 9\n", "vllm:generation_tokens_total 8\n", id="a counter is gone"),
        pytest.param(histogram(1, 4, 5), histogram(1, 3, 5), id="a bucket fell"),
        pytest.param(histogram(1, 4, 5), histogram(1, 4, 5, total=0.5), id="a sum fell"),
        pytest.param("process_start_time_seconds 1\n", "process_start_time_seconds 2\n", id="another process"),
    ],
)
def test_two_pages_that_are_not_of_one_life_have_no_difference(before: str, after: str) -> None:
    pages = [read(metric_names.VLLM, "vllm:num_preemptions_total 1\n" + page) for page in (before, after)]
    assert growth(*pages) is None
