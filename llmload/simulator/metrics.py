"""GET /metrics: the names and shapes of vLLM's Prometheus page, from the engines' own model time."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from llmload.simulator.engine import Batch, Engine
from llmload.simulator.protocol import Finish

# vLLM's own bucket bounds, in seconds
_TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_ITL_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
_REQUEST_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
_HISTOGRAMS = {
    "time_to_first_token_seconds": ("Time to first token in seconds.", _TTFT_S),
    "inter_token_latency_seconds": ("Inter-token latency in seconds.", _ITL_S),
    "request_time_per_output_token_seconds": ("Histogram of time_per_output_token_seconds per request.", _ITL_S),
    "e2e_request_latency_seconds": ("End to end request latency in seconds.", _REQUEST_S),
    "request_queue_time_seconds": ("Time spent in the WAITING phase.", _REQUEST_S),
    "request_prefill_time_seconds": ("Time spent in the PREFILL phase.", _REQUEST_S),
}
_GAUGES = {
    "num_requests_running": "Number of requests in model execution batches.",
    "num_requests_waiting": "Number of requests waiting to be processed.",
    "kv_cache_usage_perc": "KV-cache usage. 1 means 100 percent usage.",
}
_COUNTERS = {
    "prompt_tokens": "Number of prefill tokens processed.",
    "prompt_tokens_cached": "Number of prompt tokens that the prefix cache had.",
    "generation_tokens": "Number of generation tokens processed.",
    "prefix_cache_queries": "Prefix cache queries, in terms of number of queried tokens.",
    "prefix_cache_hits": "Prefix cache hits, in terms of number of cached tokens.",
    "num_preemptions": "Cumulative number of preemption from the engine.",
}


class _Histogram:
    """Counts by bucket; `observe` takes a weight, since a whole batch shares one step."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float, weight: int = 1) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += weight
        self._sum += seconds * weight

    def lines(self, name: str, labels: str) -> list[str]:
        total, lines = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            le = "+Inf" if bound == float("inf") else repr(bound)
            lines.append(f'vllm:{name}_bucket{{{labels},le="{le}"}} {float(total)}')
        return [*lines, f"vllm:{name}_count{{{labels}}} {float(total)}", f"vllm:{name}_sum{{{labels}}} {self._sum}"]


class Metrics:
    """What the page shows beyond the engines' counters; starts again at nothing when the server restarts."""

    def __init__(self, replicas: int) -> None:
        self._started_s = time.time()
        self._histograms = [
            {name: _Histogram(bounds) for name, (_, bounds) in _HISTOGRAMS.items()} for _ in range(replicas)
        ]
        self._finished = [Counter[str]() for _ in range(replicas)]

    def observe(self, replica: int, batch: Batch) -> None:
        """One step of a replica."""
        of = self._histograms[replica]
        if batch.decoded:
            of["inter_token_latency_seconds"].observe((batch.ended_ns - batch.began_ns) / 1e9, batch.decoded)
        for generation in batch.advanced:
            arrived_ns, admitted_ns = generation.arrival_ns, generation.admitted_ns or generation.arrival_ns
            if generation.generated == 1:
                if generation.output_tokens:
                    of["time_to_first_token_seconds"].observe((batch.ended_ns - arrived_ns) / 1e9)
                of["request_queue_time_seconds"].observe((admitted_ns - arrived_ns) / 1e9)
                of["request_prefill_time_seconds"].observe((batch.ended_ns - admitted_ns) / 1e9)
            if generation.generated >= generation.output_tokens:
                first_ns, gaps = generation.first_ns or batch.ended_ns, generation.generated - 1
                of["e2e_request_latency_seconds"].observe((batch.ended_ns - arrived_ns) / 1e9)
                if generation.output_tokens:
                    pace_s = (batch.ended_ns - first_ns) / max(gaps, 1) / 1e9
                    of["request_time_per_output_token_seconds"].observe(pace_s)

    def count_end(self, replica: int, finish: Finish | None) -> None:
        """One request has left its replica; None = before its end."""
        self._finished[replica]["abort" if finish is None else finish.name.lower()] += 1

    def render(self, engines: Sequence[Engine], model: str) -> bytes:
        """The page, in Prometheus' text format."""
        labels = [f'engine="{number}",model_name="{_escape(model)}"' for number in range(len(engines))]
        lines = _of_engines(engines, labels) + self._of_requests(labels)
        lines += _heading(
            "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."
        )
        lines.append(f"process_start_time_seconds {self._started_s}")
        return ("\n".join(lines) + "\n").encode()

    def _of_requests(self, labels: Sequence[str]) -> list[str]:
        lines = _heading("vllm:request_success_total", "counter", "Count of successfully processed requests.")
        for finished, label in zip(self._finished, labels, strict=True):
            lines += [
                f'vllm:request_success_total{{{label},finished_reason="{reason}"}} {float(finished[reason])}'
                for reason in ("stop", "length", "abort")
            ]
        for name, (meaning, _) in _HISTOGRAMS.items():
            lines += _heading(f"vllm:{name}", "histogram", meaning)
            for histograms, label in zip(self._histograms, labels, strict=True):
                lines += histograms[name].lines(name, label)
        return lines


def _of_engines(engines: Sequence[Engine], labels: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for name, meaning in _GAUGES.items():
        lines += _heading(f"vllm:{name}", "gauge", meaning)
        lines += [
            f"vllm:{name}{{{label}}} {_figures(engine)[name]}" for engine, label in zip(engines, labels, strict=True)
        ]
    for name, meaning in _COUNTERS.items():
        lines += _heading(f"vllm:{name}_total", "counter", meaning)
        lines += [
            f"vllm:{name}_total{{{label}}} {_figures(engine)[name]}"
            for engine, label in zip(engines, labels, strict=True)
        ]
    lines += _heading("vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig")
    lines += [
        f'vllm:cache_config_info{{{label},block_size="16",enable_prefix_caching="{engine.has_prefix_cache}",'
        f'kv_cache_size_tokens="{engine.machine.kv_cache_tokens}"}} 1.0'
        for engine, label in zip(engines, labels, strict=True)
    ]
    return lines


def _figures(engine: Engine) -> dict[str, float]:
    counters = engine.counters
    return {
        "num_requests_running": float(engine.running),
        "num_requests_waiting": float(engine.waiting),
        "kv_cache_usage_perc": engine.kv_cache_usage,
        "prompt_tokens": float(counters.prompt_tokens),
        "prompt_tokens_cached": float(counters.prefix_hits),
        "generation_tokens": float(counters.generation_tokens),
        "prefix_cache_queries": float(counters.prefix_queries),
        "prefix_cache_hits": float(counters.prefix_hits),
        "num_preemptions": 0.0,  # this engine reserves room for the whole answer
    }


def _heading(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
