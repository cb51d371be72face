"""Styles and scripts: files of this package, and the library of charts as the reports have it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
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
        with _once:
            return _library()
    where = ("llmload.reporters", "templates") if name in _OF_REPORTS else ("llmload.site", "static")
    return resources.files(where[0]).joinpath(where[1], name).read_bytes()


_once = threading.Lock()
_MAKE = "import sys; from llmload.reporters.drawing import page_bundle; sys.stdout.buffer.write(page_bundle().encode())"


@cache
def _library() -> bytes:
    """Made by a process of its own: what makes it lets no other thread of a process run meanwhile, so that the first
    readers of a site would wait for it. Where no such process can be had, it is made here.
    """
    command = [sys.executable or "python3", "-P", "-c", _MAKE]  # -P: nothing from the folder that we stand in
    made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 - ours
    return made.stdout if made.returncode == 0 else embedding.library().encode()
