"""Pages of the site from their templates: those of the reports' pages, within a layout that has a way to the others.

Scripts and styles are files of the site (`assets.py`), since a browser then loads them once for all pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache

import jinja2
from markupsafe import Markup

from llmload.reporters import page
from llmload.reporters.embedding import Figure, specifications
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
        "charts": charts,
        "specifications": in_script(specifications(charts)),
    }
    rendered = _environment().get_template(template).render({"sections": (), **told, **around})
    return Answer(rendered.encode(), freshness=freshness)


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
    return page.environment(jinja2.PackageLoader("llmload.site"), jinja2.PackageLoader("llmload.reporters"))
