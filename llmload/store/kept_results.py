"""A run's result as it was judged when it ended, kept beside its requests so that a page of it costs milliseconds.

Only a shortcut: the requests stay the truth. What is kept and cannot be read, since another version of llmload wrote it
or somebody changed it, is as if it were not there, and the run is judged again. Nothing in a document is ever executed.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields, replace
from itertools import pairwise
from operator import attrgetter

from llmload.domain import PartFigures, RunHeader, RunResult, StepMetrics, StepResult
from llmload.latency import Histogram, LatencySummary
from llmload.promises import LATENCIES, RATES, SHARES, STATS, Bound, Gate
from llmload.serving import Check
from llmload.store.plausibility import is_plausible_profile, is_plausible_recommendation, is_plausible_turn
from llmload.store.typed_json import of_text, to_text
from llmload.timeline import GpuSeries, ServerSeries, Timeline

_LARGEST = 16_000_000
"""Bytes of an unpacked document. One step has about 10,000, and a hundred runs to compare with 1,500,000."""


def put_kept(connection: sqlite3.Connection, run: int, result: RunResult) -> None:
    """Keep a result. What `runs` has in columns of its own, such as the text of the scenario, is not kept twice."""
    packed = zlib.compress(to_text(replace(result, header=_EMPTY, analyses=())))
    connection.execute("INSERT OR REPLACE INTO results (run, document) VALUES (?, ?)", (run, packed))


def kept_result(connection: sqlite3.Connection, run: int, header: RunHeader) -> RunResult | None:
    """What was kept of a run; None where nothing was, or nothing that this version can read."""
    query = "SELECT document FROM results WHERE run = ? AND length(document) <= ?"
    row = connection.execute(query, (run, _LARGEST)).fetchone()
    if row is None:
        return None
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(row[0], _LARGEST)
        if not unpack.eof:
            return None
        result = of_text(text, RunResult)
    except Exception:  # whatever is wrong with it, the requests are still there
        return None
    return replace(result, header=header) if _agrees(result) else None


_AXES = {"concurrency", "rate", "speed"}
_SUBJECTS = {*LATENCIES, *SHARES, *RATES}
_CHECKED = {
    ("requests", ""), ("input_tokens", "tokens"), ("output_tokens", "tokens"), ("ttft", "ms"), ("tpot", "ms"),
    ("e2e", "ms"),
}  # fmt: skip
_LATENCY = attrgetter(*(field.name for field in fields(LatencySummary)))  # astuple copies, as deep as it goes
_EMPTY = RunHeader("", "", "", "", "", "", "", "", {}, {})


def _agrees(result: RunResult) -> bool:
    """Whether words are those that we know, and what belongs together is of one length: pages take it for granted."""
    verdicts = [*result.verdicts, *(step.capacity for step in result.steps if step.capacity is not None)]
    gates = [verdict.gate for verdict in verdicts]
    axes = {step.step.axis for step in result.steps} | {gate.at.axis for gate in gates if gate.at is not None}
    if result.knee is not None:
        axes.add(result.knee.axis)
    return (
        axes <= _AXES
        and all(load > 0 for load in _loads(result))
        and all(map(_is_gate, gates))
        and all(_is_measured(step.metrics) for step in result.steps)
        and all(_is_part(part) for step in result.steps for part in step.parts)
        and (result.timeline is None or _is_timeline(result.timeline))
        and all(map(_is_series, result.gpus))
        and (result.server is None or _is_server_series(result.server))
        and all(map(_is_served, result.steps))
        and (result.profile is None or is_plausible_profile(result.profile))
        and (result.recommendation is None or is_plausible_recommendation(result.recommendation))
    )


def _loads(result: RunResult) -> Iterator[float]:
    """Every load and limit that lies on an axis of a chart, which may be logarithmic."""
    yield from (step.step.value for step in result.steps)
    if result.knee is not None:
        yield from (load for load in (result.knee.at_slo, result.knee.saturation) if load is not None)
    for slo in (result.slo, *result.slo_by_class.values()):
        yield from (limit for limit in (() if slo is None else astuple(slo)) if limit is not None)


def _is_gate(gate: Gate) -> bool:
    ops = {gate.at.op} if gate.at is not None else set()
    if isinstance(gate.promise, Bound):
        ops.add(gate.promise.op)
    return gate.subject in _SUBJECTS and (gate.stat is None or gate.stat in STATS) and ops <= {"==", "<=", ">="}


def _is_measured(metrics: StepMetrics) -> bool:
    return all(
        all(value is None or value >= 0 for value in _LATENCY(summary)) for summary in metrics.latency.values()
    ) and all(map(_is_histogram, metrics.histograms.values()))


def _is_part(part: PartFigures) -> bool:
    is_named = part.axis == "class" or is_plausible_turn(part.name)
    return is_named and _is_measured(part.metrics)


def _is_histogram(histogram: Histogram) -> bool:
    edges, counts = histogram.bounds_ms, histogram.counts
    rises = all(low < high for low, high in pairwise((0.0, *edges)))
    return len(edges) == len(counts) and rises and all(0 <= count < 2**53 for count in counts)


def _is_timeline(timeline: Timeline) -> bool:
    tracks = (timeline.in_flight, timeline.output_tps, timeline.errors_per_s)
    return timeline.bin_s > 0 and {len(track) for track in tracks} == {len(timeline.at_s)}


def _is_series(gpu: GpuSeries) -> bool:
    tracks = (gpu.utilisation, gpu.memory_bytes, gpu.temperature_c, gpu.power_w)
    count = len(gpu.at_s)
    is_even = {len(track) for track in tracks} == {count}
    return (
        is_even
        and {len(gpu.sm_clock_mhz), len(gpu.throttled)} <= {0, count}
        and _are_shares((*gpu.utilisation, gpu.throttled_share))
    )


def _is_server_series(server: ServerSeries) -> bool:
    tracks = (server.running, server.waiting, server.kv_cache_share, server.output_tps)
    return {len(track) for track in tracks} == {len(server.at_s)} and _are_shares(server.kv_cache_share)


def _is_served(step: StepResult) -> bool:
    """What GPUs and server did at a step, and what of it was held against the client's side."""
    figures = [figures for figures in (step.gpu, step.server) if figures is not None]
    told = [value for each in figures for value in astuple(each) if isinstance(value, float | int)]
    shares = () if step.gpu is None else (step.gpu.utilisation, step.gpu.throttled)
    if step.server is not None:
        shares = (*shares, step.server.kv_cache_share, step.server.prefix_cache_hit_share)
    return all(value >= 0 for value in told) and _are_shares(shares) and all(map(_is_check, step.checks))


def _is_check(check: Check) -> bool:
    sizes = (check.client, check.server, check.tolerance, check.floor)
    return (check.figure, check.unit) in _CHECKED and all(size >= 0 for size in sizes)


def _are_shares(values: Iterable[float | None]) -> bool:
    return all(value is None or 0 <= value <= 1 for value in values)
