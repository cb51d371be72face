"""A page that is one file: styles, scripts, charts and their library inside it, and nothing that it asks anyone for.

The content security policy names our scripts and styles by their hashes. Whatever else a page holds, foreign text that
were taken for markup included, can neither run nor style nor load anything.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from llmload.plain_text import TEXT_LIMIT, plain
from llmload.reporters.embedding import Figure, library, specifications
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    capital,
    figures,
    finding_cause,
    finding_figures,
    finding_kind,
    finding_remedy,
    label_in,
    seen,
    sentence,
    status_word,
    step_label,
    worst,
)
from llmload.verdict import Caveat, Status

WHOLE_TEXT = 4_000
"""Characters of one foreign text that a page keeps, folded."""

_SHOWN = 280
"""Characters of a long text that are shown before the rest is asked for."""

_FOLDED = 420
"""Characters up to which a text is shown whole: folding one that is hardly longer hides more than it saves."""

_MARKS = {
    Status.PASS: "✓",
    Status.FAIL: "✕",
    Status.ERROR: "⊘",
    Status.INCONCLUSIVE: "?",
    Status.INCOMPARABLE: "≠",
    Status.NOT_GATED: "–",
}


def render(template: str, told: Mapping[str, object], texts: Texts, charts: Sequence[Figure]) -> bytes:
    """The page that a template makes of what is told, in UTF-8."""
    style, theme, script = (_asset(name) for name in ("page.css", "theme.js", "page.js"))
    specs = specifications(charts)
    unpacked = library() if specs else ""
    around = {
        "layout": "page.html.j2",
        "texts": texts,
        "charts": charts,
        "style": _ours(style),
        "theme_script": _ours(theme),
        "page_script": _ours(script),
        "library": _ours(_packed(unpacked)) if specs else "",
        "specifications": _ours(_packed(specs)) if specs else "",
        "policy": _ours(_policy([each for each in (theme, script, unpacked) if each], style)),
    }
    return _own_environment().get_template(template).render({**told, **around}).encode()


def _ours(text: str) -> Markup:
    return Markup(text)  # noqa: S704 - files of this package and digits made from them, no foreign text


@cache
def _asset(name: str) -> str:
    return resources.files("llmload.reporters").joinpath("templates", name).read_text("utf-8")


@lru_cache(8)
def _packed(text: str) -> str:
    """As gzip in base 85, a comma for "<", which would be markup: the same bytes at any time and place."""
    return base64.b85encode(gzip.compress(text.encode(), 9, mtime=0)).decode().replace("<", ",")


def _policy(scripts: Sequence[str], style: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            f"style-src {_source(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@cache
def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# ---------------------------------------------------------------- templates


@cache
def _own_environment() -> jinja2.Environment:
    return environment(jinja2.PackageLoader("llmload.reporters"))


def environment(*loaders: jinja2.BaseLoader) -> jinja2.Environment:
    """What templates of pages are made with, wherever they lie: every string is made harmless and escaped."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amount,
        "bare": bare_milliseconds,
        "percent": percent,
        "sentence": sentence,
        "slug": _slug,
        "mark": _mark,
        "capital": capital,
        "is_long": _is_long,
        "beginning": _beginning,
        "whole": _whole,
    }
    environment.tests |= {"fatal": _is_fatal}
    environment.globals |= {
        "figures": figures,
        "finding_figures": finding_figures,
        "finding_cause": finding_cause,
        "finding_kind": finding_kind,
        "finding_remedy": finding_remedy,
        "label_in": label_in,
        "in_language": in_language,
        "missing": MISSING,
        "seen": seen,
        "status_word": status_word,
        "step_label": step_label,
        "worst": worst,
    }
    return environment


def _harmless(value: object) -> object:
    """Every string of a page comes this way, and is escaped by Jinja after it, so that no template can forget it."""
    return value if isinstance(value, Markup | int | float) else plain(str(value), TEXT_LIMIT)


def _slug(status: Status) -> str:
    return status.value.replace(" ", "-")


def _mark(status: Status) -> str:
    return _MARKS[status]


def _is_fatal(caveat: Caveat) -> bool:
    return caveat.is_fatal


def _is_long(text: str) -> bool:
    return len(plain(text, WHOLE_TEXT)) > _FOLDED


def _beginning(text: str) -> str:
    return plain(text, WHOLE_TEXT)[:_SHOWN].rsplit(" ", 1)[0] + " …"


def _whole(text: str) -> Markup:
    return escape(plain(text, WHOLE_TEXT))
