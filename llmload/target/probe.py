"""What is this server, and can the load be sent to it? A few unmeasured requests answer both before planning."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace

from llmload.domain import TargetFacts, TokenFit
from llmload.endpoint import Endpoint
from llmload.errors import LlmloadError, TargetError
from llmload.frameworks.adapter import Adapter, ServedModel
from llmload.frameworks.plugins import offers, owner_of
from llmload.frameworks.registry import REGISTRY, adapter_for, dialect_for
from llmload.planned import LongestConversation, PlannedRequest, Room
from llmload.scenario.asked import Target
from llmload.scenario.secrets import read_secret, scrub_url
from llmload.scenario.traffic import Workload
from llmload.target.fitting import ONE_WORD, fit_words
from llmload.target.models import ask, choose_model, list_models, read_version, wait_until_ready
from llmload.target.route import route_to, without_login
from llmload.target.server import connected
from llmload.target.trial import Refused, Trial, settle_sampling
from llmload.target.verification import read_settings
from llmload.workload.tokens import counter_for

Longest = PlannedRequest | LongestConversation | Room
"""What a server must have room for: lengths, or a request whose tokens only the server can count."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What was learnt, and where and how to send the load accordingly."""

    facts: TargetFacts
    endpoint: Endpoint


def probe(
    target: Target, url: str, *, workload: Workload, env: Mapping[str, str], longest: Longest | None = None
) -> Probed:
    """Ask the server at `url` who it is, fit our words to its tokens, and see that the `longest` request has room.

    TargetError, within the connect timeout when nothing listens: cannot be reached, is not ready, wants a key, does
    not serve the model, or cannot answer a plain request. UsageError: a secret or certificate file is missing, or the
    environment names a proxy that we cannot use.
    """
    try:
        return _probe(target, url, workload, env, longest)
    except LlmloadError:
        raise
    except Exception as error:
        if target.framework in REGISTRY:
            raise  # a defect of ours
        raise TargetError(
            scrub_url(url),
            f"the adapter of {target.framework} failed at what it said ({type(error).__name__})",
            f"Tell whoever wrote {owner_of(offers()[target.framework][0])}; no load was sent",
            kind="AdapterFailed",
        ) from error


def _probe(target: Target, url: str, workload: Workload, env: Mapping[str, str], longest: Longest | None) -> Probed:
    adapter = adapter_for(target.framework)
    endpoint = _endpoint(target, url, workload, env)
    with connected(endpoint) as server:
        wait_until_ready(server, adapter, target.timeouts.connect_s)
        served, software = list_models(server, adapter)
        model = choose_model(server, target.model, served)
        context = _context(endpoint, adapter, model)
        learnt = adapter.learn(ask(server, adapter.lessons, model.names[0]))
        endpoint, without = _without_unknown(replace(endpoint, model=model.names[0], learnt=learnt))
        asking = Trial(server, dialect_for(endpoint), endpoint)
        trial, answer, refused = settle_sampling(asking, ONE_WORD, adapter.optional_sampling)
        fit = fit_words(
            trial,
            answer.input_tokens,
            context,
            lambda: counter_for(trial.endpoint.model, workload.tokenizer_file),
        )
        if longest is not None:
            _check_context(trial, context, longest, fit)
        facts = TargetFacts(
            url=scrub_url(url),
            framework=target.framework,
            api=target.api,
            model=trial.endpoint.model,
            version=read_version(server, adapter, software),
            max_model_len=context,
            fit=fit,
            settings=_settings(target.settings),
            declared=target.declared,
            left_out=(*without, *refused),
            actual=read_settings(adapter, trial.endpoint),
        )
    return Probed(facts, trial.endpoint)


def _endpoint(target: Target, url: str, workload: Workload, env: Mapping[str, str]) -> Endpoint:
    bare_url, login = without_login(url)
    route = route_to(bare_url, target.transport, env)
    headers = list(target.headers)
    is_authorized = any(name.lower() == "authorization" for name, _ in headers)
    if target.api_key is not None and not is_authorized:
        headers.append(("Authorization", f"Bearer {read_secret(target.api_key, env)}"))
    elif login is not None and not is_authorized:
        headers.append(("Authorization", f"Basic {base64.b64encode(login).decode()}"))
    return Endpoint(
        url=bare_url,
        framework=target.framework,
        api=target.api,
        model=target.model or "",
        stream=workload.stream,
        sampling=workload.sampling,
        settings={name: value for name, value in _settings(target.settings).items() if name in target.declared},
        headers=tuple(headers),
        transport=route.transport,
        proxy=route.proxy,
        tls_verify=target.tls.verify,
        tls_ca_file=target.tls.ca_file,
        connect_timeout_s=target.timeouts.connect_s,
        first_token_timeout_s=target.timeouts.first_token_s,
        total_timeout_s=target.timeouts.total_s,
    )


def _without_unknown(endpoint: Endpoint) -> tuple[Endpoint, tuple[str, ...]]:
    """The endpoint without the sampling fields for which its API has no place, and their names."""
    unknown = dialect_for(endpoint).unknown_sampling(endpoint)
    kept = {name: value for name, value in endpoint.sampling.items() if name not in unknown}
    return replace(endpoint, sampling=kept), unknown


def _context(endpoint: Endpoint, adapter: Adapter, model: ServedModel) -> int | None:
    """The context in tokens: as declared where the declaration decides it, else as the server tells."""
    declared = endpoint.settings.get(adapter.context_setting) if adapter.context_setting else None
    return declared if isinstance(declared, int) else model.max_model_len


def _check_context(trial: Trial, max_model_len: int | None, longest: Longest, fit: TokenFit) -> None:
    """Refuse a workload whose longest request the server would refuse, since its failures would say nothing.

    How many tokens a text of a file has, nobody knows as well as the server: it is asked that very prompt.
    """
    answer = longest.output_tokens
    match longest:
        case Room(prompt, _, further_turns, sample):
            told: int | None = prompt + round(further_turns * fit.template)
            if sample is not None and (seen := _counted(trial, sample)) is not None:
                told = round(prompt + max(0.0, seen - fit.template - fit.per_word))
        case PlannedRequest():
            told = _counted(trial, longest)
        case LongestConversation(last, earlier):
            seen = _counted(trial, last)
            told = None if seen is None else seen + earlier
    if max_model_len is not None and told is not None and told + answer > max_model_len:
        raise TargetError(
            trial.server.name,
            f"its context is {max_model_len} tokens, and {_who(longest)} may ask for {told} in and {answer} out",
            f"{_shorter(longest)}, or serve with a longer context",
            kind="ContextTooShort",
        )


def _who(longest: Longest) -> str:
    match longest:
        case Room(further_turns=further) if further:
            turn = further + 1
        case LongestConversation(turns=turn):
            pass
        case _:
            return "requests"
    return f"turn {turn} of a conversation, which sends all that was said before,"


def _shorter(longest: Longest) -> str:
    if isinstance(longest, LongestConversation):
        return "Write fewer sessions.turns, or leave such rows out (prompts.file.max_characters)"
    if isinstance(longest, Room) and longest.further_turns:
        return "Write fewer sessions.turns, or shorten input_tokens or output_tokens"
    return "Shorten input_tokens or output_tokens (or drop such rows of a file)"


def _counted(trial: Trial, longest: PlannedRequest) -> int | None:
    """The server's own count of the longest prompt; TargetError where it does not take it."""
    answer = trial.send(longest)
    if isinstance(answer, Refused) and longest.has_images:
        raise TargetError(
            trial.server.name,
            f"it refuses a prompt with images with {answer.words}",
            "Serve a model that sees images, or send smaller or fewer ones",
            kind="ImagesRefused",
        )
    if isinstance(answer, Refused):
        raise TargetError(
            trial.server.name,
            f"it refuses the longest prompt of the file with {answer.words}",
            "Leave such rows out (prompts.file.max_characters), or serve with a longer context",
            kind="ContextTooShort",
        )
    return answer.input_tokens


def _settings(settings: object) -> Mapping[str, object]:
    return asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {}
