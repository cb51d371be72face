"""The OpenAI protocol as vLLM speaks it: what a request asks for, and why it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import orjson

from llmload.simulator.tokens import chat_tokens, tokens_of


class Api(Enum):
    """The two APIs: (id prefix, default of max_tokens; None = the rest of the context)."""

    CHAT = ("chatcmpl", None)
    COMPLETIONS = ("cmpl", 16)


class RefusedError(Exception):
    """A request that gets an error answer."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Rules:
    """What requests are held against."""

    model: str
    max_model_len: int
    refuse_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One valid request for an answer. `limit` is the most tokens of it, `minimum` the fewest."""

    api: Api
    tokens: list[str]
    limit: int
    minimum: int
    ignore_eos: bool
    stream: bool
    include_usage: bool
    continuous_usage: bool


def error_body(status: int, kind: str, message: str, param: str | None = None) -> bytes:
    """VLLM's error shape."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": status}})


def bad_request(message: str, param: str | None = None) -> RefusedError:
    """VLLM's 400."""
    return RefusedError(400, error_body(400, "BadRequestError", message, param))


def read_object(body: bytes) -> dict[str, object]:
    """The JSON object of a body; refused with vLLM's words otherwise."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = (
            f"1 validation error:\n  {{'type': 'json_invalid', 'loc': 'body.{error.pos}', 'msg': 'JSON decode error'}}"
        )
        raise RefusedError(400, error_body(400, "Bad Request", message, f"body.{error.pos}")) from None
    if not isinstance(document, dict):
        raise RefusedError(400, error_body(400, "Bad Request", "1 validation error: body is not an object", "body"))
    return document


def read(api: Api, body: bytes, rules: Rules) -> Asked:
    """What a request asks for; RefusedError says how a real server would refuse it."""
    document = read_object(body)
    refuse_fields(document, rules)
    check_model(document, rules)
    tokens = prompt_tokens(api, document)
    if not tokens:
        raise bad_request("the prompt is empty", "prompt")
    if _integer(document, "n", 1) != 1:
        raise bad_request("the simulator gives one answer for each request: n must be 1", "n")
    limit = _limit(api, document, len(tokens), rules)
    minimum = _integer(document, "min_tokens", 0)
    if minimum > limit:
        raise bad_request(f"min_tokens must be less than or equal to max_tokens={limit}, got {minimum}.")
    options = document.get("stream_options") or {}
    if not isinstance(options, dict):
        raise bad_request("stream_options must be an object", "stream_options")
    return Asked(
        api,
        tokens,
        limit,
        minimum,
        ignore_eos=document.get("ignore_eos") is True,
        stream=document.get("stream") is True,
        include_usage=options.get("include_usage") is True,
        continuous_usage=options.get("continuous_usage_stats") is True,
    )


def refuse_fields(document: dict[str, object], rules: Rules) -> None:
    """422 for fields that this server was told not to know, in FastAPI's shape."""
    unknown = [name for name in rules.refuse_fields if name in document]
    if unknown:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in unknown
        ]
        raise RefusedError(422, orjson.dumps({"detail": detail}))


def check_model(document: dict[str, object], rules: Rules) -> None:
    """404 for another model; naming none is naming ours, as in vLLM."""
    model = document.get("model")
    if model is not None and model != rules.model:
        message = f"The model `{model}` does not exist. Valid aliases: {rules.model}."
        raise RefusedError(404, error_body(404, "NotFoundError", message, "model"))


def prompt_tokens(api: Api, document: dict[str, object]) -> list[str]:
    """The tokens of a prompt or of a list of messages."""
    if api is Api.CHAT:
        return _message_tokens(document)
    prompt = document.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if isinstance(prompt, str):
        return tokens_of(prompt)
    if isinstance(prompt, list) and all(type(token) is int for token in prompt):
        return [str(token) for token in prompt]
    raise bad_request("prompt must be a text or a list of token ids", "prompt")


def _message_tokens(document: dict[str, object]) -> list[str]:
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages must be a list with at least one message", "messages")
    asks = document.get("add_generation_prompt") is not False
    return chat_tokens([_message(message) for message in messages], asks_for_answer=asks)


def _message(message: object) -> tuple[str, str]:
    """(role, text); a list of parts counts its texts."""
    if not isinstance(message, dict) or not isinstance(role := message.get("role"), str):
        raise bad_request("a message must be an object with a role", "messages")
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return role, content or ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return role, " ".join(text for part in content if isinstance(text := part.get("text"), str))
    raise bad_request("the content of a message must be a text or a list of parts", "messages")


def _limit(api: Api, document: dict[str, object], prompt: int, rules: Rules) -> int:
    """How many tokens the answer may have; the messages are vLLM's."""
    room = rules.max_model_len
    name = "max_completion_tokens" if document.get("max_completion_tokens") is not None else "max_tokens"
    default = api.value[1]
    limit = _integer(document, name, min(default, room) if default is not None else max(1, room - prompt))
    if limit < 1:
        raise bad_request(f"max_tokens must be at least 1, got {limit}. (parameter=max_tokens, value={limit})", name)
    if limit > room:
        message = f"max_tokens={limit} cannot be greater than max_model_len={room}. Please request fewer output tokens."
        raise bad_request(f"{message} (parameter=max_tokens, value={limit})", "max_tokens")
    if prompt + limit > room:
        message = (
            f"This model's maximum context length is {room} tokens. However, you requested {limit} output tokens and "
            f"your prompt contains {prompt} input tokens, for a total of {prompt + limit} tokens. Please reduce the "
            "length of the input prompt or the number of requested output tokens. "
            f"(parameter=input_tokens, value={prompt})"
        )
        raise bad_request(message, "input_tokens")
    return limit


def _integer(document: dict[str, object], name: str, default: int) -> int:
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not int:
        raise bad_request(f"{name} must be a whole number", name)
    return value
