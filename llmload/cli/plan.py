"""`llmload plan`: what a scenario will do, and whether its gates can be decided, without sending anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cells import cell_of
from llmload.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmload.analysis.conversations import SessionForecast
    from llmload.analysis.forecast import StepForecast, TraceForecast
    from llmload.analysis.relative_outlook import RelativeOutlook
    from llmload.analysis.sample_size import Outlook
    from llmload.cli.capacity_plan import CapacityPlan
    from llmload.cli.prefix_plan import PrefixPlan
    from llmload.cli.rows_plan import RowsPlan
    from llmload.errors import Problem
    from llmload.scenario.asked import Scenario
    from llmload.scenario.explanation import Explained
    from llmload.scenario.source import Loaded


_WIDEST = 60
"""Characters of a value in the table of --explain."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the scenario will do; `values` are those of its cell by their keys, None where there is no matrix."""

    scenario: Scenario
    values: Mapping[str, object] | None
    steps: Sequence[StepForecast]
    trace: TraceForecast | None
    rows: tuple[RowsPlan, ...]
    prefixes: tuple[PrefixPlan, ...]
    sessions: SessionForecast | None
    gates: Sequence[Outlook]
    relative: Sequence[RelativeOutlook]
    capacity: CapacityPlan | None
    explained: Sequence[Explained] | None
    """Where each value comes from; None where nobody asked."""


def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Scenario file.")],
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    env_file: options.EnvFile = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say where each value comes from.")] = False,
    only: options.Only = [],  # noqa: B006 - typer copies it
    json: options.Json = False,
) -> None:
    """Show the resolved document, steps, requests, time and tokens, and what each gate's sample can decide.

    Where GPUs are to be recommended, also how far the search for the capacity may go and which prices are known. Where
    the scenario has a matrix, all of its cells in a table, and then each of them.

    Sends nothing. Exit code 2 if the scenario is invalid, or if a gate can never pass with the planned sample.

    Example: llmload plan scenarios/quickstart.yaml

    Example: llmload plan scenarios/quickstart.yaml --explain --set spec.load.requests=400

    Example: llmload plan scenarios/matrix.yaml --only 'concurrency=8,*'
    """
    from llmload.cli.cells import selected
    from llmload.errors import ScenarioError
    from llmload.scenario.loader import read_cells

    cells = selected(read_cells(file, sets=sets, env=options.environment(env_file)), only)
    plans = [_planned(loaded, file, explain=explain) for loaded in cells]
    print(_told(plans) if json else "\n".join(_lines(plans)))
    problems = [problem for found in plans for problem in _unreachable(found)]
    if problems:
        raise ScenarioError(list(dict.fromkeys(problems)))


def _planned(loaded: Loaded, file: Path, *, explain: bool) -> _Plan:
    """The plan of one scenario, or of one cell of its matrix."""
    from dataclasses import replace

    from llmload.analysis.forecast import forecast, forecast_trace, sessions_of
    from llmload.analysis.relative_outlook import relative_outlooks
    from llmload.analysis.sample_size import outlooks
    from llmload.cli.capacity_plan import capacity_plan
    from llmload.cli.prefix_plan import prefix_plans
    from llmload.cli.rows_plan import rows_plans
    from llmload.cli.variations import variations_of
    from llmload.scenario.asked import Trace
    from llmload.scenario.explanation import explain as explained
    from llmload.scenario.loader import load_document
    from llmload.scenario.tree import plain as values_of
    from llmload.workload.planning import recording_of

    scenario = load_document(loaded, file.parent)
    steps, gates, shape = forecast(scenario), outlooks(scenario), scenario.load.shape
    trace = forecast_trace(scenario, recording_of(shape)) if isinstance(shape, Trace) else None
    if trace is not None:
        climbs = scenario.decision.repeats
        warmup, span_s = climbs * trace.warmup, climbs * trace.span_s
        steps = tuple(replace(step, warmup=warmup, arrivals_s=span_s) for step in steps)
    relative = relative_outlooks(scenario, variations_of(scenario))
    origins = explained(loaded, scenario) if explain else None
    rows, prefixes, capacity = rows_plans(scenario), prefix_plans(scenario, steps), capacity_plan(scenario)
    values = None if loaded.cell is None else {key: values_of(node) for key, node in loaded.cell.values.items()}
    sessions = sessions_of(scenario.workload)
    return _Plan(scenario, values, steps, trace, rows, prefixes, sessions, gates, relative, capacity, origins)


def _unreachable(found: _Plan) -> Sequence[Problem]:
    """What can never be decided, or never be sent; any other error is told at once."""
    from llmload.analysis.row_use import check_rows
    from llmload.analysis.sample_size import check_reachable
    from llmload.errors import ScenarioError
    from llmload.workload.tokens import check_tokenizer

    try:
        check_reachable(found.scenario)
        check_rows(found.scenario)
        check_tokenizer(found.scenario.workload.tokenizer_file)
    except ScenarioError as error:
        return error.problems
    return ()


def _lines(plans: Sequence[_Plan]) -> Iterator[str]:
    """One plan; of a matrix all cells in a table, and behind it the plan of each."""
    from json import dumps

    from llmload.cli.cells_plan import cells_table
    from llmload.plain_text import plain

    if plans[0].values is not None:
        yield from cells_table([(found.scenario, found.steps) for found in plans], _span)
    for found in plans:
        if found.values is not None:
            yield ""
            yield f"# cell {cell_of(found.scenario.labels)}"
            yield from (f"#   {key}: {plain(dumps(value), _WIDEST)}" for key, value in found.values.items())
        yield from _as_text(found)


def _told(plans: Sequence[_Plan]) -> str:
    """The document of a plan; of a matrix those of all cells, each with its id and values."""
    from json import dumps

    first = plans[0]
    document = _document(first)
    if first.values is not None:
        cells = [
            {"cell": cell_of(found.scenario.labels), "values": found.values, **_document(found)} for found in plans
        ]
        document = {"scenario": first.scenario.name, "cells": cells}
    return dumps(document, indent=2, sort_keys=True)


def _resolved(scenario: Scenario) -> dict[str, object]:
    """The document as v1 would have it written, without what only the store needs."""
    from json import loads

    from llmload.scenario.canonical import ORIGIN

    whole: dict[str, object] = loads(scenario.document.resolved)
    return {key: value for key, value in whole.items() if key != ORIGIN}


def _document(found: _Plan) -> dict[str, object]:
    from dataclasses import asdict

    from llmload.cli.capacity_plan import as_document
    from llmload.cli.gates_plan import gate_document, relative_document

    scenario, trace = found.scenario, found.trace
    document: dict[str, object] = {
        "scenario": scenario.name,
        "document": _resolved(scenario),
        "steps": [{**asdict(step), "step": step.step.label} for step in found.steps],
        "trace": None if trace is None else {**asdict(trace), "rate_per_s": trace.rate_per_s},
        "prompts": next((asdict(rows) for rows in found.rows if rows.traffic_class is None), None),
        "mixture": _mixture_document(found),
        "shared_prefixes": [asdict(prefix) for prefix in found.prefixes],
        "sessions": None if found.sessions is None else asdict(found.sessions),
        "gates": [gate_document(outlook) for outlook in found.gates],
        "relative_gates": [relative_document(outlook) for outlook in found.relative],
        "capacity": None if found.capacity is None else as_document(found.capacity),
        "notices": scenario.notices,
    }
    if found.explained is not None:
        document["explanation"] = [{**asdict(each), "source": each.source} for each in found.explained]
    return document


def _mixture_document(found: _Plan) -> list[dict[str, object]]:
    """The classes of traffic; none where all requests are of one kind."""
    from dataclasses import asdict

    rows = {each.traffic_class: asdict(each) for each in found.rows}
    return [
        {"class": each.name, "share": each.share, "prompts": rows.get(each.name)}
        for each in found.scenario.workload.classes
    ]


def _classes(scenario: Scenario) -> Iterator[str]:
    """One line for each class of traffic."""
    from llmload.analysis.wording import percent

    for each in scenario.workload.classes:
        slo = "the SLO of all" if each.slo is None else "an SLO of its own"
        yield f"class {each.name}: {percent(each.share)} of requests, in every block; {slo}"


def _as_text(found: _Plan) -> Iterator[str]:
    import yaml

    from llmload.cli.capacity_plan import as_text
    from llmload.cli.gates_plan import gates_as_text, relative_as_text
    from llmload.cli.prefix_plan import as_text as prefix_as_text
    from llmload.cli.rows_plan import as_text as rows_as_text
    from llmload.cli.rows_plan import lengths_as_text
    from llmload.cli.sessions_plan import as_text as sessions_as_text

    scenario = found.scenario
    yield f"# {scenario.document.source}, with every default filled in"
    if found.explained is None:
        yield yaml.safe_dump(_resolved(scenario), sort_keys=False).rstrip()
    else:
        yield from _explanation(found.explained)
    yield ""
    yield from _steps(scenario, found.steps)
    if found.trace is not None:
        yield from _trace(found.trace)
    yield from (f"    {line}" for line in _classes(scenario))
    yield from lengths_as_text(scenario)
    if found.sessions is not None:
        yield from sessions_as_text(scenario, found.sessions)
    for rows in found.rows:
        yield from rows_as_text(rows)
    for prefix in found.prefixes:
        yield from prefix_as_text(prefix)
    yield ""
    yield from gates_as_text(scenario, found.gates)
    yield from relative_as_text(found.relative)
    if found.capacity is not None:
        yield ""
        yield from as_text(found.capacity, _span)
    for notice in scenario.notices:
        yield f"note: {notice}"


def _explanation(explained: Sequence[Explained]) -> Iterator[str]:
    """A line for each value: its path, what it is, and where it was written."""
    from json import dumps

    from llmload.plain_text import display_width, plain

    rows = [
        (plain(each.path), plain(dumps(each.value, ensure_ascii=False), _WIDEST), plain(each.source))
        for each in explained
    ]
    widths = [max(display_width(row[column]) for row in rows) for column in (0, 1)]
    for path, value, source in rows:
        first = path + " " * (widths[0] - display_width(path))
        yield f"{first}  {value}{' ' * (widths[1] - display_width(value))}  {source}"


def _steps(scenario: Scenario, steps: Sequence[StepForecast]) -> Iterator[str]:
    yield "steps"
    for step in steps:
        yield f"  {step.step.label}: {_sent(scenario, step)}"
        yield f"    time: {_time(step)}"


def _sent(scenario: Scenario, step: StepForecast) -> str:
    if step.requests is None:
        return f"{step.warmup:,} warm-up requests, then as many as fit"
    why = "a gate stays open" if scenario.recommend is None else "it stays open whether the load holds"
    more = f" (up to {step.most_requests:,} where {why})" if step.most_requests != step.requests else ""
    asked = (scenario.load.requests or 0) * scenario.decision.repeats
    about = "about " if step.arrivals_s is not None and step.requests != asked else ""
    sent = f"{step.warmup:,} warm-up and {about}{step.requests:,} measured requests{more}"
    if step.output_tokens is None:
        return sent
    if step.input_tokens is None:
        return f"{sent}, about {step.output_tokens:,.0f} tokens out"
    return f"{sent}, about {step.input_tokens:,.0f} tokens in, {step.output_tokens:,.0f} out"


def _time(step: StepForecast) -> str:
    """In closed loop only the server knows how long; what can be said is what the scenario itself bounds."""
    bound = f"at most {_span(step.at_most_s)} of measured windows (load.max_duration)"
    if step.arrivals_s is not None:
        return f"about {_span(step.arrivals_s)} until the last request is due, whatever the server does; {bound}"
    if step.at_slo_s is None:
        return f"unknown before the server is measured; {bound}"
    return f"about {_span(step.at_slo_s)} on a server that just keeps the SLO; {bound}"


def _trace(trace: TraceForecast) -> Iterator[str]:
    of = "" if trace.requests == trace.recorded else f" of {trace.recorded:,}"
    rate = "all at once" if trace.rate_per_s is None else f"{trace.rate_per_s:.3g}/s on average"
    yield f"    trace: {trace.requests:,}{of} requests in {_span(trace.span_s)}, {rate}"
    yield f"    {trace.input_tokens:,} tokens in, {trace.output_tokens:,} out, warm-up not counted"
    if trace.repeated_share is not None:
        yield f"    {trace.repeated_share:.0%} of the prompt tokens repeat what an earlier prompt began with"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
