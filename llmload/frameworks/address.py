"""Where a request goes: the target's URL, as people write it, joined with a path of the framework's API."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def join_url(base: str, path: str) -> str:
    """`base` with `path` behind its own path; its query is kept, and `/v1` written in both is written once.

    Routers put servers under a prefix and tell tenants apart by a query, so both survive. Many people write the
    base URL as OpenAI's own clients want it, with `/v1` at its end.
    """
    parts = urlsplit(base)
    prefix = parts.path.rstrip("/")
    if prefix.endswith("/v1") and path.startswith("/v1/"):
        prefix = prefix.removesuffix("/v1")
    return urlunsplit((parts.scheme, parts.netloc, prefix + path, parts.query, ""))
