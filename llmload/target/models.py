"""What is served: whether it is ready, which models it lists, which one is meant, its version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from llmload.errors import TargetError
from llmload.frameworks.adapter import Adapter
from llmload.target.server import Disconnected, Reply, Server

_POLL_S = 0.25
_PATIENCE = 3
_FRONT_ENDS = ("uvicorn", "hypercorn", "gunicorn", "nginx", "envoy", "caddy", "cloudflare", "apache", "basehttp")
_LONGEST_VERSION = 80


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model as the server lists it; `names` are all that it answers to, its own id first."""

    names: tuple[str, ...]
    max_model_len: int | None


def wait_until_ready(server: Server, adapter: Adapter, patience_s: float) -> None:
    """Return when a readiness path says yes, or when none of them is known to the server.

    TargetError after `patience_s` of "not yet" (503), and at once when nothing listens.
    """
    give_up = time.monotonic() + patience_s
    while (waiting := _not_yet(server, adapter.ready_paths)) is not None:
        if time.monotonic() > give_up:
            raise TargetError(
                server.name,
                f"the server is up but not ready ({server.words_of(waiting)})",
                "Wait until it has loaded its model, then start again",
            )
        time.sleep(_POLL_S)


def _not_yet(server: Server, paths: tuple[str, ...]) -> Reply | None:
    """The reply that says "not yet"; the first path that the server knows decides."""
    for path in paths:
        reply = get_patiently(server, path)
        if reply.is_success:
            return None
        if reply.status == 503:
            return reply
    return None


def get_patiently(server: Server, path: str) -> Reply:
    """GET, asked again when the server hangs up; TargetError when it always does."""
    trouble = ""
    for _ in range(_PATIENCE):
        try:
            return server.get(path)
        except Disconnected as error:
            trouble = str(error)
    raise TargetError(
        server.name, f"no answer to GET {path}: {trouble}", "Check that an HTTP server listens there, and its log"
    )


def list_models(server: Server) -> tuple[tuple[ServedModel, ...], str | None]:
    """What `/v1/models` lists (nothing where it fails, as some servers do), and the server's name for itself.

    TargetError when the server wants a key that it did not get.
    """
    reply = get_patiently(server, "/v1/models")
    if reply.status in (401, 403):
        raise unauthorized(server, reply)
    listed = _member(_json(reply), "data") if reply.is_success else None
    models = [_served(entry) for entry in listed] if isinstance(listed, list) else []
    return tuple(model for model in models if model is not None), reply.software


def choose_model(server: Server, asked: str | None, served: tuple[ServedModel, ...]) -> ServedModel:
    """The model that requests will name. TargetError, of kind ModelNotServed, lists what could be asked."""
    listed = ", ".join(model.names[0] for model in served)
    if asked is None:
        if len(served) == 1:
            return served[0]
        problem = f"it serves {len(served)} models ({listed})" if served else "it does not list its models"
        raise TargetError(server.name, problem, "Name one of them in target.model", kind="ModelNotServed")
    if not served:
        return ServedModel((asked,), None)
    for model in served:
        if asked in model.names:
            return ServedModel((asked,), model.max_model_len)
    raise TargetError(
        server.name,
        f"it does not serve the model {asked!r}; it serves {listed}",
        "Correct target.model, or leave it out where the server has one model",
        kind="ModelNotServed",
    )


def read_version(server: Server, software: str | None) -> str | None:
    """What `/version` says, else the `server` header unless that only names a web server in front."""
    try:
        reply = server.get("/version")
    except Disconnected:
        reply = None
    told = _member(_json(reply), "version") if reply is not None and reply.is_success else None
    if not isinstance(told, str) and software and not software.lower().startswith(_FRONT_ENDS):
        told = software
    return server.scrub(_one_line(told)) if isinstance(told, str) and told.strip() else None


def unauthorized(server: Server, reply: Reply) -> TargetError:
    """The server wants another key than it got."""
    return TargetError(
        server.name,
        f"it refuses our credentials ({server.words_of(reply)})",
        "Set target.api_key: {env: NAME} to a variable that holds a valid key",
        kind="Unauthorized",
    )


def _served(entry: object) -> ServedModel | None:
    name = _member(entry, "id")
    if not isinstance(name, str) or not name:
        return None
    aliases = _member(entry, "aliases")
    others = [each for each in aliases if isinstance(each, str)] if isinstance(aliases, list) else []
    length = _member(entry, "max_model_len") or _member(_member(entry, "meta"), "n_ctx")  # vLLM, SGLang; llama.cpp
    return ServedModel((name, *others), length if type(length) is int and length > 0 else None)


def _json(reply: Reply) -> object:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _member(document: object, name: str) -> object:
    return document.get(name) if isinstance(document, Mapping) else None


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_VERSION]
