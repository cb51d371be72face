"""How the server was started is asked before the load, within bounds, and no answer is no failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from llmload.endpoint import Endpoint
from llmload.frameworks import openai
from llmload.frameworks.adapter import Question, Replies
from llmload.target import verification
from llmload.target.verification import read_settings
from tests.target.openai_server import Answer, Script, as_json, serving


@dataclass(frozen=True)
class Settings:
    size: int = 1
    method: str = "none"


def an_endpoint(url: str) -> Endpoint:
    return Endpoint(url, "openai", "chat", "a model", stream=True, sampling={})


def an_adapter(read: Callable[[Replies], Mapping[str, object]]):
    asked = (Question("/settings/{model}"), Question("/more", b"{}"))
    return replace(openai.ADAPTER, settings=Settings, questions=asked, read_actual=read)


def merged(replies: Replies) -> Mapping[str, object]:
    return {name: value for body in replies.values() for name, value in json.loads(body).items()}


def test_the_settings_are_asked_for_by_get_and_post_with_the_name_of_the_model() -> None:
    script = Script({"/settings/a%20model": as_json({"size": "8"}), "/more": as_json({"method": "fp8", "other": 1})})
    with serving(script):
        assert read_settings(an_adapter(merged), an_endpoint(script.url)) == {"size": 8, "method": "fp8"}
    assert [each.path for each in script.seen] == ["/settings/a%20model", "/more"]


@pytest.mark.parametrize(
    "more", [Answer(404), Answer(500, b"oops"), Answer(403), Answer(body=b"{}", cut=True)], ids=str
)
def test_a_question_that_is_not_answered_leaves_the_others(more: Answer) -> None:
    script = Script({"/settings/a%20model": as_json({"size": 8}), "/more": more})
    with serving(script):
        assert read_settings(an_adapter(merged), an_endpoint(script.url)) == {"size": 8}


def test_a_server_that_tells_nothing_is_no_failure() -> None:
    with serving(Script()) as script:
        assert read_settings(an_adapter(merged), an_endpoint(script.url)) == {}
    assert read_settings(an_adapter(merged), an_endpoint("http://127.0.0.1:1")) == {}


def test_an_adapter_that_trips_over_a_reply_is_no_failure_but_told(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script({"/more": as_json([1])})
    with serving(script):
        assert read_settings(an_adapter(merged), an_endpoint(script.url)) == {}
    assert "could not be read" in capsys.readouterr().out


def test_words_of_the_server_are_scrubbed_bounded_and_in_one_line() -> None:
    endpoint = Endpoint("", "openai", "chat", "m", stream=True, sampling={}, headers=(("x-key", "sesame-open"),))
    script = Script({"/more": as_json({"method": "sesame-open\n\x1b[2J " + "x" * 1000})})
    with serving(script):
        told = read_settings(an_adapter(merged), replace(endpoint, url=script.url))["method"]
    assert isinstance(told, str)
    assert "sesame" not in told
    assert told.isprintable()
    assert len(told) <= 200


def test_a_server_that_answers_slowly_is_left_alone_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "LONGEST_S", 0.2)

    def slow(_: object) -> Answer:
        time.sleep(3)
        return as_json({"size": 8})

    script = Script({"/settings/a%20model": slow, "/more": as_json({"method": "fp8"})})
    with serving(script):
        assert read_settings(an_adapter(merged), an_endpoint(script.url)) == {"method": "fp8"}
