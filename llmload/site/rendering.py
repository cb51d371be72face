"""Pages of the site from their templates: those of the reports' pages, within a layout that has a way to the others.

Scripts and styles are files of the site (`assets.py`), since a browser then loads them once for all pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from llmload.reporters import page
from llmload.reporters.embedding import Figure, specifications
from llmload.reporters.texts import Language
from llmload.reporters.wording import label_in
from llmload.site.asking import Answer, Asked, Freshness

LAYOUT = "site.html.j2"


def render(
    template: str,
    told: Mapping[str, object],
    asked: Asked,
    charts: Sequence[Figure] = (),
    freshness: Freshness = Freshness.CHANGING,
) -> Answer:
    """The page that a template makes of what is told."""
    around = {
        "layout": LAYOUT,
        "texts": asked.texts,
        "links": asked.links,
        "languages": _languages(asked),
        "charts": charts,
        "specifications": in_script(specifications(charts)),
    }
    rendered = _environment().get_template(template).render({"sections": (), **told, **around})
    return Answer(rendered.encode(), freshness=freshness)


@dataclass(frozen=True, slots=True)
class Choice:
    """A language that the page can be read in, named in itself."""

    code: str
    name: str
    address: str
    is_current: bool


_NAMES = {Language.EN: "English", Language.KO: "한국어"}

_LONGEST_QUERY = 4_000
"""Characters of a query that the links to other languages keep."""


def _languages(asked: Asked) -> tuple[Choice, ...]:
    """The same page in each language; none where no server answers, since there a page has its own language."""
    if not asked.links.is_live:
        return ()
    query = [(name, value) for name, values in asked.query.items() if name != "lang" for value in values]
    if len(urlencode(query)) > _LONGEST_QUERY:
        query = []
    return tuple(
        Choice(code.value, name, f"?{urlencode([*query, ('lang', code.value)])}", code is asked.texts.language)
        for code, name in _NAMES.items()
    )


def document(value: object, freshness: Freshness = Freshness.CHANGING) -> Answer:
    """JSON with sorted keys."""
    from llmload.site.asking import JSON

    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return Answer(f"{text}\n".encode(), JSON, freshness=freshness)


def in_script(text: str) -> Markup:
    """JSON as it may stand inside a script element: no text in it can end the element."""
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704


@cache
def _environment() -> jinja2.Environment:
    environment = page.environment(jinja2.PackageLoader("llmload.site"), jinja2.PackageLoader("llmload.reporters"))
    environment.globals["label_in"] = label_in
    return environment
