"""Who may read a site, how fast and from where: stands before every route, and knows nothing of what is behind it.

An ASGI middleware. What is refused here never reaches the application, and no answer leaves without its headers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import json
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote

from llmload.reporters.texts import texts_in
from llmload.site.answering import tell_defect
from llmload.site.asking import HTML, JSON
from llmload.site.language import preferred_language
from llmload.site.options import ANY_ORIGIN, SiteOptions
from llmload.site.rate import RateLimit

Scope = MutableMapping[str, object]
Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_EVERYWHERE = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
PAGE_POLICY = f"{_EVERYWHERE}; script-src 'self'; style-src 'self'"
"""What pages of ours may load: files of this site, and nothing that is written into the page."""

_BROWSING_POLICY = f"{_EVERYWHERE}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
"""Datasette's own pages have scripts and styles written into them."""

_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-write=(self)",
}

_UNCOUNTED = ("/-/llmload/", "/-/static/", "/-/static-plugins/", "/favicon.ico")
"""Files that belong to pages: they count for nothing, since one page needs several of them."""

_CLOSED = re.compile(r"/-/(versions|threads|plugins|databases|permissions|messages|allow-debug|patterns)(\.json)?/?$")
"""Datasette's pages for those who look after it: they tell versions, plugins, paths of files and running tasks."""

_METHODS = (b"GET", b"HEAD", b"OPTIONS")
_ALLOWED = b", ".join(_METHODS)


@dataclass(frozen=True, slots=True)
class _Request:
    """What of a request decides whether it may pass."""

    method: str
    path: str  # below the site's own root
    headers: Headers
    address: str | None  # None = within this process, where nothing is limited
    is_sound: bool  # whether path and cookies are what HTTP allows

    def all_of(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    def first(self, name: bytes) -> str:
        return next((value.decode("latin-1") for value in self.all_of(name)), "")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`reason` is the key of the texts; `headers` tell programs what to do."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())


_UNSOUND = _Refusal(400, "unsound")
_DEFECT = _Refusal(500, "defect")
_NOT_HERE = _Refusal(404, "not_here")
_READ_ONLY = _Refusal(405, "read_only", ((b"allow", _ALLOWED),))
_NO_KEY = _Refusal(
    401,
    "no_key",
    (
        (b"www-authenticate", b'Bearer realm="llmload"'),
        (b"www-authenticate", b'Basic realm="llmload", charset="UTF-8"'),
    ),
)


class Access:
    """The application behind the options of its owner. `base_url` is the path of the site's root."""

    def __init__(self, application: Application, options: SiteOptions, base_url: str = "/") -> None:
        self._application = application
        self._options = options
        self._base_url = base_url
        self._limit = RateLimit(options.rate_limit_per_s)
        self._digest = None if options.api_key is None else hashlib.sha256(options.api_key).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP, such as a WebSocket, is not answered."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = _read(scope, self._base_url)
        answer = _Answer(request, self._options, send)
        if self._is_preflight(request):
            await answer.send_empty(_preflight_headers())
        elif (refusal := self._refusal(request)) is not None:
            await answer.refuse(refusal)
        elif request.method == "OPTIONS":
            await answer.send_empty([(b"allow", _ALLOWED)])
        else:
            await self._pass(scope, receive, answer)

    async def _pass(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """Let the application answer; it never sees a key, so that it can neither log nor show one."""
        seen = scope if self._digest is None else {**scope, "headers": _without_keys(answer.request.headers)}
        try:
            await self._application(seen, receive, answer.forward)
        except Exception as error:
            if answer.has_begun:
                raise
            tell_defect(error)
            await answer.refuse(_DEFECT)

    def _is_preflight(self, request: _Request) -> bool:
        """What a browser asks before it sends a key from elsewhere: it has no key, and the answer no content."""
        return (
            request.method == "OPTIONS"
            and bool(request.all_of(b"access-control-request-method"))
            and _allowed_origin(request, self._options) is not None
        )

    def _refusal(self, request: _Request) -> _Refusal | None:
        if not request.is_sound:
            return _UNSOUND
        if request.address is not None and not request.path.startswith(_UNCOUNTED):
            wait_s = self._limit.wait_s(request.address, time.monotonic())
            if wait_s:
                return _Refusal(429, "too_fast", ((b"retry-after", str(math.ceil(wait_s)).encode()),))
        if self._digest is not None and not self._has_key(request):
            return _NO_KEY
        if _CLOSED.match(unquote(request.path)):
            return _NOT_HERE
        return None if request.method.encode() in _METHODS else _READ_ONLY

    def _has_key(self, request: _Request) -> bool:
        """Digests are of one length, and are compared in the same time wherever they differ."""
        assert self._digest is not None  # noqa: S101 - asked only where there is one
        keys = [*request.all_of(b"x-api-key"), *map(_key_of, request.all_of(b"authorization"))]
        return any(hmac.compare_digest(hashlib.sha256(key).digest(), self._digest) for key in keys)


class _Answer:
    """What goes out: with the headers that every answer has, and without a body where only the head was asked for."""

    def __init__(self, request: _Request, options: SiteOptions, send: Send) -> None:
        self.request = request
        self.has_begun = False
        self._options = options
        self._send = send

    async def forward(self, message: Message) -> None:
        """What the application sends."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            message = {**message, "headers": self._completed(_headers_of(message))}
        elif message["type"] == "http.response.body" and self.request.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, refusal: _Refusal) -> None:
        """A page, or a document where a program asks, with nothing in it that came from the request."""
        content_type, body = _told(self.request, self._options, refusal)
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", PAGE_POLICY.encode()),
            (b"vary", b"Accept-Language, Accept"),
            *refusal.headers,
        ]
        await self.forward({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self.forward({"type": "http.response.body", "body": body})

    async def send_empty(self, headers: Headers) -> None:
        """204, which has no content."""
        await self.forward({"type": "http.response.start", "status": 204, "headers": headers})
        await self.forward({"type": "http.response.body", "body": b""})

    def _completed(self, given: Headers) -> Headers:
        kept = [
            (name.lower(), value) for name, value in given if not name.lower().startswith(b"access-control-allow-o")
        ]
        varying = [part.strip() for name, value in kept if name == b"vary" for part in value.split(b",")]
        kept = [(name, value) for name, value in kept if name != b"vary" and name not in _ALWAYS]
        if self._options.api_key is not None:
            varying += [b"Authorization", b"X-API-Key"]
            kept = [(name, _private(value) if name == b"cache-control" else value) for name, value in kept]
            if not any(name == b"cache-control" for name, _ in kept):
                kept.append((b"cache-control", b"private"))
        if not any(name == b"content-security-policy" for name, _ in kept):
            kept.append((b"content-security-policy", _BROWSING_POLICY.encode()))
        origin = _allowed_origin(self.request, self._options)
        if self._options.origins and ANY_ORIGIN not in self._options.origins:
            varying.append(b"Origin")
        if origin is not None:
            kept.append((b"access-control-allow-origin", origin))
            kept.append((b"access-control-expose-headers", b"ETag, Retry-After, Content-Disposition"))
        if varying := list(dict.fromkeys(varying)):
            kept.append((b"vary", b", ".join(varying)))
        return [*kept, *_ALWAYS.items()]


def _read(scope: Scope, base_url: str) -> _Request:
    headers = _headers_of(scope)
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if isinstance(raw, bytes) and raw else str(scope["path"])
    client = scope.get("client")
    address = str(client[0]) if isinstance(client, tuple | list) and client else None
    below = f"/{path.removeprefix(base_url)}" if path.startswith(base_url) else path
    return _Request(str(scope["method"]), below, headers, address, _is_sound(path, headers))


def _headers_of(holder: MutableMapping[str, object]) -> Headers:
    given = holder.get("headers", ())
    assert isinstance(given, Iterable)  # noqa: S101 - ASGI says so
    return [(bytes(name), bytes(value)) for name, value in given]


def _is_sound(path: str, headers: Headers) -> bool:
    """Characters beyond ASCII are percent-encoded in HTTP; cookies must be what the standard library can read."""
    if "\\" in path:  # a browser takes it for a slash, so that a redirect to such a path would lead to another site
        return False
    try:
        path.encode("ascii")
        for name, value in headers:
            if name.lower() == b"cookie":
                SimpleCookie(value.decode("latin-1"))
    except (UnicodeEncodeError, CookieError):
        return False
    return True


def _without_keys(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in {b"authorization", b"x-api-key"}]


def _key_of(authorization: bytes) -> bytes:
    """The token of a bearer, or the password that a browser asked for, whatever the name beside it."""
    scheme, _, rest = authorization.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _private(cache_control: bytes) -> bytes:
    """What was read with a key may be kept by the reader's browser, and by nobody between."""
    directives = [part.strip() for part in cache_control.split(b",") if part.strip() not in {b"public", b"private"}]
    return b", ".join([b"private", *directives])


def _allowed_origin(request: _Request, options: SiteOptions) -> bytes | None:
    if ANY_ORIGIN in options.origins:
        return b"*"
    origin = request.first(b"origin")
    return origin.encode("latin-1") if origin and origin.lower() in options.origins else None


def _preflight_headers() -> Headers:
    return [
        (b"access-control-allow-methods", _ALLOWED),
        (b"access-control-allow-headers", b"Authorization, X-API-Key, If-None-Match"),
        (b"access-control-max-age", b"600"),
    ]


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{because} · llmload</title>
</head>
<body>
<main>
<h1>{because}.</h1>
<p>{remedy}.</p>
</main>
</body>
</html>
"""


def _told(request: _Request, options: SiteOptions, refusal: _Refusal) -> tuple[str, bytes]:
    """Content type and body: without a style, since a style needs the key, too."""
    preferred = preferred_language(request.first(b"accept-language"))
    texts = texts_in(preferred or options.language)
    because, remedy = texts[f"site.access.{refusal.reason}"], texts[f"site.access.{refusal.reason}_remedy"]
    if asks_for_json(request.path, request.first(b"accept")):
        return JSON, (json.dumps({"error": because, "remedy": remedy, "status": refusal.status}) + "\n").encode()
    told = {"language": texts.language.value, "because": html.escape(because), "remedy": html.escape(remedy)}
    return HTML, _PAGE.format(**told).encode()


def asks_for_json(path: str, accept: str) -> bool:
    """Whether a program asks: by the address, or by what it accepts."""
    return path.endswith(".json") or ("application/json" in accept and "text/html" not in accept)
