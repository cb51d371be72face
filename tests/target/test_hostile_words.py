"""Whatever a server says is read without harm, and no secret is told."""

from __future__ import annotations

import base64
import json

import pytest

from llmload.errors import TargetError, UsageError
from llmload.scenario.asked import SecretRef
from llmload.target.probe import probe
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import Answer, as_json, healthy, serving

CHAT = "/v1/chat/completions"

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"data": {"id": 1}}', b'{"data": [1, null, {"id": ""}, {"id": 5}]}', b"\xff\xfe", b'"text"'],
    ids=["nested without end", "no list", "no models", "no text", "a string"],
)
def test_whatever_a_server_lists_is_read_without_harm(body: bytes) -> None:
    script = healthy()
    script.answers["/v1/models"] = Answer(body=body)
    with serving(script):
        target = a_target(script.url, model="tiny")
        assert probe(target, script.url, workload=a_workload(), env={}).facts.model == "tiny"


def test_the_key_is_sent_and_never_told() -> None:
    script = healthy()
    script.answers[CHAT] = as_json({"error": {"message": f"key {KEY} may not do this\x1b[31m"}}, 400)
    with serving(script):
        target = a_target(script.url, api_key=SecretRef(env="KEY"))
        with pytest.raises(TargetError) as caught:
            probe(target, script.url, workload=a_workload(), env={"KEY": KEY})
    assert {seen.headers["authorization"] for seen in script.seen} == {f"Bearer {KEY}"}
    assert KEY not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_version_is_cut_only_after_the_key_is_taken_out_of_it() -> None:
    script = healthy()
    script.answers["/version"] = as_json({"version": "v" * 75 + KEY})
    with serving(script):
        target = a_target(script.url, api_key=SecretRef(env="KEY"))
        facts = probe(target, script.url, workload=a_workload(), env={"KEY": KEY}).facts
    assert facts.version == "v" * 75 + "***"


def test_a_login_in_the_url_travels_as_a_header_and_is_never_told() -> None:
    with serving(healthy()) as script:
        url = script.url.replace("http://", "http://me:p%40ss@")
        probed = probe(a_target(url), url, workload=a_workload(), env={})
    login = base64.b64encode(b"me:p@ss").decode()
    assert {seen.headers["authorization"] for seen in script.seen} == {f"Basic {login}"}
    assert "@" not in probed.endpoint.url
    assert "p%40ss" not in json.dumps(probed.facts.url)


def test_headers_of_the_scenario_are_sent_and_an_authorization_of_its_own_wins() -> None:
    script = healthy()
    headers = (("X-Route", "canary"), ("authorization", "Token abc"))
    with serving(script):
        target = a_target(script.url, headers=headers, api_key=SecretRef(env="KEY"))
        probed = probe(target, script.url, workload=a_workload(), env={"KEY": KEY})
    assert probed.endpoint.headers == headers
    assert {(seen.headers["x-route"], seen.headers["authorization"]) for seen in script.seen} == {
        ("canary", "Token abc")
    }


def test_a_key_that_is_missing_is_the_users_to_mend() -> None:
    with pytest.raises(UsageError, match=r"\$KEY"):
        probe(a_target("", api_key=SecretRef(env="KEY")), "http://127.0.0.1:1", workload=a_workload(), env={})
