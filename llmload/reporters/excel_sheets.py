"""The other tables of a workbook: gates with their evidence, errors, remarks, and what the run was made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from openpyxl.worksheet.worksheet import Worksheet

from llmload.analysis.terms import in_own_terms, is_share_in_time
from llmload.domain import RunResult
from llmload.promises import LATENCIES, SHARES, Bound, Gate
from llmload.reporters import sections
from llmload.reporters.excel_cells import (
    OVER_TEXT,
    WRAPPED,
    Area,
    Column,
    Figure,
    Value,
    colour_statuses,
    count,
    head,
    instant,
    milliseconds,
    print_apart,
    share,
    status_words,
    table,
    with_unit,
)
from llmload.reporters.excel_steps import NAMES, limits
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    Reading,
    caveats,
    finding_remedy,
    finding_seen,
    finding_subject,
    place_of,
    read,
    sentence,
    step_label,
    urgency,
)
from llmload.verdict import Evidence, Verdict

_MOST_SETTINGS = 400
_WIDE = 60
_READ_BY_ALL = 10  # columns of gates


# ---------------------------------------------------------------- gates


def add_gates(sheet: Worksheet, run: RunResult, texts: Texts) -> Area:
    """Every verdict with its evidence, what broke the build first."""
    top = head(sheet, texts["heading.gates"], texts["excel.note.gates"])
    told = ((verdict, read(verdict, run.reference, texts)) for verdict in run.verdicts)
    rows = [_gate(*each, texts) for each in sorted(told, key=lambda each: urgency(each[1]))]
    area = table(sheet, top, _gate_columns(texts), rows, "Gates")
    sheet.freeze_panes = f"C{area.first}"
    print_apart(sheet, area, _READ_BY_ALL, area.last, "A:C")
    if rows:
        colour_statuses(sheet, f"A{area.first}:A{area.last}", texts)
    return area


def _gate_columns(texts: Texts) -> list[Column]:
    def named(*keys: str) -> list[Column]:
        return [Column(texts[key], 16) for key in keys]

    return [
        Column(texts["column.verdict"], 24),
        Column(texts["column.gate"], 30),
        Column(texts["column.step"], 18),
        *named("column.observed", "excel.column.kept", "column.target", "excel.column.low", "excel.column.high"),
        Column(texts["excel.column.because"], 44),
        Column(texts["excel.column.remedy"], 32),
        Column(texts["excel.column.off_by"], 34),
        *named("excel.column.weight", "excel.column.confidence", "column.n", "column.deff", "column.effective_n"),
        *named("excel.column.looks"),
    ]


def _gate(verdict: Verdict, reading: Reading, texts: Texts) -> list[Value]:
    """What everybody reads, then how sure it is."""
    gate = verdict.gate
    seen = None if verdict.evidence is None else in_own_terms(gate, verdict.evidence)
    return [
        status_words(verdict.status, texts),
        reading.gate,
        reading.step,
        _evidence(gate, seen, seen.observed if seen else None, texts),
        reading.kept or None,
        _target(gate, seen, texts),
        _evidence(gate, seen, seen.low if seen else None, texts),
        _evidence(gate, seen, seen.high if seen else None, texts),
        sentence(in_language(verdict.because, texts)),
        sentence(in_language(verdict.remedy, texts)) or None,
        reading.off_by or None,
        reading.weight or None,
        *((None,) * 5 if seen is None else _sample(seen)),
    ]


def _sample(seen: Evidence) -> tuple[Value, ...]:
    effective = None if seen.effective_n is None else int(seen.effective_n)  # half a request is no evidence
    return share(seen.confidence), count(seen.n), count(seen.deff), count(effective), count(seen.looks)


def _target(gate: Gate, seen: Evidence | None, texts: Texts) -> Value:
    """The promise as a number, with its sense in front."""
    if not isinstance(gate.promise, Bound):
        return _before("<=", _change(gate.promise.max_worse, None, texts))
    is_in_time = seen is not None and is_share_in_time(gate, seen)
    value = seen.target if is_in_time and seen else gate.promise.value
    return _before(">=" if is_in_time else gate.promise.op, _evidence(gate, seen, value, texts))


def _before(op: str, figure: Figure | None) -> Figure | None:
    prefix = f'"{op} "'
    return figure and Figure(figure.value, ";".join(prefix + part for part in figure.number_format.split(";")))


def _evidence(gate: Gate, seen: Evidence | None, value: float | None, texts: Texts) -> Figure | None:
    """A number in the unit that its gate is judged in."""
    limit = seen.target if seen else None
    if not isinstance(gate.promise, Bound):
        return _change(value, limit, texts)
    if gate.subject in SHARES or (seen is not None and is_share_in_time(gate, seen)):
        return share(value, limit)
    if gate.subject in LATENCIES:
        return with_unit(milliseconds(value, limit), "ms")
    return with_unit(count(value, limit), "/s" if gate.subject == "rps" else "tok/s")


def _change(ratio: float | None, limit: float | None, texts: Texts) -> Figure | None:
    """A relative change: a number whose format says worse or better, positive being worse."""
    figure = share(None if ratio is None else abs(ratio), limit)
    if ratio is None or figure is None:
        return None
    worse, better = (
        texts[f"change.{side}"].replace("{change}", f'"{figure.number_format}"') for side in ("worse", "better")
    )
    return Figure(ratio, f'"{worse}";"{better}";"{texts["change.none"]}"'.replace('""', ""))


# ---------------------------------------------------------------- errors and remarks


def add_errors(sheet: Worksheet, run: RunResult, texts: Texts) -> Area:
    """How attempts failed, by step and kind."""
    top = head(sheet, texts["heading.errors"], texts["excel.note.errors"])
    columns = [
        Column(texts["column.step"], 24),
        Column(texts["column.error"], _WIDE),
        Column(texts["column.count"]),
        Column(texts["column.of_attempts"]),
    ]
    rows: list[list[Value]] = [
        [step_label(step.step, texts), kind, count(number), share(number / step.metrics.attempts)]
        for step in run.steps
        for kind, number in sorted(step.metrics.errors.items(), key=lambda each: (-each[1], each[0]))
        if step.metrics.attempts
    ]
    area = table(sheet, top, columns, rows, "Errors")
    sheet.freeze_panes = f"A{area.first}"
    return area


def has_remarks(run: RunResult) -> bool:
    """Whether there is anything that speaks against trusting the figures, or is worth knowing of them."""
    return bool(run.findings or run.notices or run.caveats or any(step.caveats for step in run.steps))


def add_remarks(sheet: Worksheet, run: RunResult, texts: Texts) -> Area:
    """Caveats, the gravest first, then disagreements, then notices."""
    top = head(sheet, texts["excel.sheet.remarks"], texts["excel.note.remarks"])
    columns = [
        Column(texts["excel.column.kind"], 18),
        Column(texts["excel.column.where"], 24),
        Column(texts["excel.column.subject"], 30),
        Column(texts["excel.column.figure"], _WIDE),
        Column(texts["excel.column.remedy"], 50),
    ]
    area = table(sheet, top, columns, list(_remarks(run, texts)), "Remarks")
    sheet.freeze_panes = f"A{area.first}"
    return area


def _remarks(run: RunResult, texts: Texts) -> Iterator[list[Value]]:
    for where, caveat in caveats(run, texts):
        told = (in_language(text, texts) or None for text in (caveat.rule, caveat.figure, caveat.remedy))
        yield [texts["excel.fatal" if caveat.is_fatal else "excel.caveat"], where, *told]
    for finding in run.findings:
        words = finding_seen(finding, texts)
        subject = finding_subject(replace(finding, step=""), texts)  # the place has a column of its own
        remedy = finding_remedy(finding, texts) or None
        yield [texts["excel.finding"], place_of(finding, texts), subject, words, remedy]
    for notice in run.notices:
        yield [texts["excel.notice"], texts["place.run"], None, in_language(notice, texts), None]


# ---------------------------------------------------------------- what the run was made of


def add_config(sheet: Worksheet, run: RunResult, texts: Texts) -> Area:
    """Identity, SLO, target, settings, fingerprint, environment and the resolved scenario, as names and values."""
    top = head(sheet, texts["excel.sheet.config"], texts["excel.note.config"])
    rows = [*_identity(run, texts), *_slo(run, texts), *_provenance(run, texts), *_document(run, texts)]
    area = table(
        sheet, top, [Column(texts["excel.column.name"], 46), Column(texts["excel.column.value"], 80)], rows, "Config"
    )
    for row in range(area.first, area.last + 1):
        sheet.cell(row, 2).alignment = WRAPPED
    sheet.cell(area.heading, 2).alignment = OVER_TEXT  # numbers among them stand on the left, too
    sheet.freeze_panes = f"A{area.first}"
    return area


def _identity(run: RunResult, texts: Texts) -> Iterator[list[Value]]:
    header = run.header
    yield [texts["excel.config.run"], header.run_id]
    yield [texts["provenance.created"], instant(header.created)]
    if run.finished is not None:
        yield [texts["provenance.finished"], instant(run.finished)]
    yield [texts["excel.config.exit_code"], count(run.exit_code)]
    if (target := run.target) is not None:
        yield [texts["excel.config.model"], target.model]
        yield [texts["excel.config.framework"], sections.framework(target)]
        yield [texts["excel.config.url"], target.url]


def _slo(run: RunResult, texts: Texts) -> Iterator[list[Value]]:
    for name, slo in (("", run.slo), *run.slo_by_class.items()):
        for metric, limit in limits(slo).items():
            words = texts["excel.config.slo"].format(metric=NAMES[metric]) + (f" ({name})" if name else "")
            yield [words, with_unit(milliseconds(limit), "ms")]


def _provenance(run: RunResult, texts: Texts) -> Iterator[list[Value]]:
    told = {texts["provenance.created"], texts["provenance.finished"] if run.finished is not None else ""}
    for name, value in sections.provenance(run, texts, _MOST_SETTINGS):
        if name not in told:
            yield [name, value]


def _document(run: RunResult, texts: Texts) -> Iterator[list[Value]]:
    """The resolved document, a line for each setting; secrets are references there."""
    if run.is_imported:
        return
    try:
        leaves = list(_leaves(json.loads(run.header.resolved), ""))
    except (ValueError, RecursionError):  # of a store from elsewhere
        return
    for name, value in leaves[:_MOST_SETTINGS]:
        yield [texts["excel.config.document"].format(name=name), value]
    if len(leaves) > _MOST_SETTINGS:
        yield [texts["excel.config.more"].format(count=f"{len(leaves) - _MOST_SETTINGS:,}"), None]


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for key in sorted(value):
                yield from _leaves(value[key], f"{path}.{key}" if path else str(key))
        case list() if any(isinstance(each, Mapping | list) for each in value):
            for place, each in enumerate(value):
                yield from _leaves(each, f"{path}[{place}]")
        case list():
            yield path, ", ".join(_written(each) for each in value)
        case _:
            yield path, _written(value)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def columns_of(headings: Sequence[str], widest: int = 16) -> list[Column]:
    """Columns of figures."""
    return [Column(heading, widest) for heading in headings]
