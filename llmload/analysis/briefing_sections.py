"""A run result as short tables for a reader without eyes: units in the names, figures rounded, foreign text cleaned."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llmload.analysis.claimed_figures import Figure, Kind
from llmload.capacity import Advice, Recommendation
from llmload.domain import RunResult, StepResult
from llmload.latency import LatencySummary
from llmload.plain_text import plain
from llmload.promises import Slo
from llmload.scenario.secrets import MASK, names_secret
from llmload.serving import GpuFigures, ServerFigures
from llmload.units import format_number

Cell = str | Figure | None
"""A text that is clean, a figure, or nothing: what nobody knows."""

Item = TypeVar("Item")

LONGEST_TEXT = 240
"""Characters of one text from elsewhere."""

_DIGITS = 4  # significant ones
_LONGEST_SEEN = 4_000  # characters of one text that are searched for secrets
_LONGEST_SECRET = 1_000
_MOST_ROWS = 60  # of one table, and of settings

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S*")
_CREDENTIAL = re.compile(
    r"(?i)\b[\w-]*(?:api[-_]?key|token|passw\w*|secret|authorization|credential\w*)[\"']?"
    r"\s*[=:]\s*(?:[\"']?(?:bearer|basic)\s+)?\S+"
    r"|\b(?:bearer|basic)\s+\S+"
    r"|\b(?:sk|pk|hf|ghp|gho|glpat|xox[abp])[-_][A-Za-z0-9_-]{8,}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A table. Without `head`, rows are a name and its value."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def lines(self) -> Iterator[str]:
        """The heading and the rows as the briefing writes them."""
        yield f"## {self.title}" + (f": {' | '.join(self.head)}" if self.head else "")
        for row in self.rows:
            yield (" | " if self.head else ": ").join(map(told, row))

    def cells(self) -> Iterator[Cell]:
        """Every cell, row by row."""
        for row in self.rows:
            yield from row


def told(cell: Cell) -> str:
    """A cell in words: figures with four significant digits, whole ones exactly, and "-" for what nobody knows."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    value = cell.value
    if value == round(value) or abs(value) >= 10**_DIGITS:
        return format_number(round(value))
    return format_number(float(f"{value:.{_DIGITS}g}"))


def sections_of(result: RunResult, scrub: Callable[[str], str]) -> tuple[Section, ...]:
    """Everything that an analyst may know of a run, the most important first; parts without a row are left out."""
    say = _Cleaner(scrub).clean
    found = (
        _run(result, say),
        _limits(result, say),
        _steps(result, say),
        _gates(result, say),
        *_recommendation(result.recommendation, say),
        _caveats(result, say),
        _findings(result, say),
        _gpus(result, say),
        _server(result, say),
        _settings(result, say),
        _errors(result, say),
        *_beside(result.recommendation, say),
    )
    return tuple(section for section in found if section.rows)


@dataclass(frozen=True, slots=True)
class _Cleaner:
    """Makes one harmless line of a text from elsewhere: no address, no credential, no mark of ours."""

    scrub: Callable[[str], str]

    def clean(self, text: str) -> str:
        """Secrets go before the text is cut, since half of one is not known any more."""
        line = self.scrub(plain(text[:_LONGEST_SEEN], _LONGEST_SEEN))
        line = _CREDENTIAL.sub(MASK, _ADDRESS.sub("[address]", line))
        if len(text) > _LONGEST_SEEN:  # its end may be half a secret
            line = line[:-_LONGEST_SECRET] + " …"
        return plain(line.replace("<<<", "<").replace(">>>", ">"), LONGEST_TEXT)


_Say = Callable[[str], str]


# ---------------------------------------------------------------- cells


def _plain(value: float | None) -> Figure | None:
    return _figure(value, Kind.PLAIN)


def _ms(value: float | None) -> Figure | None:
    return _figure(value, Kind.TIME)


def _percent(share: float | None) -> Figure | None:
    """A share 0..1, told in percent."""
    return None if share is None else _figure(share * 100, Kind.PERCENT)


def _figure(value: float | None, kind: Kind) -> Figure | None:
    return Figure(float(value), kind) if value is not None and math.isfinite(value) else None


def _table(
    title: str, head: tuple[str, ...], items: Sequence[Item], row: Callable[[Item], tuple[Cell, ...]]
) -> Section:
    """A row for each item; of very many, how many more there are."""
    rows = tuple(map(row, items[:_MOST_ROWS]))
    more = len(items) - len(rows)
    return Section(title, head, (*rows, (f"and {more:,} more",)) if more else rows)


def _named(cells: Sequence[tuple[str, Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """Rows of what is known."""
    return tuple((name, cell) for name, cell in cells if cell is not None and cell != "")


# ---------------------------------------------------------------- sections


def _run(result: RunResult, say: _Say) -> Section:
    target, profile = result.target, result.profile
    because = "the figures were imported from another tool" if result.is_imported else say(result.because)
    rows: list[tuple[str, Cell]] = [
        ("scenario", say(result.header.scenario)),
        ("measured on", result.header.created[:10]),
        ("verdict", f"{result.status.value}: {because}"),
        ("load levels", _plain(len(result.steps))),
    ]
    if target is not None:
        rows += [
            ("framework", say(f"{target.framework} {target.version or ''}".strip())),
            ("model", say(target.model)),
            ("api", say(target.api or "")),
            ("longest context, tokens", _plain(target.max_model_len)),
        ]
    if profile is not None:
        rows += [
            ("GPU", say(profile.gpu_model or "")),
            ("GPUs", _plain(profile.gpu_count)),
            ("memory of one GPU, GB", _plain(profile.gpu_memory_gb)),
            ("tensor parallelism", _plain(profile.tensor_parallelism)),
            ("replicas", _plain(profile.replicas)),
        ]
    return Section("run", (), _named(rows))


def _limits(result: RunResult, say: _Say) -> Section:
    knee = result.knee
    rows: list[tuple[str, Cell]] = [] if result.slo is None else _limits_of(result.slo, "")
    for name, slo in result.slo_by_class.items():
        rows += _limits_of(slo, f" of the class {say(name)}")
    if knee is not None:
        rows += [
            ("goodput wanted, % of requests within the SLO", _percent(knee.target)),
            (f"highest {say(knee.axis)} that surely holds the SLO", _plain(knee.at_slo) or "none was found"),
            (f"first saturated {say(knee.axis)}", _plain(knee.saturation)),
        ]
    return Section("SLO and its limits", (), _named(rows))


def _limits_of(slo: Slo, whose: str) -> list[tuple[str, Cell]]:
    terms = (("TTFT", slo.ttft_ms), ("TPOT", slo.tpot_ms), ("E2E", slo.e2e_ms))
    return [(f"{term}{whose} at most, ms", _ms(limit)) for term, limit in terms]


_STEP_HEAD = (
    *("load", "requests", "good requests %", "low %", "high %", "errors %", "requests/s", "output tokens/s"),
    *(
        "TTFT p50 ms",
        "TTFT p95 ms",
        "TTFT p99 ms",
        "TPOT p50 ms",
        "TPOT p95 ms",
        "TPOT p99 ms",
        "E2E p50 ms",
        "E2E p95 ms",
    ),
)


def _steps(result: RunResult, say: _Say) -> Section:
    return _table("load levels", _STEP_HEAD, result.steps, lambda step: (say(step.step.label), *_step(step)))


def _step(step: StepResult) -> tuple[Cell, ...]:
    metrics = step.metrics
    ttft, tpot, e2e = (metrics.latency.get(name) for name in ("ttft", "tpot", "e2e"))
    return (
        _plain(metrics.attempts),
        _percent(metrics.goodput),
        _percent(metrics.goodput_low),
        _percent(metrics.goodput_high),
        _percent(metrics.error_rate),
        _plain(metrics.rps),
        _plain(metrics.output_tps),
        *_percentiles(ttft),
        *_percentiles(tpot),
        *_percentiles(e2e)[:2],
    )


def _percentiles(summary: LatencySummary | None) -> tuple[Cell, ...]:
    if summary is None:
        return None, None, None
    return _ms(summary.p50_ms), _ms(summary.p95_ms), _ms(summary.p99_ms)


def _gates(result: RunResult, say: _Say) -> Section:
    return _table(
        "gates",
        ("gate", "at", "level", "verdict", "because"),
        result.verdicts,
        lambda found: (
            *(say(str(found.gate)), say(found.step), found.gate.level.value, found.status.value),
            say(found.because),
        ),
    )


def _recommendation(found: Recommendation | None, say: _Say) -> Iterator[Section]:
    if found is None:
        return
    demand, advice = found.workload, found.advice
    rows: list[tuple[str, Cell]] = [
        ("in short", say(found.headline)),
        ("peak of concurrent requests", _plain(demand.peak_concurrency)),
        ("average input tokens", _plain(demand.avg_input_tokens)),
        ("average output tokens", _plain(demand.avg_output_tokens)),
        ("daily active users", _plain(demand.daily_active_users)),
    ]
    yield Section("recommendation", (), _named([*rows, *(_advice(advice, say) if advice else ())]))


def _advice(advice: Advice, say: _Say) -> Iterator[tuple[str, Cell]]:
    yield "GPUs recommended", _plain(advice.recommended_count)
    yield "GPU recommended", say(advice.recommended_gpu)
    yield "they carry at most, concurrent requests", _plain(advice.estimated_max_concurrency)
    yield "their good requests, %", _figure(advice.estimated_goodput, Kind.PERCENT)
    yield "their output tokens/s", _plain(advice.estimated_throughput)
    yield "headroom, %", _figure(advice.headroom_percent, Kind.PERCENT)
    yield "cost, USD per month", _plain(advice.estimated_monthly_cost_usd)
    yield "cost, USD per million output tokens", _plain(advice.cost_per_million_tokens_usd)
    yield "calculation", say(advice.calculation_formula)
    yield "reasoning", say(advice.reasoning)
    for name, interval in advice.intervals.items():
        kind = Kind.PERCENT if "goodput" in name else Kind.PLAIN
        yield f"{say(name)}, low", _figure(interval.low, kind)
        yield f"{say(name)}, high", _figure(interval.high, kind)


def _caveats(result: RunResult, say: _Say) -> Section:
    told_of = [("run", caveat) for caveat in result.caveats]
    told_of += [(step.step.label, caveat) for step in result.steps for caveat in step.caveats]
    return _table(
        "doubts",
        ("at", "rule", "figure", "remedy"),
        told_of,
        lambda each: (say(each[0]), say(each[1].rule), say(each[1].figure), say(each[1].remedy) or None),
    )


def _findings(result: RunResult, say: _Say) -> Section:
    return _table(
        "disagreements",
        ("at", "subject", "expected", "actual", "likely cause"),
        result.findings,
        lambda found: tuple(
            map(say, (found.step or "run", found.subject, found.expected, found.actual, found.cause)),
        ),
    )


_GPU_HEAD = ("load", "GPUs", "utilisation %", "memory GiB", "hottest °C", "power W", "slowed down %", "joules/token")


def _gpus(result: RunResult, say: _Say) -> Section:
    watched = [(step.step.label, step.gpu) for step in result.steps if step.gpu is not None]
    return _table("GPUs", _GPU_HEAD, watched, lambda each: (say(each[0]), *_gpu(each[1])))


def _gpu(gpu: GpuFigures) -> tuple[Cell, ...]:
    return (
        _plain(gpu.count),
        _percent(gpu.utilisation),
        _plain(None if gpu.memory_bytes is None else gpu.memory_bytes / 2**30),
        _plain(gpu.temperature_c),
        _plain(gpu.power_w),
        _percent(gpu.throttled),
        _plain(gpu.joules_per_token),
    )


_SERVER_HEAD = (
    *("load", "running", "waiting", "most waiting", "most KV cache used %", "prefix cache hits %", "preemptions"),
    *("TTFT mean ms", "TPOT mean ms", "queue mean ms"),
)


def _server(result: RunResult, say: _Say) -> Section:
    told_of = [(step.step.label, step.server) for step in result.steps if step.server is not None]
    title = "what the server told of itself"
    return _table(title, _SERVER_HEAD, told_of, lambda each: (say(each[0]), *_server_figures(each[1])))


def _server_figures(server: ServerFigures) -> tuple[Cell, ...]:
    return (
        _plain(server.running),
        _plain(server.waiting),
        _plain(server.waiting_max),
        _percent(server.kv_cache_share),
        _percent(server.prefix_cache_hit_share),
        _plain(server.preemptions),
        _ms(server.ttft_ms),
        _ms(server.tpot_ms),
        _ms(server.queue_ms),
    )


def _settings(result: RunResult, say: _Say) -> Section:
    if result.target is None:
        return Section("settings", (), ())
    target = result.target
    known = [name for name in sorted(target.in_force) if not names_secret(name)][:_MOST_ROWS]
    rows: list[tuple[str, Cell]] = [(say(name), _setting(target.in_force[name], say)) for name in known]
    return Section("settings", (), _named(rows))


def _setting(value: object, say: _Say) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _plain(value)
    return None if value is None else say(str(value))


def _errors(result: RunResult, say: _Say) -> Section:
    found = [(step.step.label, *error) for step in result.steps for error in sorted(step.metrics.errors.items())]
    return _table(
        "failed requests",
        ("load", "error", "requests"),
        found,
        lambda each: (say(each[0]), say(each[1]), _plain(each[2])),
    )


def _beside(found: Recommendation | None, say: _Say) -> Iterator[Section]:
    if found is None:
        return
    yield _table("hints", (), found.hints, lambda hint: (say(hint.kind), say(hint.text)))
    yield _table(
        "alternatives",
        ("GPU", "GPUs", "concurrency of one installation", "USD per month"),
        found.alternatives,
        lambda other: (
            *(say(other.gpu_model), _plain(other.count), _plain(other.max_concurrency_at_slo)),
            _plain(other.estimated_monthly_cost_usd),
        ),
    )
