"""Rows that offer tools, call them, and tell what they answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.endpoint import Endpoint
from llmload.errors import DataFileError, LlmloadError
from llmload.frameworks.registry import REGISTRY
from llmload.planned import PlannedRequest
from llmload.scenario.corpus import Reading
from llmload.scenario.loader import load
from llmload.scenario.prompt_rows import BadRowError, Row, row_reader
from tests.scenario.prompt_files import ANSWER, USER, corpus, openai, rows, written

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"in": "Jeju"}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOLD = {"role": "tool", "tool_call_id": "call-1", "content": "23 °C"}
NAMED = {"type": "function", "function": {"name": "weather"}}
SCHEMA = {"type": "object", "properties": {"sky": {"enum": ["blue", None]}}}
FORM = {"type": "json_schema", "json_schema": {"name": "sky", "schema": SCHEMA}}
TOOL_CHARACTERS = len(orjson.dumps([TOOL]))


@pytest.mark.parametrize(
    ("text", "row"),
    [
        pytest.param(
            openai(USER, tools=[TOOL]),
            Row(USER["content"], (), 0, 20 + TOOL_CHARACTERS, {"tools": [TOOL]}),
            id="tools, as they are written",
        ),
        pytest.param(
            openai(USER, tools=[TOOL], tool_choice=NAMED, parallel_tool_calls=False),
            Row(
                USER["content"],
                (),
                0,
                20 + TOOL_CHARACTERS,
                {"tools": [TOOL], "tool_choice": NAMED, "parallel_tool_calls": False},
            ),
            id="which tool",
        ),
        pytest.param(
            openai(USER, response_format=FORM), Row(USER["content"], (), 0, 20, {"response_format": FORM}), id="a form"
        ),
        pytest.param(openai(USER, tools=[], tool_choice=None), Row(USER["content"], (), 0, 20), id="no tools"),
        pytest.param(
            openai(USER, CALLING, TOLD),
            Row("", (USER, CALLING, TOLD), 0, 20 + len('weather{"in": "Jeju"}') + 5),
            id="what a tool told is answered",
        ),
        pytest.param(
            openai(USER, CALLING, TOLD, ANSWER),
            Row("", (USER, CALLING, TOLD), 8, 20 + len('weather{"in": "Jeju"}') + 5),
            id="as long as the recorded answer",
        ),
        pytest.param(openai(USER, CALLING), Row(USER["content"], (), 6, 20), id="as long as the recorded call"),
    ],
)
def test_a_row_asks_what_is_written(text: str, row: Row, tmp_path: Path) -> None:
    assert rows(corpus(written(tmp_path, "a.jsonl", text), "openai")) == [row]


def test_arguments_that_are_an_object_are_sent_as_the_text_that_servers_want(tmp_path: Path) -> None:
    written_so = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}
    told = {"role": "tool", "tool_call_id": "a", "content": "2"}
    (row,) = rows(corpus(written(tmp_path, "a.jsonl", openai(USER, written_so, told)), "openai"))
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    assert row.messages[1] == {"role": "assistant", "content": None, "tool_calls": [call]}


def calling(**changes: object) -> str:
    """A row whose assistant makes one call that differs from a good one."""
    return openai(USER, {**CALLING, "tool_calls": [{**CALL, **changes}]}, TOLD)


NESTED_DEEPLY = json.loads('{"items":' * 300 + "1" + "}" * 300)
BAD = [
    pytest.param(openai(USER, tools={"a": 1}), "tools is {'a': 1}, not a list", id="tools that are no list"),
    pytest.param(openai(USER, tools=["weather"]), "tool 1 is no function; write", id="a tool that is a text"),
    pytest.param(openai(USER, tools=[TOOL, {"type": "function"}]), "tool 2 is no function", id="no function"),
    pytest.param(openai(USER, tools=[{**TOOL, "function": {}}]), "tool 1 has the name missing", id="no name"),
    pytest.param(
        openai(USER, tools=[{**TOOL, "function": {"name": "f", "parameters": []}}]),
        "tool 1 ('f') has parameters that are no JSON schema",
        id="parameters that are no schema",
    ),
    pytest.param(openai(USER, functions=[{"name": "f"}]), "functions is an older way", id="functions"),
    pytest.param(openai(USER, tool_choice="auto"), "tool_choice without tools", id="a choice of nothing"),
    pytest.param(openai(USER, tools=[TOOL], tool_choice="any"), "tool_choice is 'any', not none", id="another choice"),
    pytest.param(
        openai(USER, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}}),
        "tool_choice names 'f', which is none of the row's tools",
        id="a tool that is not there",
    ),
    pytest.param(
        openai(USER, tools=[TOOL], parallel_tool_calls="no"), "parallel_tool_calls is 'no', not true", id="a text"
    ),
    pytest.param(openai(USER, response_format="json"), "response_format is 'json', not an object", id="a bare form"),
    pytest.param(openai(USER, response_format={"type": "json_schema"}), "a json_schema without one", id="no schema"),
    pytest.param(
        openai({**USER, "tool_calls": [CALL]}), "message 1 calls tools, and only an assistant", id="a user who calls"
    ),
    pytest.param(openai(USER, {**CALLING, "tool_calls": {}}, TOLD), "message 2 has tool_calls that are no", id="calls"),
    pytest.param(calling(id=3), "message 2, call 1 has the id 3, not a text", id="an id that is a number"),
    pytest.param(calling(function=None), "message 2, call 1 has no function", id="a call of nothing"),
    pytest.param(
        calling(function={"name": "f", "arguments": "{"}), "the arguments '{', which are no JSON object", id="arguments"
    ),
    pytest.param(calling(function={"name": "f", "arguments": "[1]"}), "which are no JSON object", id="a list"),
    pytest.param(calling(function={"name": "f"}), "the arguments missing", id="no arguments"),
    pytest.param(openai(USER, {"role": "assistant", "function_call": {"name": "f"}}, USER), "older way", id="old call"),
    pytest.param(openai(USER, TOLD), "the tool call 'call-1', which no message before it makes", id="unasked"),
    pytest.param(openai(USER, CALLING, {**TOLD, "tool_call_id": 1}), "tool_call_id 1, not a text", id="a number as id"),
    pytest.param(openai(USER, CALLING, {**TOLD, "content": None}), "message 3 has no text", id="a tool with nothing"),
    pytest.param(openai(USER, {"role": "function", "content": "2"}), "has the role 'function', and roles", id="role"),
    pytest.param(
        openai(USER, response_format={"type": "json_schema", "json_schema": NESTED_DEEPLY}),
        "nested deeper than 250 levels",
        id="deeper than anybody can write",
    ),
]


@pytest.mark.parametrize(("text", "problem"), BAD)
def test_a_bad_row_is_told_at_its_line(text: str, problem: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", openai(USER) + "\n" + text)
    with pytest.raises(DataFileError) as caught:
        corpus(path, "openai")
    assert str(caught.value).startswith(f"{path}:3: ")
    assert problem in str(caught.value)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "function", "name", "parameters", "id", "arguments", "role", "content"]), inner
        )
    ),
    max_leaves=8,
)


@given(tools=_ANYTHING, choice=_ANYTHING, form=_ANYTHING, calls=_ANYTHING)
def test_whatever_a_row_holds_is_read_or_refused(tools: object, choice: object, form: object, calls: object) -> None:
    row = {
        "messages": [USER, {"role": "assistant", "content": "x", "tool_calls": calls}, USER],
        "tools": tools,
        "tool_choice": choice,
        "response_format": form,
    }
    try:
        read = row_reader(Reading("a.jsonl", "openai"))(json.dumps(row).encode())
    except BadRowError:
        return
    assert orjson.loads(orjson.dumps(read.fields)) == read.fields


_TEXTS = st.sampled_from(["", " ", "\n\t", "\u3000", "a word", "날씨", "a" * 9])
_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "robot", None, ["user"]])},
    optional={"content": _TEXTS | st.just([{"type": "text", "text": "part"}]) | st.none()},
)


@given(
    messages=st.lists(_MESSAGES, max_size=4),
    beside=st.sampled_from([{}, {"max_tokens": 7}, {"max_tokens": "7"}, {"tools": [TOOL]}, {"id": "x"}]),
)
def test_plain_texts_are_read_the_short_way_as_they_would_be_the_long_one(
    messages: list[dict[str, object]], beside: dict[str, object]
) -> None:
    noted = [message | {"note": None} for message in messages]  # what no server is sent, and nobody reads
    whole = [read_or_refused({"messages": messages, **beside}), read_or_refused(messages)]
    assert whole == [read_or_refused({"messages": noted, **beside}), read_or_refused(noted)]


def read_or_refused(row: object) -> Row | str:
    """What a row asks, or why it cannot be asked."""
    try:
        return row_reader(Reading("a.jsonl", "openai"))(orjson.dumps(row))
    except BadRowError as error:
        return str(error)


# ---------------------------------------------------------------- on the wire


def sent(framework: str, api: str, row: Row, **sampling: object) -> Mapping[str, object]:
    """The body of the request that a row becomes."""
    request = PlannedRequest(0, row.prompt, None, 9, row.messages, fields=row.fields)
    endpoint = Endpoint("http://127.0.0.1:1", framework, api, "m", stream=True, sampling=sampling)
    document: Mapping[str, object] = orjson.loads(REGISTRY[framework].dialects[api].body(endpoint, request))
    return document


ROW = Row("", (USER, CALLING, TOLD), 0, 0, {"tools": [TOOL], "tool_choice": "required", "response_format": FORM})


@pytest.mark.parametrize("framework", ["openai", "vllm", "sglang", "lmdeploy"])
def test_tools_reach_every_server_that_speaks_as_openai_does(framework: str) -> None:
    body = sent(framework, "chat", ROW, tools=[], response_format=None, temperature=0)
    assert body["messages"] == [USER, CALLING, TOLD]
    assert {name: body[name] for name in ROW.fields} == ROW.fields  # what the row asks wins over sampling
    assert body["temperature"] == 0


@pytest.mark.parametrize(
    ("form", "told"),
    [
        pytest.param(FORM, SCHEMA, id="a schema"),
        pytest.param({"type": "json_object"}, "json", id="any JSON"),
        pytest.param({"type": "json_object", "schema": SCHEMA}, SCHEMA, id="llama.cpp's place for a schema"),
        pytest.param({"type": "text"}, None, id="no form"),
    ],
)
def test_ollama_has_shapes_of_its_own_for_tools(form: Mapping[str, object], told: object) -> None:
    body = sent("ollama", "chat", ROW._replace(fields={"tools": [TOOL], "response_format": form}))
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "weather", "arguments": {"in": "Jeju"}}}],
    }
    assert body["messages"] == [USER, called, {"role": "tool", "content": "23 °C", "tool_name": "weather"}]
    assert (body["tools"], body["format"]) == ([TOOL], told)


SCENARIO = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: tools}}
spec:
  target: {{url: "http://127.0.0.1:1", framework: {framework}, model: m, api: {api}}}
  workload:
    prompts:
      file: {{path: rows.jsonl, format: openai, reuse: true}}
  load: {{concurrency: [1]}}
"""


@pytest.mark.parametrize(
    ("framework", "api", "text", "problem"),
    [
        pytest.param("vllm", "chat", openai(USER, tools=[TOOL], response_format=FORM), None, id="chat takes all"),
        pytest.param("vllm", "completions", openai(USER, tools=[TOOL]), ":1 has tools", id="no conversation"),
        pytest.param("ollama", "chat", openai(USER, tools=[TOOL]), None, id="Ollama's chat takes tools"),
        pytest.param(
            "ollama",
            "chat",
            openai(USER) + openai(USER, tools=[TOOL], tool_choice="none"),
            ":2 has tool_choice",
            id="Ollama chooses",
        ),
        pytest.param("sglang", "generate", openai(USER, response_format=FORM), ":1 has response_format", id="generate"),
        pytest.param("triton", "generate", openai(USER, tools=[TOOL]), ":1 has tools", id="Triton"),
    ],
)
def test_an_api_that_has_no_place_for_it_is_named_before_anything_is_sent(
    framework: str, api: str, text: str, problem: str | None, tmp_path: Path
) -> None:
    written(tmp_path, "rows.jsonl", text)
    path = written(tmp_path, "a.yaml", SCENARIO.format(framework=framework, api=api))
    if problem is None:
        load(Path(path), env={})
        return
    with pytest.raises(LlmloadError) as caught:
        load(Path(path), env={})
    assert problem in str(caught.value)
    assert ":8:20: " in str(caught.value)


NESTED = {
    "response_format": FORM,
    "guided_json": SCHEMA,
    "tools": [TOOL],
    "tool_choice": NAMED,
    "chat_template_kwargs": {"enable_thinking": False},
}


@pytest.mark.parametrize(
    ("framework", "api", "taken"),
    [
        *(
            pytest.param(name, "chat", set(NESTED), id=f"{name} chat")
            for name in ("openai", "vllm", "sglang", "lmdeploy")
        ),
        pytest.param("vllm", "completions", set(NESTED) - {"tools", "tool_choice"}, id="vllm completions"),
        pytest.param("lmdeploy", "completions", set(NESTED) - {"tools", "tool_choice"}, id="lmdeploy completions"),
        pytest.param("ollama", "openai", {"response_format", "tools"}, id="Ollama's OpenAI path"),
        pytest.param("ollama", "chat", {"tools"}, id="ollama chat, whose word is format"),
        pytest.param("ollama", "generate", set(), id="ollama generate"),
        pytest.param("sglang", "generate", {"guided_json", "chat_template_kwargs"}, id="sglang generate"),
    ],
)
def test_options_of_structured_output_are_sent_as_written_or_named(framework: str, api: str, taken: set[str]) -> None:
    """What an API has no place for is told by the probe, before any load (`unknown_sampling`)."""
    dialect = REGISTRY[framework].dialects[api]
    endpoint = Endpoint("http://127.0.0.1:1", framework, api, "m", stream=True, sampling=NESTED)
    assert set(dialect.unknown_sampling(endpoint)) == set(NESTED) - taken
    body = sent(framework, api, Row("say it", (), 0, 0), **{name: NESTED[name] for name in taken})
    nested = body["sampling_params"] if api == "generate" and framework == "sglang" else body
    assert isinstance(nested, Mapping)
    assert {name: nested[name] for name in taken} == {name: NESTED[name] for name in taken}
