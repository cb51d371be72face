"""What servers call the figures of their metrics pages: our name, and theirs, newest release first.

Taken from captured pages of vLLM 0.32, SGLang 0.5.23, llama.cpp and Triton 2.51 (tests/captures); older names, LMDeploy
and text-generation-inference from their sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmload.samples import MetricName


@dataclass(frozen=True, slots=True)
class Metric:
    """Where a figure stands on a page: all series of `family`, put together over their labels.

    `also` are families that are counted in, without which the figure is not told. Where `label` is named, series count
    by its value: with one of `only`, if there are any, and none of `never`. `per` makes a distribution of two counters:
    `family` is what its observations add up to, `per` how many there were. `scale` makes our unit of theirs. What
    `lags` is renewed only now and then, and says nothing of one instant. What is `unstreamed` is true only of answers
    that are not streamed.
    """

    family: str
    also: tuple[str, ...] = ()
    label: str = ""
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    per: str | None = None
    scale: float = 1.0
    lags: bool = False
    unstreamed: bool = False


Alias = str | Metric
"""Where a figure stands; a name alone is a family of which every series counts."""
MetricNames = Mapping[MetricName, tuple[Alias, ...]]


def _ended(family: str, *reasons: str) -> Metric:
    return Metric(family, label="finished_reason", only=reasons)


_VLLM_ENDED = "vllm:request_success_total"  # in spite of its name
VLLM: MetricNames = {
    "requests_running": ("vllm:num_requests_running",),
    "requests_waiting": ("vllm:num_requests_waiting",),
    "requests_succeeded": (Metric(_VLLM_ENDED, label="finished_reason", never=("abort", "error")),),
    "requests_failed": (_ended(_VLLM_ENDED, "error"),),
    "requests_cancelled": (_ended(_VLLM_ENDED, "abort"),),
    "prompt_tokens": ("vllm:prompt_tokens_total",),
    "prompt_tokens_cached": ("vllm:prompt_tokens_cached_total",),
    "output_tokens": ("vllm:generation_tokens_total",),
    "kv_cache_share": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),  # shares, in spite of the names
    "prefix_cache_queries": ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    "prefix_cache_hits": ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    "prefix_cache_hit_share": ("vllm:gpu_prefix_cache_hit_rate",),  # up to 0.8; -1 without a cache
    "preemptions": ("vllm:num_preemptions_total",),
    "ttft_s": ("vllm:time_to_first_token_seconds",),
    "itl_s": ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    "tpot_s": ("vllm:request_time_per_output_token_seconds",),
    "e2e_s": ("vllm:e2e_request_latency_seconds",),
    "queue_s": ("vllm:request_queue_time_seconds", "vllm:time_in_queue_requests"),
}

# Its cache_hit_rate is left out: whatever is not a prefill sets it to 0 again.
# Both gauges of requests are renewed every 40 decode steps, and every 30 s without any.
SGLANG: MetricNames = {
    "requests_running": (Metric("sglang:num_running_reqs", lags=True),),
    "requests_waiting": (Metric("sglang:num_queue_reqs", lags=True),),
    "requests_succeeded": ("sglang:num_requests_total",),
    "requests_cancelled": ("sglang:num_aborted_requests_total",),
    "prompt_tokens": ("sglang:prompt_tokens_total",),
    "prompt_tokens_cached": ("sglang:cached_tokens_total",),
    "output_tokens": ("sglang:generation_tokens_total",),
    "kv_cache_share": ("sglang:token_usage",),
    "prefix_cache_queries": ("sglang:prompt_tokens_total",),
    "prefix_cache_hits": ("sglang:cached_tokens_total",),
    "preemptions": ("sglang:num_retracted_requests_total",),
    "ttft_s": ("sglang:time_to_first_token_seconds",),
    "itl_s": ("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
    "tpot_s": ("sglang:request_time_per_output_token_seconds",),
    "e2e_s": ("sglang:e2e_request_latency_seconds",),
    "queue_s": ("sglang:queue_time_seconds",),
}

_PREFILLED, _CACHED = "llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"
LLAMA_CPP: MetricNames = {
    "requests_running": ("llamacpp:requests_processing",),
    "requests_waiting": ("llamacpp:requests_deferred",),
    "prompt_tokens": (Metric(_PREFILLED, also=(_CACHED,)),),  # before it told the cached ones, nobody can say
    "prompt_tokens_cached": (_CACHED,),
    "output_tokens": ("llamacpp:tokens_predicted_total",),
    "kv_cache_share": ("llamacpp:kv_cache_usage_ratio",),  # gone since the middle of 2025
    "prefix_cache_queries": (Metric(_PREFILLED, also=(_CACHED,)),),
    "prefix_cache_hits": (_CACHED,),
    "itl_s": (Metric("llamacpp:tokens_predicted_seconds_total", per="llamacpp:tokens_predicted_total"),),
}

_TRITON_ENDED, _US, _MS = "nv_inference_request_success", 1e-6, 1e-3
TRITON: MetricNames = {
    "requests_waiting": ("nv_inference_pending_request_count",),
    "requests_succeeded": (_TRITON_ENDED,),  # errors of a decoupled model among them
    "requests_failed": (Metric("nv_inference_request_failure", label="reason", never=("CANCELED",)),),
    "requests_cancelled": (Metric("nv_inference_request_failure", label="reason", only=("CANCELED",)),),
    "queue_s": (Metric("nv_inference_queue_duration_us", per=_TRITON_ENDED, scale=_US),),
    "ttft_s": (Metric("nv_inference_first_response_histogram_ms", scale=_MS),),  # where it was switched on
    # of a decoupled model, which is how answers are streamed, it ends when the model has taken the request over
    "e2e_s": (Metric("nv_inference_request_duration_us", per=_TRITON_ENDED, scale=_US, unstreamed=True),),
}

_LMDEPLOY_ENDED = "lmdeploy:request_success_total"
LMDEPLOY: MetricNames = {
    "requests_running": ("lmdeploy:num_requests_running",),
    "requests_waiting": ("lmdeploy:num_requests_waiting",),
    "requests_succeeded": (_ended(_LMDEPLOY_ENDED, "ResponseType.SUCCESS", "ResponseType.FINISH"),),
    "requests_cancelled": (_ended(_LMDEPLOY_ENDED, "ResponseType.CANCEL"),),
    "prompt_tokens": ("lmdeploy:prompt_tokens_total",),
    "output_tokens": ("lmdeploy:generation_tokens_total",),
    "kv_cache_share": ("lmdeploy:gpu_cache_usage_perc",),
    "ttft_s": ("lmdeploy:time_to_first_token_seconds",),
    "itl_s": ("lmdeploy:time_per_output_token_seconds",),
    "e2e_s": ("lmdeploy:e2e_request_latency_seconds",),
    "queue_s": ("lmdeploy:request_queue_time_seconds",),
}

TGI: MetricNames = {
    "requests_running": ("tgi_batch_current_size",),
    "requests_waiting": ("tgi_queue_size",),
    "requests_succeeded": ("tgi_request_success",),
    "requests_failed": ("tgi_request_failure",),
    "prompt_tokens": ("tgi_request_input_length_sum",),
    "output_tokens": ("tgi_request_generated_tokens_sum",),
    "tpot_s": ("tgi_request_mean_time_per_token_duration",),
    "e2e_s": ("tgi_request_duration",),
    "queue_s": ("tgi_request_queue_duration",),
}


def merged(*servers: MetricNames) -> MetricNames:
    """The names of several servers, those of the first first: a page tells by itself whose it is."""
    names: dict[MetricName, tuple[Alias, ...]] = {}
    for server in servers:
        for name, aliases in server.items():
            names[name] = (*names.get(name, ()), *aliases)
    return {name: tuple(dict.fromkeys(aliases)) for name, aliases in names.items()}


def of_streams(names: MetricNames) -> MetricNames:
    """Without what is true only of answers that are not streamed."""
    told = {
        name: tuple(alias for alias in aliases if isinstance(alias, str) or not alias.unstreamed)
        for name, aliases in names.items()
    }
    return {name: aliases for name, aliases in told.items() if aliases}


EVERY = merged(LLAMA_CPP, VLLM, SGLANG, LMDEPLOY, TGI, TRITON)
"""What a page may tell of which nobody said whose it is."""
