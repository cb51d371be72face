"""What Markdown, HTML and Excel tell alike, besides verdicts: figures and places as rows, not yet escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.domain import RunResult, StepResult, TargetFacts
from llmload.planned import Step
from llmload.reporters.figures import MISSING, amount, percent
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


def without_empty(columns: Sequence[str], rows: Sequence[tuple[str, ...]], *words: int) -> Table:
    """Without the columns in which no row has anything; `words` are the places of those that hold words."""
    kept = [0, *(n for n in range(1, len(columns)) if any(row[n] != MISSING for row in rows))]
    if len(kept) == 1:
        return Table(tuple(columns), ())
    return Table(
        tuple(columns[n] for n in kept),
        tuple(tuple(row[n] for n in kept) for row in rows),
        frozenset(place for place, n in enumerate(kept) if n in words),
    )


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
