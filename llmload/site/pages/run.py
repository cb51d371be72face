"""One run: its verdict, gates, charts and steps as its report has them; where it has no result, what became of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from llmload.baseline import SIDE_LABEL
from llmload.domain import COMMAND_LINE
from llmload.reporters import html, result_json
from llmload.reporters.charts import run_charts
from llmload.reporters.embedding import live_figures
from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Texts
from llmload.reporters.written_sections import Written, written
from llmload.site import rendering
from llmload.site.asking import JSON, Answer, Asked, Freshness, Refused
from llmload.site.outcome import Unjudged, outcome, why_unjudged
from llmload.site.pages import standing_run
from llmload.site.pages.recommendations import linked
from llmload.store.analyses import analyses_of
from llmload.store.database import Store
from llmload.store.states import Neighbours, RunState, meant_by, neighbours, state_of
from llmload.written_analysis import WrittenAnalysis

VLLM = "vllm"

_LONGEST_ANALYSIS = 20_000
"""Characters that a page shows; `llmload analyze` keeps fewer."""


@dataclass(frozen=True, slots=True)
class Download:
    """A document of a run: its name in the registry of reporters, the end of its file's name, its type."""

    reporter: str
    ending: str
    content_type: str


DOWNLOADS = {
    "csv": Download("csv", "csv", "text/csv; charset=utf-8"),
    "xlsx": Download("excel", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "json": Download("json", "json", JSON),
    "junit": Download("junit", "xml", "application/xml; charset=utf-8"),
}
"""What `?format=` may be."""


def page(asked: Asked, store: Store) -> Answer:
    """For people."""
    state = state_of(store, asked.parts["run"])
    if state is None:
        return _unknown(asked, store)
    around = _around(asked, state, neighbours(store, state), analyses_of(store, state.run_id))
    result = outcome(store, state)
    if isinstance(result, Unjudged):
        return standing_run.page(asked, store, state, result, around)
    charts = live_figures(run_charts(result, asked.texts))
    told = {**html.told(result, asked.texts, charts), **around, "has_advice": result.recommendation is not None}
    told["sections"] = _sections(told, asked.texts)
    told["linked"] = linked(result.recommendation, asked, store)
    return rendering.render("run.html.j2", told, asked, charts, Freshness.SETTLED)


def document(asked: Asked, store: Store) -> Answer:
    """For programs: what result.json has, or where the run stands."""
    state = _state(asked, store)
    result = outcome(store, state)
    if isinstance(result, Unjudged):
        return standing_run.document(store, state)
    return Answer(result_json.render(result), JSON, freshness=Freshness.SETTLED)


def export(asked: Asked, store: Store) -> Answer:
    """A document of the run, to be saved; `format` is one of DOWNLOADS."""
    form = asked.value("format") or ""
    if form not in DOWNLOADS:
        raise Refused(400, asked.texts["site.run.no_format"], ", ".join(f"format={name}" for name in DOWNLOADS))
    state = _state(asked, store)
    result = outcome(store, state)
    if isinstance(result, Unjudged):
        raise Refused(409, why_unjudged(result, state, asked.texts), command_of("report", state.run_id))
    download = DOWNLOADS[form]
    content, *_ = REPORTERS[download.reporter](result, asked.texts).values()
    name = f"{_file_name(state.run_id)}.{download.ending}"
    return Answer(content, download.content_type, freshness=Freshness.SETTLED, file_name=name)


def _state(asked: Asked, store: Store) -> RunState:
    state = state_of(store, asked.parts["run"])
    return _refuse(asked, store) if state is None else state


def _refuse(asked: Asked, store: Store) -> NoReturn:
    meant = meant_by(store, asked.parts["run"])
    remedy = "" if meant is None else f"{asked.texts['site.run.meant']} {meant}"
    raise Refused(404, asked.texts["site.unknown_run"], remedy)


def _unknown(asked: Asked, store: Store) -> Answer:
    """An id may have lost its end on its way, or won a full stop: then the run that was meant is named."""
    meant = meant_by(store, asked.parts["run"])
    rendered = rendering.render("unknown_run.html.j2", {"asked_id": asked.parts["run"], "meant": meant}, asked)
    return Answer(rendered.body, rendered.content_type, 404)


def _file_name(run_id: str) -> str:
    """An id as part of a file's name and of a header: a store may come from anywhere."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", run_id)[:100].lstrip(".") or "run"


# ---------------------------------------------------------------- what is around a run


def _around(
    asked: Asked, state: RunState, beside: Neighbours, analyses: Sequence[WrittenAnalysis]
) -> dict[str, object]:
    """Where one goes on from a run, and what one does with it: nothing is done to a run that was shared."""
    is_shared = asked.value("shared") == "true"
    commands = _commands(state, beside, asked.texts) if asked.links.is_live and not is_shared else ()
    return {
        "run_id": state.run_id,
        "scenario": state.header.scenario,
        "is_shared": is_shared,
        "neighbours": beside,
        "downloads": asked.links.forms,
        "commands": commands,
        "analysis": _analysis(state, analyses, command_of("analyze", state.run_id) if commands else "", asked.texts),
    }


@dataclass(frozen=True, slots=True)
class Analysed:
    """What a page tells of analyses: one that was written, how to have one written, or why there can be none."""

    written: Written | None
    command: str  # "" where none may be shown, or none would work
    notice: str

    @property
    def is_told(self) -> bool:
        """Whether there is anything to tell."""
        return self.written is not None or bool(self.command or self.notice)


def _analysis(state: RunState, analyses: Sequence[WrittenAnalysis], command: str, texts: Texts) -> Analysed:
    """The newest one in the reader's language, else the newest. Only servers of vLLM are ever asked."""
    told = written(analyses, texts, _LONGEST_ANALYSIS)
    framework = None if state.facts is None else state.facts.framework
    if framework is not None and framework != VLLM:
        return Analysed(told, "", texts["site.run.only_vllm"])
    return Analysed(told, command if framework == VLLM and state.has_result else "", "")


def _sections(told: Mapping[str, object], texts: Texts) -> list[tuple[str, str]]:
    """Those of the report, with ours before its last one."""
    of_report = told["sections"]
    assert isinstance(of_report, list)  # noqa: S101 - as html.told makes it
    analysis = told["analysis"]
    assert isinstance(analysis, Analysed)  # noqa: S101 - as _around makes it
    ours = [("analysis", texts["site.run.analysis"])] if analysis.is_told else []
    ours += [("commands", texts["site.run.commands"])] if told["commands"] else []
    there = [each for each in of_report if each[0] != "analysis"]
    return [*there[:-1], *ours, *there[-1:]]


def _commands(state: RunState, beside: Neighbours, texts: Texts) -> tuple[tuple[str, str], ...]:
    """What each one does, and the command itself, as a POSIX shell takes it; none for a run that goes on."""
    if state.is_running:
        return ()
    commands = [(texts["site.run.command.report"], command_of("report", state.run_id))]
    if state.has_result and beside.comparable is not None:
        words = texts["site.run.command.compare"]
        commands.append((words, command_of("compare", beside.comparable, state.run_id)))
    is_of_file = state.header.source != COMMAND_LINE  # flags are in no store
    if not state.has_result and is_of_file and SIDE_LABEL not in state.header.labels:
        again = f"llmload apply {shlex.quote(state.header.source)} --resume={shlex.quote(state.run_id)}"
        commands.insert(0, (texts["site.run.command.resume"], again))
    return (*commands, (texts["site.run.command.delete"], command_of("store delete", state.run_id)))


def command_of(verb: str, *run_ids: str) -> str:
    """Ids are quoted; after `--` none of them is taken for an option."""
    guard = ["--"] if any(run_id.startswith("-") for run_id in run_ids) else []
    return " ".join(["llmload", verb, *guard, *map(shlex.quote, run_ids)])
