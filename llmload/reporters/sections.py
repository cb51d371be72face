"""What Markdown, HTML and Excel tell alike, besides verdicts: figures and places as rows, not yet escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmload.capacity import Advice, CurrentInfra, Demand, Interval, Recommendation
from llmload.domain import RunResult, Step, StepResult, TargetFacts
from llmload.reporters.changes import between
from llmload.reporters.figures import MISSING, amount, milliseconds, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.timeline import GpuSeries

_GIB = 2**30

Pairs = list[tuple[str, str]]
"""Name and value, in the order of reading."""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings with their units, and rows of as many cells. The first column names its row; of the others those at the
    places in `words` hold words, and all else figures.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Advised:
    """A recommendation in words; `estimates` has no rows, and the texts are "", where there is no advice."""

    headline: str  # the advice in one line, or why there is none
    formula: str
    reasoning: str
    estimates: Table  # figure, estimate, interval
    demand: Pairs
    measured: Pairs


def framework(target: TargetFacts) -> str:
    """Name and version, as far as they are known."""
    return " ".join(filter(None, (target.framework, target.version)))


def errors(steps: Sequence[StepResult], texts: Texts) -> list[tuple[str, str, int, str]]:
    """Step, error type, count and share of attempts, most frequent first within a step."""
    return [
        (
            step_label(step.step, texts),
            kind,
            count,
            percent(count / step.metrics.attempts if step.metrics.attempts else None),
        )
        for step in steps
        for kind, count in sorted(step.metrics.errors.items(), key=lambda each: (-each[1], each[0]))
    ]


def provenance(run: RunResult, texts: Texts, most: int) -> Pairs:
    """Where the figures come from; at most so many of each kind of fact."""
    header = run.header
    document = texts["provenance.document"].format(source=header.source, hash=header.document_hash)
    unfinished = MISSING if run.is_imported else texts["provenance.not_finished"]
    told = [
        (texts["provenance.imported_from" if run.is_imported else "provenance.scenario"], document),
        (texts["provenance.created"], header.created),
        (texts["provenance.finished"], run.finished or unfinished),
        (texts["provenance.imported_by" if run.is_imported else "provenance.llmload"], header.version),
    ]
    for key, pairs in (
        ("provenance.fingerprint", run.fingerprint),
        ("provenance.environment", header.environment),
        ("provenance.label", header.labels),
    ):
        told += [(texts[key].format(name=name), value) for name, value in sorted(pairs.items())[:most]]
    return [*told, *_target(run.target, texts)] if run.target else told


def _target(target: TargetFacts, texts: Texts) -> Pairs:
    told: Pairs = []
    if target.fit is not None:
        source, residual = target.fit.source.value, percent(target.fit.residual)
        told.append((texts["provenance.counted_by"], texts["provenance.fit"].format(source=source, residual=residual)))
    settings = target.in_force
    return told + [
        (texts["provenance.setting"].format(name=name), f"{settings[name]} ({_source(target, name, texts)})")
        for name in sorted(settings)
    ]


def _source(target: TargetFacts, name: str, texts: Texts) -> str:
    if name in target.actual:
        return texts["provenance.told"]
    return texts["provenance.declared" if name in target.declared else "provenance.assumed"]


def knee(run: RunResult, texts: Texts) -> str:
    """How far the load may go, and where the server saturates; "" where the steps do not tell."""
    found = run.knee
    if found is None:
        return ""
    target = percent(found.target)
    if found.at_slo is None:
        held = texts["knee.never"].format(target=target)
    else:
        held = texts["knee.holds"].format(target=target, load=step_label(Step(0, found.axis, found.at_slo), texts))
    if found.saturation is None:
        return held + texts["knee.unsaturated"]
    load = step_label(Step(0, found.axis, found.saturation), texts)
    return held + texts["knee.saturates"].format(load=load)


def gpus(run: RunResult, texts: Texts) -> Table:
    """Each GPU by its index: utilisation, memory, temperature and power, and what else any of them told.

    No rows where none was watched.
    """
    names = ["index", "name", "utilisation", "memory", "temperature", "power"]
    is_slowed = any(gpu.throttled_share for gpu in run.gpus)  # then which of them; that none was, its steps tell
    further = {
        "energy": [amount(None if gpu.energy_j is None else gpu.energy_j / 1000) for gpu in run.gpus],
        "throttled": [percent(gpu.throttled_share) for gpu in run.gpus if is_slowed],
        "driver": [MISSING if gpu.driver is None else gpu.driver for gpu in run.gpus],
    }
    told = {name: cells for name, cells in further.items() if any(cell != MISSING for cell in cells)}
    rows = tuple((*_gpu(gpu, texts), *(cells[n] for cells in told.values())) for n, gpu in enumerate(run.gpus))
    columns = (*names, *told)
    words = frozenset(columns.index(name) for name in ("name", "driver") if name in columns)
    return Table(tuple(texts[f"gpu.{name}"] for name in columns), rows, words)


def _gpu(gpu: GpuSeries, texts: Texts) -> tuple[str, ...]:
    name = gpu.name if gpu.mig is None else texts["gpu.slice"].format(name=gpu.name, profile=gpu.mig)
    peak, total = (None if size is None else size / _GIB for size in (gpu.peak_memory_bytes, gpu.memory_total_bytes))
    return (
        str(gpu.index),
        name,
        percent(gpu.mean_utilisation),
        _of(peak, total, texts),
        amount(gpu.peak_temperature_c),
        _of(gpu.mean_power_w, gpu.power_limit_w, texts),
    )


def _of(value: float | None, total: float | None, texts: Texts) -> str:
    if value is None or total is None:
        return amount(value)
    return texts["gpu.of"].format(value=amount(value, total), total=amount(total))


def recommendation(run: RunResult, texts: Texts) -> Advised | None:
    """What a run advises; None without any advice."""
    return None if run.recommendation is None else advised(run.recommendation, texts)


def advised(found: Recommendation, texts: Texts) -> Advised:
    """What is advised, by which formula, how sure, for which demand and from which measurement."""
    advice = found.advice
    columns = tuple(texts[f"advice.{name}"] for name in ("figure", "estimate", "interval"))
    return Advised(
        headline=in_language(found.headline, texts),
        formula="" if advice is None else advice.calculation_formula,
        reasoning="" if advice is None else in_language(advice.reasoning, texts),
        estimates=Table(columns, () if advice is None else _estimates(advice, texts)),
        demand=_demand(found.workload, texts),
        measured=_measured(found.current_infra, texts),
    )


def _estimates(advice: Advice, texts: Texts) -> tuple[tuple[str, ...], ...]:
    cost = advice.estimated_monthly_cost_usd
    told = (
        ("recommended_count", f"{advice.recommended_count:,} × {advice.recommended_gpu}", amount),
        ("tensor_parallelism", amount(advice.tensor_parallelism), amount),
        ("estimated_max_concurrency", amount(advice.estimated_max_concurrency), amount),
        ("estimated_goodput", _of_hundred(advice.estimated_goodput), _of_hundred),
        ("estimated_throughput", amount(advice.estimated_throughput), amount),
        ("headroom_percent", _of_hundred(advice.headroom_percent), _of_hundred),
        ("estimated_monthly_cost_usd", texts["advice.unknown"] if cost is None else amount(cost), amount),
    )
    return tuple(
        (texts[f"advice.{name}"], shown, _bounds(advice.intervals.get(name), show, texts)) for name, shown, show in told
    )


def _of_hundred(value: float | None) -> str:
    return percent(None if value is None else value / 100)


def _bounds(interval: Interval | None, show: Callable[[float], str], texts: Texts) -> str:
    if interval is None:
        return MISSING
    if interval.high is None:
        return texts["advice.at_least"].format(low=show(interval.low))
    return between(show(interval.low), show(interval.high), texts)


def _demand(demand: Demand, texts: Texts) -> Pairs:
    told = (
        ("peak_concurrency", amount(demand.peak_concurrency)),
        ("daily_active_users", amount(demand.daily_active_users)),
        ("requests_per_user_per_day", amount(demand.requests_per_user_per_day)),
        ("avg_input_tokens", amount(demand.avg_input_tokens)),
        ("avg_output_tokens", amount(demand.avg_output_tokens)),
        ("ttft_target_ms", milliseconds(demand.ttft_target_ms)),
        ("tpot_target_ms", milliseconds(demand.tpot_target_ms)),
        ("goodput_target_percent", _of_hundred(demand.goodput_target_percent)),
    )
    return [(texts[f"demand.{name}"], shown) for name, shown in told]


def _measured(infra: CurrentInfra, texts: Texts) -> Pairs:
    told = (
        ("gpus", infra.gpu_model if infra.gpu_count is None else f"{infra.gpu_count:,} × {infra.gpu_model}"),
        ("gpu_memory_gb", amount(infra.gpu_memory_gb)),
        ("max_concurrency_at_slo", amount(infra.max_concurrency_at_slo)),
        ("throughput_tokens_per_sec", amount(infra.throughput_tokens_per_sec)),
        ("goodput_at_max_concurrency", _of_hundred(infra.goodput_at_max_concurrency)),
        ("saturation_concurrency", amount(infra.saturation_concurrency)),
        ("saturation_goodput", _of_hundred(infra.saturation_goodput)),
    )
    return [(texts[f"measured.{name}"], shown) for name, shown in told]
