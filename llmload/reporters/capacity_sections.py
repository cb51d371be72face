"""What Markdown, HTML and Excel tell alike of a recommendation: figures with their intervals, loads, costs, advice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmload.capacity import Advice, Alternative, CurrentInfra, Demand, Hint, Interval, MeasuredLoad, Recommendation
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.changes import between
from llmload.reporters.figures import MISSING, amount, milliseconds, percent, three_digits
from llmload.reporters.reasons import in_language
from llmload.reporters.sections import Pairs, Table
from llmload.reporters.texts import Texts
from llmload.reporters.wording import status_word, step_label
from llmload.verdict import Status

HINT_KINDS = ("demand", "tensor_parallelism", "bound", "setting", "cost")
"""What hints are of, in the order of reading; any other kind comes last."""

_MOST_SETTINGS = 4  # of an alternative
_LONGEST = 40  # characters of a name or a value of them


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure to be read first, and its interval, "" where it is exact."""

    name: str
    value: str
    between: str


@dataclass(frozen=True, slots=True)
class Advised:
    """A recommendation in words. Without advice `estimates` has no rows, `formula` and `reasoning` are "", and
    `to_do` says what would have to change.
    """

    headline: str  # the advice in one line, or why there is none
    answer: str  # how many of which GPU; "" without advice
    key_figures: Sequence[KeyFigure]
    to_do: str
    formula: str
    reasoning: str
    estimates: Table  # figure, estimate, interval
    demand: Pairs
    measured: Pairs
    loads: Table  # everything that was measured for it, the lightest load first
    alternatives: Table
    hints: Sequence[tuple[str, Sequence[str]]]  # by what they are of


def recommendation(run: RunResult, texts: Texts) -> Advised | None:
    """What a run advises; None without any recommendation."""
    if run.recommendation is None:
        return None
    return advised(run.recommendation, texts, {} if run.profile is None else run.profile.settings)


def advised(found: Recommendation, texts: Texts, own: Mapping[str, str] | None = None) -> Advised:
    """What is advised, by which formula, how sure, for which demand and from which measurement.

    `own` are the settings that were measured: of alternatives only those that differ are told.
    """
    advice, results = found.advice, found.test_results
    columns = tuple(texts[f"advice.{name}"] for name in ("figure", "estimate", "interval"))
    return Advised(
        headline=in_language(found.headline, texts),
        answer="" if advice is None else _answer(advice, texts),
        key_figures=() if advice is None else _key_figures(advice, texts),
        to_do=texts["advice.to_do"] if advice is None else "",
        formula="" if advice is None else in_language(advice.calculation_formula, texts),
        reasoning="" if advice is None else in_language(advice.reasoning, texts),
        estimates=Table(columns, () if advice is None else _estimates(advice, texts)),
        demand=_demand(found.workload, texts),
        measured=_measured(found.current_infra, texts),
        loads=_loads(() if results is None else results.concurrency_results, texts),
        alternatives=_alternatives(found.alternatives, own or {}, texts),
        hints=hints_by_kind(found.hints, texts),
    )


def searched(run: RunResult, texts: Texts) -> str:
    """Which steps only the search for the capacity chose; "" where there are none, or the ladder is not known."""
    ladder = _ladder(run.header.resolved)
    chosen = [
        result.step
        for result in run.steps
        if ladder and result.capacity is not None and not result.verdicts and result.step.value not in ladder
    ]
    told = ", ".join(step_label(step, texts) for step in sorted(chosen, key=lambda step: step.value))
    return texts["advice.searched"].format(steps=told) if told else ""


def _ladder(resolved: str) -> Sequence[float]:
    """The loads that the author wrote, from the resolved document."""
    try:
        match json.loads(resolved):
            case {"spec": {"load": {"concurrency": list(loads)}}}:
                return [load for load in loads if isinstance(load, int | float)]
            case {"spec": {"load": {"concurrency": int() | float() as load}}}:
                return [load]
    except (ValueError, RecursionError):  # of a store from elsewhere
        pass
    return []


def hints_by_kind(hints: Sequence[Hint], texts: Texts) -> list[tuple[str, list[str]]]:
    """Hints under what they are of, in the order of reading."""
    found: dict[str, list[str]] = {}
    for kind in (*HINT_KINDS, "further"):
        told = [hint.text for hint in hints if (hint.kind if hint.kind in HINT_KINDS else "further") == kind]
        if told:
            found[texts[f"hint.{kind}"]] = [in_language(text, texts) for text in told]
    return list(found.items())


# ---------------------------------------------------------------- estimates, demand, measurement


def _answer(advice: Advice, texts: Texts) -> str:
    return f"{advice.recommended_count:,} × {in_language(advice.recommended_gpu, texts)}"


def _key_figures(advice: Advice, texts: Texts) -> tuple[KeyFigure, ...]:
    """What is asked first: how many GPUs at least, what they carry, what they cost."""
    told = (
        ("recommended_count", float(advice.recommended_count)),
        ("estimated_max_concurrency", advice.estimated_max_concurrency),
        ("estimated_monthly_cost_usd", advice.estimated_monthly_cost_usd),
    )
    return tuple(
        KeyFigure(texts[f"advice.{name}"], amount(value), bounds(advice.intervals.get(name), amount, texts))
        for name, value in told
        if value is not None
    )


def _estimates(advice: Advice, texts: Texts) -> tuple[tuple[str, ...], ...]:
    cost = advice.estimated_monthly_cost_usd
    told = (
        ("recommended_count", _answer(advice, texts), amount),
        ("replicas", amount(advice.replicas), amount),
        ("gpus_per_replica", amount(advice.gpus_per_replica), amount),
        ("tensor_parallelism", amount(advice.tensor_parallelism), amount),
        ("estimated_max_concurrency", amount(advice.estimated_max_concurrency), amount),
        ("estimated_goodput", _of_hundred(advice.estimated_goodput), _of_hundred),
        ("estimated_throughput", amount(advice.estimated_throughput), amount),
        ("headroom_percent", _of_hundred(advice.headroom_percent), _of_hundred),
        ("usd_per_gpu_hour", three_digits(advice.usd_per_gpu_hour), three_digits),
        ("estimated_monthly_cost_usd", texts["advice.unknown"] if cost is None else amount(cost), amount),
        ("cost_per_million_tokens_usd", three_digits(advice.cost_per_million_tokens_usd), three_digits),
    )
    return tuple(
        (texts[f"advice.{name}"], shown, bounds(advice.intervals.get(name), show, texts))
        for name, shown, show in told
        if shown != MISSING
    )


def _of_hundred(value: float | None) -> str:
    return percent(None if value is None else value / 100)


def bounds(interval: Interval | None, show: Callable[[float], str], texts: Texts) -> str:
    """Both ends of an interval, or that it is open above; "" where there is none, or both ends read alike."""
    if interval is None:
        return ""
    low = show(interval.low)
    if interval.high is None:
        return texts["advice.at_least"].format(low=low)
    high = show(interval.high)
    return "" if low == high else between(low, high, texts)


def _demand(demand: Demand, texts: Texts) -> Pairs:
    told = (
        ("peak_concurrency", amount(demand.peak_concurrency)),
        ("daily_active_users", amount(demand.daily_active_users)),
        ("requests_per_user_per_day", amount(demand.requests_per_user_per_day)),
        ("expected_peak", amount(demand.expected_peak)),
        ("avg_input_tokens", amount(demand.avg_input_tokens)),
        ("avg_output_tokens", amount(demand.avg_output_tokens)),
        ("ttft_target_ms", milliseconds(demand.ttft_target_ms)),
        ("tpot_target_ms", milliseconds(demand.tpot_target_ms)),
        ("e2e_target_ms", milliseconds(demand.e2e_target_ms)),
        ("goodput_target_percent", _of_hundred(demand.goodput_target_percent)),
    )
    rare = ("expected_peak", "e2e_target_ms")
    return [(texts[f"demand.{name}"], shown) for name, shown in told if shown != MISSING or name not in rare]


def installed(infra: CurrentInfra, texts: Texts) -> str:
    """The GPUs that were measured; without a number where nobody told one."""
    name = in_language(infra.gpu_model, texts)
    return f"{infra.gpu_count:,} × {name}" if infra.gpu_count else name


def _measured(infra: CurrentInfra, texts: Texts) -> Pairs:
    told = (
        ("gpus", installed(infra, texts)),
        ("gpu_memory_gb", amount(infra.gpu_memory_gb)),
        ("max_concurrency_at_slo", amount(infra.max_concurrency_at_slo)),
        ("throughput_tokens_per_sec", amount(infra.throughput_tokens_per_sec)),
        ("goodput_at_max_concurrency", _of_hundred(infra.goodput_at_max_concurrency)),
        ("saturation_concurrency", amount(infra.saturation_concurrency)),
        ("saturation_goodput", _of_hundred(infra.saturation_goodput)),
    )
    return [(texts[f"measured.{name}"], shown) for name, shown in told]


# ---------------------------------------------------------------- loads, alternatives


def load_verdict(status: Status, texts: Texts) -> str:
    """Whether a load holds the SLO, in a word."""
    return texts.entries.get(f"measured_load.{status.name.lower()}", status_word(status, texts))


def _loads(measured: Sequence[MeasuredLoad], texts: Texts) -> Table:
    names = ("goodput", "interval", "output_tps")
    columns = (
        texts["measured_load.concurrency"],
        texts["measured_load.verdict"],
        texts["column.requests"],
        *(texts[f"column.{name}"] for name in names),
        *(texts["measured_load.p95"].format(metric=texts[f"metric.{name}"]) for name in ("ttft", "tpot")),
        texts["measured_load.mean"].format(metric=texts["metric.e2e"]),
    )
    return Table(columns, tuple(_load(each, texts) for each in measured), words=frozenset((1,)))


def _load(load: MeasuredLoad, texts: Texts) -> tuple[str, ...]:
    low, high = load.goodput_low_percent, load.goodput_high_percent
    return (
        amount(load.concurrency),
        load_verdict(load.status, texts),
        amount(load.requests),
        _of_hundred(load.goodput_percent),
        MISSING if low is None or high is None else between(_of_hundred(low), _of_hundred(high), texts),
        amount(load.throughput_tokens_per_sec),
        *(three_digits(each) for each in (load.ttft_p95_ms, load.tpot_p95_ms, load.e2e_mean_ms)),
    )


_ALTERNATIVE = (
    *("gpu", "gpus", "replicas", "max_concurrency_at_slo", "estimated_throughput"),
    *("estimated_monthly_cost_usd", "cost_per_million_tokens_usd", "settings", "measured", "run"),
)
_WORDS = frozenset(_ALTERNATIVE.index(name) for name in ("settings", "measured", "run"))


def _alternatives(others: Sequence[Alternative], own: Mapping[str, str], texts: Texts) -> Table:
    columns = tuple(texts[f"alternative.{name}"] for name in _ALTERNATIVE)
    return Table(columns, tuple(_alternative(each, own, texts) for each in others), _WORDS)


def _alternative(other: Alternative, own: Mapping[str, str], texts: Texts) -> tuple[str, ...]:
    unknown = texts["advice.unknown"]
    cost, per_million = other.estimated_monthly_cost_usd, other.cost_per_million_tokens_usd
    return (
        other.gpu_model,
        amount(other.count),
        f"{other.replicas:,} × {other.gpus_per_replica:,}",
        amount(other.max_concurrency_at_slo),
        amount(other.estimated_throughput),
        unknown if cost is None else amount(cost),
        unknown if per_million is None else three_digits(per_million),
        other_settings(other.settings, own, texts),
        other.measured[:10],
        other.run_id,
    )


def other_settings(settings: Mapping[str, str], own: Mapping[str, str], texts: Texts) -> str:
    """The settings that are not those of the measured installation, the first few of them by name."""
    others = sorted((name, value) for name, value in settings.items() if own.get(name) != value)
    differing = [f"{plain(name, _LONGEST)} {plain(value, _LONGEST)}" for name, value in others]
    if not differing:
        return texts["alternative.same_settings"] if own else MISSING
    more = len(differing) - _MOST_SETTINGS
    told = ", ".join(differing[:_MOST_SETTINGS])
    return told if more <= 0 else texts["alternative.more_settings"].format(settings=told, count=f"{more:,}")
