"""Is it still the same server? Asked before and after every window, never within one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from llmload.endpoint import Endpoint
from llmload.errors import TargetError
from llmload.frameworks.registry import adapter_for
from llmload.target.models import list_models, read_version
from llmload.target.server import Disconnected, Server, connected
from llmload.verdict import Caveat

_STARTED = re.compile(rb"^process_start_time_seconds(?:\{[^}\n]*\})? +(\S+)", re.MULTILINE)

PATIENCE_S = 5.0
"""A server that stands still must not cost the patience that answers get, before and after each window."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says of itself; a part that it did not tell is empty.

    `started` is its process's start as Prometheus libraries tell it, if one process tells it every time.
    """

    models: tuple[str, ...]
    version: str | None
    started: str | None


def identify(endpoint: Endpoint) -> Identity | None:
    """Who answers now; None where nobody does, which the requests of the window say better."""
    try:
        adapter = adapter_for(endpoint.framework)
        patience_s = min(endpoint.first_token_timeout_s, PATIENCE_S)
        with connected(replace(endpoint, first_token_timeout_s=patience_s)) as server:
            served, software = list_models(server, adapter)
            names = tuple(sorted(name for model in served for name in model.names))
            return Identity(names, read_version(server, adapter, software), _started(server))
    except TargetError:
        return None


def change(before: Identity | None, after: Identity | None) -> Caveat | None:
    """The validity rule "the server restarted, or the model changed, during the window"; None while it holds.

    What was told only once says nothing: a server that is busy may leave a question unanswered.
    """
    if before is None or after is None:
        return None
    differences = [
        f"{what} {then} before the window, {now} after it"
        for what, then, now in (
            ("models", ", ".join(before.models), ", ".join(after.models)),
            ("version", before.version, after.version),
            ("process started at", before.started, after.started),
        )
        if then and now and then != now
    ]
    if not differences:
        return None
    return Caveat(
        rule="the server changed",
        figure="; ".join(differences),
        remedy="Find out why it restarted or was replaced, then measure again",
        is_fatal=True,
        kind="ServerChanged",
    )


def _started(server: Server) -> str | None:
    """Asked twice: several replicas behind one address answer in turn, each with a start of its own."""
    first, second = _one_start(server), _one_start(server)
    return first if first == second else None


def _one_start(server: Server) -> str | None:
    try:
        reply = server.get("/metrics")
    except Disconnected:
        return None
    found = _STARTED.search(reply.body) if reply.is_success else None
    return found[1].decode("ascii", "replace") if found else None
