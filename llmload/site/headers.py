"""Headers of an answer: how long it holds, by what a browser knows it again, and the name it is saved under."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from llmload.plain_text import plain
from llmload.site.access import PAGE_POLICY
from llmload.site.asking import Answer

_LONGEST_NAME = 150
"""Characters of a file name: file systems take 255 bytes."""

_LONGEST_ENDING = 10


def headers_of(answered: Answer) -> dict[str, str]:
    """Those that follow from the answer itself; the ones that every answer has are in `access.py`."""
    headers = {
        "Cache-Control": answered.freshness.value,
        "Vary": "Accept, Accept-Language",
        "Content-Security-Policy": PAGE_POLICY,
        "Content-Length": str(len(answered.body)),
    }
    if answered.status == 200:
        headers["ETag"] = f'"{hashlib.blake2b(answered.body, digest_size=16).hexdigest()}"'
    if answered.file_name is not None:
        headers["Content-Disposition"] = disposition(answered.file_name)
    return headers


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether the browser has this answer already, by the tags that it names (RFC 9110, compared weakly)."""
    if if_none_match.strip() == "*":
        return True
    return any(named.strip().removeprefix("W/") == tag for named in if_none_match.split(","))


def disposition(name: str) -> str:
    """The name to save under (RFC 6266), in ASCII and in full; no name can end the header or leave the folder."""
    shown = re.sub(r'[/\\:*?"<>|]', "_", plain(name, 10_000)).strip(". ") or "download"
    if len(shown) > _LONGEST_NAME:
        stem, dot, ending = shown.rpartition(".")
        ending = f"{dot}{ending}" if dot and len(ending) <= _LONGEST_ENDING else ""
        shown = f"{(stem if ending else shown)[: _LONGEST_NAME - len(ending)]}{ending}"
    simple = re.sub(r"[^A-Za-z0-9._ -]", "_", shown)
    full = "" if simple == shown else f"; filename*=UTF-8''{quote(shown, safe='')}"
    return f'attachment; filename="{simple}"{full}'
