"""`llmload analyze`: a run explained in writing by a language model, beside the verdict and never instead of it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run
from llmload.errors import UsageError
from llmload.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmload.domain import RunResult
    from llmload.endpoint import Endpoint
    from llmload.scenario.asked import SecretRef
    from llmload.target.analyst import Limits

ONLY_VLLM = {
    "en": "AI analysis currently supports the vLLM framework only.",
    "ko": "AI 분석 도구는 현재 vLLM 프레임워크만 지원이 가능합니다.",
}
"""All that is said of a run of another framework, whoever would write; with exit code 2."""

_URL = "Name a server that can write: --analyst-url http://host:8000"
_MOST_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class _Order:
    """What the command line asks for."""

    run: str
    url: str | None
    key_env: str | None
    language: str
    env: Mapping[str, str]
    store: Path


def analyze(
    run: Run,
    analyst_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="OpenAI-compatible server that writes; the run's own server if left out."),
    ] = None,
    analyst_model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model that writes; the run's own, or the only one served, if left out."),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Variable with the key of the server that writes; else the run's, if it is local."
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option("--lang", metavar="en|ko", help="Language to write in; else LLMLOAD_LANG, else the locale's."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=16, max=_MOST_TOKENS, help="Longest answer, in tokens.")] = 1024,
    store: options.Store = options.DEFAULT_STORE,
    env_file: options.EnvFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print the analysis as JSON and nothing else.")] = False,
) -> None:
    """Let a language model explain a stored run of a vLLM server: what it says, likely causes, what to try next.

    The summarised result is sent, without secrets, prompts or answers (docs/analysis.md); the answer is stored with the
    run. It is display and no verdict: figures in it that are not in the result are named.

    Exit code: 0 written, 2 not a run that can be analysed, 5 the server that writes cannot be used or broke off.

    Example: llmload analyze latest --lang ko

    Example: llmload analyze latest --analyst-url http://localhost:8001 --api-key-env ANALYST_KEY
    """
    from llmload.cli.writing import Session
    from llmload.cli.written import Screen
    from llmload.target.analyst import Limits

    language = str(options.language(lang, os.environ))
    order = _Order(run, analyst_url, api_key_env, language, options.environment(env_file), store)
    result, limits = _result(order), Limits(max_tokens=max_tokens)
    session = Session(result, store, language, order.env, limits)
    screen = None if json else Screen()
    written = session.write(lambda: _endpoint(result, order, limits), analyst_model, screen)
    if json:
        session.print_json(written)
    else:
        session.print_facts(written)
    session.raise_broken(written)


def _result(order: _Order) -> RunResult:
    """The run as it is judged; the verb ends here where it is none that can be analysed."""
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    with open_existing(order.store) as opened:
        run_id = opened.find(order.run)
        stored = opened.load(run_id)
        result = judged(opened, run_id)
    if _framework_of(result) != "vllm":
        print(ONLY_VLLM[order.language], file=sys.stderr)
        raise typer.Exit(2)
    if stored.status == "running":
        raise UsageError(f"run {run_id}", "it is still going on", "Wait for its end, then analyse it")
    if not any(step.metrics.attempts for step in result.steps):
        raise UsageError(f"run {run_id}", "nothing was measured, so there is nothing to explain", "`llmload show` it")
    return result


def _framework_of(result: RunResult) -> str:
    """The framework of the server that was measured, or was to be where it was never reached."""
    from llmload.scenario.loader import load_resolved

    return result.target.framework if result.target else load_resolved(result.header.resolved).target.framework


def _endpoint(result: RunResult, order: _Order, limits: Limits) -> Endpoint:
    """Who is asked. The key of the run's server goes to that server only, and unasked to none but this machine."""
    from llmload.scenario.asked import SecretRef
    from llmload.scenario.loader import load_resolved
    from llmload.scenario.secrets import read_secret, scrub_url
    from llmload.target.analyst import analyst_endpoint

    key = None if order.key_env is None else SecretRef(env=order.key_env)
    if order.url is not None:
        secret = None if key is None else read_secret(key, order.env)
        return analyst_endpoint(_checked(order.url), secret, order.env, limits=limits)
    where = f"run {result.header.run_id}"
    if result.is_imported:
        raise UsageError(where, "it was imported, so how to reach its server is not known", _URL)
    target = load_resolved(result.header.resolved).target
    url = _own_url(where, target.place)
    key = key or _own_key(where, url, target.api_key)
    secret = None if key is None else read_secret(key, order.env)
    if key is not None:
        print(f"llmload: the key in {_place_of(key)} is sent to {plain(scrub_url(url))}", file=sys.stderr, flush=True)
    return analyst_endpoint(url, secret, order.env, target=target, limits=limits)


def _own_key(where: str, url: str, key: SecretRef | None) -> SecretRef | None:
    """The key that the run names, where its server is on this machine; UsageError where it is elsewhere.

    A store may come from anyone, and name any variable or file, and any address to send it to.
    """
    from llmload.load.node import is_loopback
    from llmload.scenario.secrets import scrub_url

    if key is None or is_loopback(url):
        return key
    problem = (
        f"its server is {plain(scrub_url(url))}, not this machine, and a store may come from anyone: the key in"
        f" {_place_of(key)}, which it names, is not sent there unasked"
    )
    remedy = "If you trust that address, name the variable of its key yourself: --api-key-env NAME"
    raise UsageError(where, problem, remedy)


def _place_of(key: SecretRef) -> str:
    return plain(f"${key.env}" if key.env else f"the file {key.file}")


def _own_url(where: str, place: object) -> str:
    """The address of the run's server, which a store keeps without secrets; UsageError where it cannot be asked."""
    from llmload.scenario.asked import Launch, ServerUrl
    from llmload.scenario.secrets import MASK

    if isinstance(place, Launch):
        problem = "its server was started for the run and stopped behind it"
        raise UsageError(where, problem, "Start it again by hand and name it: --analyst-url http://host:8000")
    if not isinstance(place, ServerUrl):
        raise UsageError(where, "it was measured on the embedded simulator, which has no model that could write", _URL)
    if MASK in place.url:
        problem = "the address of its server has secrets in it, which no store keeps"
        raise UsageError(where, problem, "Name it again: --analyst-url http://host:8000")
    return place.url


def _checked(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError("--analyst-url", "this is no URL of a server", "Write it like http://host:8000")
    return url
