"""Tools in rows of OpenAI messages: those that a row offers, the calls of an assistant, and what tools told.

The shapes are those of OpenAI's chat API ("Function calling", "Structured outputs"); servers get them as they are
written, so that a row which a server would refuse is told at its line instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import orjson

from llmload.scenario.bad_row import BadRowError, shown

_NEED_TOOLS = ("tool_choice", "parallel_tool_calls")
_FIELDS = ("tools", *_NEED_TOOLS, "response_format")
_ASKED = frozenset(("functions", *_FIELDS))
_CHOICES = ("none", "auto", "required")
_FUNCTION = '{"type": "function", "function": {"name": "...", "parameters": {...}}}'


def request_fields(row: Mapping[str, object]) -> Mapping[str, object]:
    """What a row asks beside its messages, as it is sent; BadRowError where a server would refuse it."""
    if _ASKED.isdisjoint(row):
        return {}
    if row.get("functions"):
        raise BadRowError(f"functions is an older way to offer tools; write tools: [{_FUNCTION}]")
    names = _tool_names(row.get("tools"))
    for name in _NEED_TOOLS:
        if row.get(name) is not None and not names:
            raise BadRowError(f"{name} without tools")
    _check_choice(row.get("tool_choice"), names)
    if not isinstance(row.get("parallel_tool_calls"), bool | None):
        raise BadRowError(f"parallel_tool_calls is {shown(row['parallel_tool_calls'])}, not true or false")
    _check_format(row.get("response_format"))
    return {name: row[name] for name in _FIELDS if row.get(name) not in (None, [])}


def _tool_names(tools: object) -> Sequence[str]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise BadRowError(f"tools is {shown(tools)}, not a list")
    return [_tool_name(tool, f"tool {place}") for place, tool in enumerate(tools, start=1)]


def _tool_name(tool: object, where: str) -> str:
    if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
        raise BadRowError(f"{where} is no function; write {_FUNCTION}")
    function = tool["function"]
    if not isinstance(name := function.get("name"), str) or not name:
        raise BadRowError(f"{where} has the name {shown(name)}, not a text")
    if not isinstance(function.get("parameters"), dict | None):
        raise BadRowError(f"{where} ({shown(name)}) has parameters that are no JSON schema (an object)")
    return name


def _check_choice(choice: object, names: Sequence[str]) -> None:
    if choice is None or (isinstance(choice, str) and choice in _CHOICES):
        return
    named = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if not isinstance(named, dict):
        choices = ", ".join(_CHOICES)
        raise BadRowError(f"tool_choice is {shown(choice)}, not {choices} or a function by its name")
    if named.get("name") not in names:
        raise BadRowError(f"tool_choice names {shown(named.get('name'))}, which is none of the row's tools")


def _check_format(wanted: object) -> None:
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or not isinstance(kind, str):
        raise BadRowError(f'response_format is {shown(wanted)}, not an object like {{"type": "json_object"}}')
    if kind == "json_schema" and not any(isinstance(wanted.get(name), dict) for name in ("json_schema", "schema")):
        raise BadRowError("response_format is a json_schema without one")


def called(message: Mapping[str, object], where: str) -> list[Mapping[str, object]]:
    """The calls that an assistant's message makes, as they are sent; BadRowError where one cannot be."""
    if message.get("function_call"):
        raise BadRowError(f"{where} has a function_call, an older way to call a tool; write tool_calls")
    calls = message.get("tool_calls")
    if calls is None or calls == []:
        return []
    if not isinstance(calls, list):
        raise BadRowError(f"{where} has tool_calls that are no list")
    if message.get("role") != "assistant":
        raise BadRowError(f"{where} calls tools, and only an assistant does")
    return [_call(call, f"{where}, call {place}") for place, call in enumerate(calls, start=1)]


def _call(call: object, where: str) -> Mapping[str, object]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise BadRowError(f"{where} has no function")
    for owner, name in ((call, "id"), (function, "name")):
        if not isinstance(owner.get(name), str) or not owner[name]:
            raise BadRowError(f"{where} has the {name} {shown(owner.get(name))}, not a text")
    arguments = _arguments(function.get("arguments"), where)
    return {"id": call["id"], "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def _arguments(written: object, where: str) -> str:
    """JSON in a text, as OpenAI has it; some published files have the object itself."""
    if isinstance(written, dict):
        return orjson.dumps(written).decode()
    try:
        is_object = isinstance(written, str) and isinstance(orjson.loads(written or "{}"), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if not isinstance(written, str) or not is_object:
        raise BadRowError(f"{where} has the arguments {shown(written)}, which are no JSON object")
    return written


def check_answered(messages: Sequence[Mapping[str, object]]) -> None:
    """BadRowError where a tool tells what nobody asked before: servers refuse it, or their templates do."""
    asked: set[object] = set()
    for place, message in enumerate(messages, start=1):
        asked |= {call["id"] for call in calls_of(message)}
        if message["role"] == "tool" and message["tool_call_id"] not in asked:
            known = shown(message["tool_call_id"])
            raise BadRowError(f"message {place} is of the tool call {known}, which no message before it makes")


def calls_of(message: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """The calls of a message that was read."""
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else ()


def call_text(message: Mapping[str, object]) -> str:
    """Names and arguments of the calls of a message, as the model wrote them."""
    return "".join(_call_words(message))


def _call_words(message: Mapping[str, object]) -> Iterator[str]:
    for call in calls_of(message):
        function = call["function"]
        if isinstance(function, Mapping):
            yield f"{function['name']}{function['arguments']}"


def characters_of(fields: Mapping[str, object]) -> int:
    """Of the tools that a request offers: templates write them into the prompt, as JSON."""
    return len(orjson.dumps(fields["tools"]).decode()) if "tools" in fields else 0
