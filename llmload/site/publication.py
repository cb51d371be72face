"""The site as files: the same pages, asked one after another, with links that need no server.

A page is published because another one leads to it: the first page of the history is asked first, and each page tells
by its links (`links.Linked`) which further pages of the history and which comparisons are to be there too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from llmload.domain import RunResult
from llmload.errors import LlmloadError, ReportError
from llmload.plain_text import plain
from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Texts
from llmload.site import assets, rendering
from llmload.site.answering import refused
from llmload.site.asking import Answer, Asked, Page, Refused
from llmload.site.links import EXTENSIONS, Linked, StaticLinks, comparison_file, file_name, history_file
from llmload.site.outcome import outcome_of
from llmload.site.routes import ROUTES
from llmload.store.database import Store
from llmload.store.runs import RunSummary

Files = Iterator[tuple[str, bytes]]
"""Path from the folder of the site, with `/` -> content. No path comes twice."""

_OK = 200
_REPORTS = {"csv": "csv", "junit": "junit", "xlsx": "excel"}
"""The reporter of a download, by its form; that of json is the twin of the run's page."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is published: these runs, which are all that `store` shows, newest first."""

    store: Store
    runs: tuple[RunSummary, ...]
    texts: Texts
    forms: tuple[str, ...] = ("csv", "json", "junit")
    database: str | None = None
    linked: Linked = field(default_factory=Linked)

    def ask(self, page: Page, depth: int, parts: Mapping[str, str] | None = None) -> Answer:
        """What a page says in the place of `depth` folders below the first one."""
        return self._answer(page, Asked(self.texts, self._links(depth), parts or {}))

    def ask_by_query(self, page: Page, query: Iterable[tuple[str, str]], depth: int = 0, place: int = 1) -> Answer:
        """The same for a page of the history, of which it is number `place`, or a comparison."""
        asked = {name: (value,) for name, value in query}
        return self._answer(page, Asked(self.texts, replace(self._links(depth), place=place), {}, asked))

    def _links(self, depth: int) -> StaticLinks:
        return StaticLinks(depth, self.linked, self.forms, self.database)

    def _answer(self, page: Page, asked: Asked) -> Answer:
        """A page that refuses is a page too; a defect ends the publishing, since the site before it is whole."""
        try:
            return page(asked, self.store)
        except Refused as refusal:
            return refused(asked, refusal)
        except (LlmloadError, OSError):
            raise
        except Exception as error:
            said = f"its page could not be made ({type(error).__name__}: {plain(str(error), 200)})"
            remedy = "Please report it; what was published before is whole, and --scenario publishes others without it"
            raise ReportError(_where(asked), said, remedy) from error


def _where(asked: Asked) -> str:
    told = (*asked.parts.values(), *(value for values in asked.query.values() for value in values))
    return plain(", ".join(told), 200) or "a page"


def files(site: Site) -> Files:
    """Every file of the site, each from a fresh look into the store. The same store gives the same bytes."""
    for name in assets.NAMES:
        yield f"assets/{name}", assets.asset(name).body
    for alone in ("recommend", "new"):
        yield from _with_twin(site, alone, alone, {})
    for run in site.runs:
        yield from _run(site, run.run_id)
    for scenario in sorted({run.scenario for run in site.runs}):
        yield from _with_twin(site, "trends/{scenario}", f"trends/{file_name(scenario)}", {"scenario": scenario})
    yield from _histories(site)
    yield from _comparisons(site)


_PAGES = {route.path: route for route in ROUTES}


def _run(site: Site, run_id: str) -> Files:
    """A run, its advice and its downloads; one without a result has nothing to download but what became of it."""
    name, parts = file_name(run_id), {"run": run_id}
    yield from _with_twin(site, "benchmark/{run}", f"benchmark/{name}", parts)
    result = outcome_of(site.store, run_id)
    advice = _PAGES["recommend/{run}"]
    if site.ask(advice.page, advice.depth, parts).status == _OK:
        yield from _with_twin(site, advice.path, f"recommend/{name}", parts)
    if result is not None:
        for form in site.forms:
            if form in _REPORTS:
                yield f"benchmark/{name}.{EXTENSIONS[form]}", _download(result, form, site.texts)


def _download(result: RunResult, form: str, texts: Texts) -> bytes:
    content, *_ = REPORTERS[_REPORTS[form]](result, texts).values()
    return content


def _histories(site: Site) -> Files:
    """The history, page after page, as each one leads to the next."""
    route = _PAGES[""]
    for number, query in enumerate(site.linked.histories, start=1):  # which grows meanwhile
        yield history_file(number), site.ask_by_query(route.page, query, place=number).body
    if route.document is not None:
        yield "history.json", _whole_history(site, route.document)


def _whole_history(site: Site, document: Page) -> bytes:
    """Every run in one document: there is nobody to ask for the next page of it."""
    first = told = _read(site.ask_by_query(document, ()))
    runs = _runs(told)
    while isinstance(following := told["next"], str):
        told = _read(site.ask_by_query(document, parse_qsl(following.removeprefix("?"))))
        runs += _runs(told)
    return rendering.document({**first, "runs": runs, "page_size": len(runs), "next": None, "previous": None}).body


def _read(document: Answer) -> dict[str, object]:
    told = json.loads(document.body)
    assert isinstance(told, dict)  # noqa: S101 - as the page of the history makes it
    return told


def _runs(document: dict[str, object]) -> list[object]:
    runs = document["runs"]
    assert isinstance(runs, list)  # noqa: S101 - as the page of the history makes it
    return runs


def _comparisons(site: Site) -> Files:
    """Those that other pages lead to; one of them may lead to more."""
    route = _PAGES["compare"]
    asked, done = site.linked.comparisons, set[tuple[str, ...]]()
    while waiting := [run_ids for run_ids in asked if run_ids not in done]:
        for run_ids in waiting:
            done.add(run_ids)
            query = (("runs", ",".join(run_ids)),)
            yield comparison_file(run_ids), site.ask_by_query(route.page, query, len(run_ids)).body


def _with_twin(site: Site, path: str, name: str, parts: Mapping[str, str]) -> Files:
    """A page, which may be one that says why there is no more of it, and its twin for programs where there is one."""
    route = _PAGES[path]
    yield f"{name}.html", site.ask(route.page, route.depth, parts).body
    if route.document is not None:
        twin = site.ask(route.document, route.depth, parts)
        if twin.status == _OK:
            yield f"{name}.json", twin.body
