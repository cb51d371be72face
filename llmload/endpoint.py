"""Where and how to send: the one thing that probe, planning and load know of the target alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["fast", "httpx"]
"""Who speaks HTTP: our own client for HTTP/1.1, or httpx, which is slower and knows proxies and HTTP/2."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to send: all that a worker needs to know of the target. Secrets live in `headers` only.

    `settings` are those of framework_config that the author declared; `learnt` is what the probe found out about the
    server, as far as request bodies and readers need it.
    """

    url: str
    framework: str
    api: str
    model: str
    stream: bool
    sampling: Mapping[str, object]
    settings: Mapping[str, object] = field(default_factory=dict)
    learnt: Mapping[str, object] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    transport: Transport = "fast"
    proxy: str | None = field(default=None, repr=False)  # may carry a password
    tls_verify: bool = True
    tls_ca_file: str | None = None
    connect_timeout_s: float = 5.0
    first_token_timeout_s: float = 60.0
    total_timeout_s: float = 600.0
