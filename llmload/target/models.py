"""What is served: whether it is ready, which models it lists, which one is meant, its version."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from llmload.errors import TargetError
from llmload.frameworks.adapter import Adapter, Question, ServedModel, fill_path
from llmload.target.server import Disconnected, Reply, Server

_POLL_S = 0.25
_PATIENCE = 3
_FRONT_ENDS = ("uvicorn", "hypercorn", "gunicorn", "nginx", "envoy", "caddy", "cloudflare", "apache", "basehttp")
_LONGEST_VERSION = 80
_MOST_LISTED = 20  # of the models in an error; a hub lists thousands


def wait_until_ready(server: Server, adapter: Adapter, patience_s: float) -> None:
    """Return when a readiness path says yes, or when none of them is known to the server.

    TargetError after `patience_s` of "not yet", and at once when nothing listens.
    """
    give_up = time.monotonic() + patience_s
    while (waiting := _not_yet(server, adapter)) is not None:
        if time.monotonic() > give_up:
            raise TargetError(
                server.name,
                f"the server is up but not ready ({server.words_of(waiting)})",
                "Wait until it has loaded its model, then start again",
            )
        time.sleep(_POLL_S)


def _not_yet(server: Server, adapter: Adapter) -> Reply | None:
    """The reply that says "not yet"; the first path that the server knows decides."""
    for path in adapter.ready_paths:
        reply = _patiently(server, Question(path))
        if reply.is_success:
            return None
        if reply.status in adapter.unready:
            return reply
    return None


def _patiently(server: Server, question: Question) -> Reply:
    """Asked again when the server hangs up; TargetError when it always does."""
    trouble = ""
    for _ in range(_PATIENCE):
        try:
            return server.get(question.path) if question.body is None else server.post(question.path, question.body)
        except Disconnected as error:
            trouble = str(error)
    raise TargetError(
        server.name,
        f"no answer to {'GET' if question.body is None else 'POST'} {question.path}: {trouble}",
        "Check that an HTTP server listens there, and its log",
    )


def ask(server: Server, questions: Iterable[Question], model: str = "") -> Mapping[str, bytes]:
    """The bodies of the successful replies to `questions`, by their paths as written; the others are missing.

    TargetError when the server cannot be reached.
    """
    replies = {}
    for question in questions:
        path = fill_path(question.path, model)
        try:
            reply = server.get(path) if question.body is None else server.post(path, question.body)
        except Disconnected:
            continue
        if reply.is_success:
            replies[question.path] = reply.body
    return replies


def list_models(server: Server, adapter: Adapter) -> tuple[tuple[ServedModel, ...], str | None]:
    """What the server lists (nothing where it fails, as some do), and its name for itself in its `server` header.

    TargetError when the server wants a key that it did not get.
    """
    replies, software = {}, None
    for question in adapter.models.questions:
        reply = _patiently(server, question)
        software = software or reply.software
        if reply.status in (401, 403):
            raise unauthorized(server, reply)
        if reply.is_success:
            replies[question.path] = reply.body
    return adapter.models.read(replies), software


def choose_model(server: Server, asked: str | None, served: tuple[ServedModel, ...]) -> ServedModel:
    """The model that requests will name. TargetError, of kind ModelNotServed, lists what could be asked."""
    listed = ", ".join(model.names[0] for model in served[:_MOST_LISTED])
    if len(served) > _MOST_LISTED:
        listed += f" and {len(served) - _MOST_LISTED:,} more"
    if asked is None:
        if len(served) == 1:
            return served[0]
        problem, remedy = f"it serves {len(served)} models ({listed})", "Name one of them in target.model"
        if not served:
            problem = "it does not list its models"
            remedy = "Correct target.framework if it is another server, or name the model in target.model"
        raise TargetError(server.name, problem, remedy, kind="ModelNotServed")
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


def read_version(server: Server, adapter: Adapter, software: str | None) -> str | None:
    """What the server says of its version, else its `server` header unless that only names a web server in front."""
    told = adapter.version.read(ask(server, adapter.version.questions))
    if told is None and software and not software.lower().startswith(_FRONT_ENDS):
        told = software
    return _one_line(server.scrub(told)) if told and told.strip() else None  # cut last: half a secret is not known


def unauthorized(server: Server, reply: Reply) -> TargetError:
    """The server wants another key than it got."""
    return TargetError(
        server.name,
        f"it refuses our credentials ({server.words_of(reply)})",
        "Set target.api_key: {env: NAME} to a variable that holds a valid key",
        kind="Unauthorized",
    )


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_VERSION]
