"""Styles and scripts: files of this package, and the library of charts as the reports have it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata, resources

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
    "builder-values.js": SCRIPT,
    "builder-yaml.js": SCRIPT,
    "run.css": CSS,
    "share.js": SCRIPT,
    "live.js": SCRIPT,
    "favicon.svg": PICTURE,
}
_LIBRARY = "vega.js"

NAMES = (*_OF_REPORTS, *_OURS, _LIBRARY)
"""What may be asked for at `-/llmload/{name}`."""


def asset(name: str, asked_version: str | None = None) -> Answer:
    """One of NAMES; KeyError for anything else. Where the present version is asked for, it holds for good."""
    if name not in NAMES:
        raise KeyError(name)
    kind = {**_OF_REPORTS, **_OURS}.get(name, SCRIPT)
    freshness = Freshness.VERSIONED if asked_version == version() else Freshness.SETTLED
    return Answer(_content(name), kind, freshness=freshness)


@cache
def version() -> str:
    """Changes when any asset does, so that a browser may keep them. The library, which takes two seconds to make,
    counts by its version.
    """
    files = [_content(name) for name in NAMES if name != _LIBRARY]
    return hashlib.sha256(b"".join([*files, metadata.version("vl-convert-python").encode()])).hexdigest()[:12]


def prepare() -> None:
    """Make what takes long, before anybody waits for it."""
    _content(_LIBRARY)


@cache
def _content(name: str) -> bytes:
    if name == _LIBRARY:
        return embedding.library().encode()
    where = ("llmload.reporters", "templates") if name in _OF_REPORTS else ("llmload.site", "static")
    return resources.files(where[0]).joinpath(where[1], name).read_bytes()
