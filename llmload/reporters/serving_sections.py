"""What Markdown and HTML tell of the server and the GPUs at each step, and of how client and server agree: as rows, not
yet escaped. Columns of which nobody told anything are left out, and so is all of it where nothing was watched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmload.domain import RunResult, StepResult
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent, three_digits
from llmload.reporters.reasons import phrase_in_language
from llmload.reporters.sections import Table, without_empty
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.samples import Source
from llmload.serving import Check, GpuFigures, ServerFigures

_GIB = 2**30
_KILO = 1000.0
_FIGURES = ("requests", "input_tokens", "output_tokens", "ttft", "tpot", "e2e")


@dataclass(frozen=True, slots=True)
class Checked:
    """Where client and server tell a figure differently, and all that both tell; `words` is "" where there is none."""

    words: str
    apart: Table
    by_step: Table  # client / server and their difference, in one cell


def server(run: RunResult, texts: Texts) -> Table:
    """What the server told of each step, by itself."""
    told = [(step, step.server) for step in run.steps if step.server is not None]
    columns: tuple[tuple[str, Callable[[ServerFigures], str]], ...] = (
        ("running", lambda of: amount(of.running)),
        ("waiting", lambda of: amount(of.waiting)),
        ("waiting_max", lambda of: amount(of.waiting_max)),
        ("kv_cache", lambda of: percent(of.kv_cache_share)),
        ("prefix_hits", lambda of: percent(of.prefix_cache_hit_share)),
        ("preemptions", lambda of: amount(of.preemptions)),
        ("ttft", lambda of: bare_milliseconds(of.ttft_ms)),
        ("tpot", lambda of: bare_milliseconds(of.tpot_ms)),
        ("e2e", lambda of: bare_milliseconds(of.e2e_ms)),
        ("queue", lambda of: bare_milliseconds(of.queue_ms)),
    )
    rows = [(step_label(step.step, texts), *(show(figures) for _, show in columns)) for step, figures in told]
    return without_empty((texts["column.step"], *(texts[f"server.{name}"] for name, _ in columns)), rows)


def server_note(run: RunResult, texts: Texts) -> str:
    """Who told the server's figures, and what they cover; "" where there are none."""
    steps: dict[Source, list[str]] = {}
    for step in run.steps:
        if step.server is not None:
            steps.setdefault(step.server.source, []).append(step_label(step.step, texts))
    if not steps:
        return ""
    told = [texts[f"server.by_at.{source.value}"].format(steps=", ".join(at)) for source, at in steps.items()]
    if len(steps) == 1:
        told = [texts[f"server.by.{source.value}"] for source in steps]
    return " ".join((*told, texts["server.covers"]))


def gpu_steps(run: RunResult, texts: Texts) -> Table:
    """What the GPUs did together at each step; a step of which none told anything is left out."""
    told = [(step, step.gpu) for step in run.steps if step.gpu is not None]
    columns: tuple[tuple[str, Callable[[GpuFigures], str]], ...] = (
        ("utilisation", lambda of: percent(of.utilisation)),
        ("memory", lambda of: amount(None if of.memory_bytes is None else of.memory_bytes / _GIB)),
        ("temperature", lambda of: amount(of.temperature_c)),
        ("power", lambda of: amount(of.power_w)),
        ("energy", lambda of: amount(None if of.energy_j is None else of.energy_j / _KILO)),
        ("joules_per_token", lambda of: three_digits(of.joules_per_token)),
        ("throttled", lambda of: percent(of.throttled)),
        ("throttle_reasons", lambda of: _reasons(of, texts)),
    )
    rows = [(step_label(step.step, texts), *(show(figures) for _, show in columns)) for step, figures in told]
    known = [row for row in rows if any(cell != MISSING for cell in row[1:])]
    return without_empty((texts["column.step"], *(texts[f"gpu.{name}"] for name, _ in columns)), known, len(columns))


def _reasons(figures: GpuFigures, texts: Texts) -> str:
    """What slowed them down, the most frequent first."""
    return phrase_in_language(", ".join(figures.throttle_reasons), "slow_downs", texts) or MISSING


def checked(run: RunResult, texts: Texts) -> Checked:
    """Every figure that client and server both have of a step, and whether they agree."""
    found = [(step, check) for step in run.steps for check in step.checks]
    columns = (
        texts["column.step"],
        *(texts[f"check.column.{name}"] for name in ("figure", "client", "server", "difference", "allowed")),
    )
    apart = [(step, check) for step, check in found if not check.agrees]
    return Checked(
        agreement(run, texts),
        Table(columns, tuple(_check(step, check, texts) for step, check in apart), frozenset((1,))),
        _by_step(run, texts),
    )


def _by_step(run: RunResult, texts: Texts) -> Table:
    """A row for each step that has checks, a column for each figure that any of them has."""
    told = dict.fromkeys(check.figure for step in run.steps for check in step.checks)
    names = [*(name for name in _FIGURES if name in told), *(name for name in told if name not in _FIGURES)]
    rows = []
    for step in run.steps:
        cells = {check.figure: _both(check, texts) for check in step.checks}
        if cells:
            rows.append((step_label(step.step, texts), *(cells.get(name, MISSING) for name in names)))
    return Table((texts["column.step"], *(_figure(name, texts) for name in names)), tuple(rows))


def _both(check: Check, texts: Texts) -> str:
    client, server = _sides(check)
    told = {"client": client, "server": server, "difference": _difference(check)}
    return texts["check.both" if check.agrees else "check.both_apart"].format(**told)


def agreement(run: RunResult, texts: Texts) -> str:
    """On how many of all figures client and server agree; "" where they have none in common."""
    found = [check.agrees for step in run.steps for check in step.checks]
    figures = texts.counted("counted.figure", len(found))
    return texts["check.told"].format(some=f"{sum(found):,}", figures=figures) if found else ""


def _check(step: StepResult, check: Check, texts: Texts) -> tuple[str, ...]:
    return (
        step_label(step.step, texts),
        _figure(check.figure, texts),
        *_sides(check),
        _difference(check),
        _allowed(check, texts),
    )


def _sides(check: Check) -> tuple[str, str]:
    """Client and server; two figures that differ never read alike."""
    show = bare_milliseconds if check.unit == "ms" else amount
    return show(check.client, check.server), show(check.server, check.client)


def _figure(figure: str, texts: Texts) -> str:
    """A figure that client and server both have, with its unit; one of no name that we know stays."""
    return texts[f"check.figure.{figure}"] if f"check.figure.{figure}" in texts.entries else figure


def _difference(check: Check) -> str:
    """What the client has more or less, as a share of the larger one; no rounding crosses the limit."""
    size = abs(check.difference)
    near = round(size, 3)
    told = percent(near if (near <= check.tolerance) == (size <= check.tolerance) else size)
    return f"{'+' if check.difference > 0 else '−'}{told}" if near else told


def _allowed(check: Check, texts: Texts) -> str:
    tolerance = percent(check.tolerance)
    if not check.floor:
        return tolerance
    unit = f" {check.unit}" if check.unit else ""
    return texts["check.allowed_or"].format(tolerance=tolerance, floor=f"{amount(check.floor)}{unit}")
