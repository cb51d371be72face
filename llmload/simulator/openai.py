"""The OpenAI protocol as vLLM speaks it: what a request asks for, and why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from llmload.simulator import openai_contents
from llmload.simulator.images import part_text
from llmload.simulator.openai_contents import Content, ContentStream
from llmload.simulator.openai_stream import ContinuousStream, Kind, OpenAIStream, write_page
from llmload.simulator.protocol import Answer, Api, Asked, Page, Pages, RefusedError, Served, Stream, page_of
from llmload.simulator.tokens import chat_tokens, tokens_of

_DEFAULT_LIMIT = 16
"""Of completions; a chat may fill the rest of the context."""


@dataclass(frozen=True, slots=True)
class OpenAIApi:
    """Chat or completions."""

    kind: Kind

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how vLLM would refuse it."""
        document = read_object(body)
        refuse_fields(document, served)
        check_model(document, served)
        tokens = prompt_tokens(self.kind, document)
        if not tokens:
            raise bad_request("the prompt is empty", "prompt")
        if whole_number(document, "n", 1) != 1:
            raise bad_request("the simulator gives one answer for each request: n must be 1", "n")
        limit = _limit(self.kind, document, len(tokens), served.context)
        minimum = whole_number(document, "min_tokens", 0)
        if minimum > limit:
            raise bad_request(f"min_tokens must be less than or equal to max_tokens={limit}, got {minimum}.")
        options = document.get("stream_options") or {}
        if not isinstance(options, dict):
            raise bad_request("stream_options must be an object", "stream_options")
        content = content_of(document, served) if self.kind is Kind.CHAT else Content()
        page, stream = self._writers(content, served.model, options)
        return Asked(
            tokens,
            limit,
            page=page,
            stream=stream if document.get("stream") is True else None,
            minimum=minimum,
            ignore_eos=document.get("ignore_eos") is True,
        )

    def _writers(
        self, content: Content, model: str, options: Mapping[str, object]
    ) -> tuple[Callable[[Answer], Page], Callable[[Answer], Stream]]:
        """What writes the answer in one piece, and what streams it."""
        tells_usage = options.get("include_usage") is True
        if not content.is_words_alone:
            page = partial(openai_contents.write_page, content, model)
            return page, partial(ContentStream, content, model, tells_usage=tells_usage)
        is_continuous = options.get("continuous_usage_stats") is True
        kind = ContinuousStream if is_continuous else OpenAIStream
        return partial(write_page, self.kind, model), partial(kind, self.kind, model, tells_usage=tells_usage)

    def failure(self, status: int, message: str) -> Page:
        """VLLM's 500, with any status."""
        return _error(status, "InternalServerError", message)


def apis(_served: Served) -> Mapping[str, Api]:
    """The paths that generate."""
    return {"/v1/chat/completions": OpenAIApi(Kind.CHAT), "/v1/completions": OpenAIApi(Kind.COMPLETIONS)}


def pages(served: Served) -> Pages:
    """The model."""
    model = {
        "id": served.model,
        "object": "model",
        "created": served.started_s,
        "owned_by": "llmload-simulator",
        "root": served.model,
        "parent": None,
        "max_model_len": served.context,
    }
    return {("GET", "/v1/models"): page_of({"object": "list", "data": [model]})}


def _error(status: int, kind: str, message: str, param: str | None = None) -> Page:
    """VLLM's error shape."""
    told = {"message": message, "type": kind, "param": param, "code": status}
    return Page(status, orjson.dumps({"error": told}))


def bad_request(message: str, param: str | None = None) -> RefusedError:
    """VLLM's 400."""
    return RefusedError(_error(400, "BadRequestError", message, param))


def read_object(body: bytes) -> dict[str, object]:
    """The JSON object of a body; refused with vLLM's words otherwise."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = (
            f"1 validation error:\n  {{'type': 'json_invalid', 'loc': 'body.{error.pos}', 'msg': 'JSON decode error'}}"
        )
        raise RefusedError(_error(400, "Bad Request", message, f"body.{error.pos}")) from None
    if not isinstance(document, dict):
        raise RefusedError(_error(400, "Bad Request", "1 validation error: body is not an object", "body"))
    return document


def refuse_fields(document: dict[str, object], served: Served) -> None:
    """422 for fields that this server was told not to know, in FastAPI's shape."""
    unknown = [name for name in served.refuse_fields if name in document]
    if unknown:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in unknown
        ]
        raise RefusedError(Page(422, orjson.dumps({"detail": detail})))


def check_model(document: dict[str, object], served: Served) -> None:
    """404 for another model; naming none is naming ours, as in vLLM."""
    model = document.get("model")
    if model is not None and model not in (served.model, *served.aliases):
        message = f"The model `{model}` does not exist. Valid aliases: {served.model}."
        raise RefusedError(_error(404, "NotFoundError", message, "model"))


def prompt_tokens(kind: Kind, document: dict[str, object]) -> list[str]:
    """The tokens of a prompt or of a list of messages."""
    if kind is Kind.CHAT:
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
    offered = [("system", orjson.dumps(tools).decode())] if (tools := _tools(document)) else []
    return chat_tokens([*offered, *map(_message, messages)], asks_for_answer=asks)


def _tools(document: Mapping[str, object]) -> list[object]:
    tools = document.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list) or any(_name_of(tool) is None for tool in tools):
        raise bad_request("tools must be a list of functions with a name", "tools")
    return tools


def _name_of(tool: object) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def content_of(document: Mapping[str, object], served: Served) -> Content:
    """What the answer is made of: a tool is called where the request leaves no choice, never by the model's own."""
    names, choice = [_name_of(tool) for tool in _tools(document)], document.get("tool_choice")
    if choice in (None, "none", "auto"):
        return Content(served.reasoning_tokens)
    if not names:
        raise bad_request("When using `tool_choice`, `tools` must be set.", "tool_choice")
    wanted = names[0] if choice == "required" else _name_of(choice)
    if wanted not in names:
        raise bad_request("The tool specified in `tool_choice` does not match any of the specified `tools`")
    return Content(served.reasoning_tokens, wanted)


def _message(message: object) -> tuple[str, str]:
    """(role, text); a list of parts counts its texts and images."""
    if not isinstance(message, dict) or not isinstance(role := message.get("role"), str):
        raise bad_request("a message must be an object with a role", "messages")
    content = message.get("content")
    if content is None and isinstance(calls := message.get("tool_calls"), list):
        return role, orjson.dumps(calls).decode()
    if isinstance(content, str) or content is None:
        return role, content or ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        try:
            return role, " ".join(map(part_text, content))
        except ValueError as error:
            raise bad_request(str(error), "messages") from None
    raise bad_request("the content of a message must be a text or a list of parts", "messages")


def _limit(kind: Kind, document: dict[str, object], prompt: int, room: int) -> int:
    """How many tokens the answer may have; the messages are vLLM's."""
    name = "max_completion_tokens" if document.get("max_completion_tokens") is not None else "max_tokens"
    default = _DEFAULT_LIMIT if kind is Kind.COMPLETIONS else None
    limit = whole_number(document, name, min(default, room) if default is not None else max(1, room - prompt))
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


def whole_number(document: dict[str, object], name: str, default: int) -> int:
    """A whole number, or `default` where it is absent or null; refused with vLLM's words otherwise."""
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not int:
        raise bad_request(f"{name} must be a whole number", name)
    return value
