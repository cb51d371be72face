"""Styles and scripts: files of this package, and the library of charts as the reports have it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from llmload.reporters import embedding
from llmload.site.asking import Answer, Freshness

CSS, SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
PICTURE = "image/svg+xml"

_OF_REPORTS = {"page.css": CSS, "page.js": SCRIPT, "theme.js": SCRIPT}
_OURS = {
    "site.css": CSS,
    "site.js": SCRIPT,
    "compare.css": CSS,
    "builder.css": CSS,
    "builder.js": SCRIPT,
    "builder-rules.js": SCRIPT,
    "builder-yaml.js": SCRIPT,
    "run.css": CSS,
    "share.js": SCRIPT,
    "live.js": SCRIPT,
    "favicon.svg": PICTURE,
}
_LIBRARY = "vega.js"

NAMES = (*_OF_REPORTS, *_OURS, _LIBRARY)
"""What may be asked for at `-/llmload/{name}`."""


def asset(name: str) -> Answer | None:
    """One of NAMES; None for anything else."""
    if name not in NAMES:
        return None
    kind = {**_OF_REPORTS, **_OURS}.get(name, SCRIPT)
    return Answer(_content(name), kind, freshness=Freshness.SETTLED)


@cache
def version() -> str:
    """Changes when any asset does, so that a browser may keep them."""
    return hashlib.sha256(b"".join(_content(name) for name in NAMES)).hexdigest()[:12]


@cache
def _content(name: str) -> bytes:
    if name == _LIBRARY:
        return embedding.library().encode()
    where = ("llmload.reporters", "templates") if name in _OF_REPORTS else ("llmload.site", "static")
    return resources.files(where[0]).joinpath(where[1], name).read_bytes()
