"""Secrets: by reference only, read late, and nowhere in what is kept or told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import ScenarioError, UsageError
from llmload.scenario.asked import SecretRef
from llmload.scenario.loader import load_text
from llmload.scenario.secrets import Scrubber, read_secret, scrub_url, secrets_of, url_secrets

TEXT = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: s}
spec:
  target:
    url: https://user:pass-1234@host.example:8443/base?api-version=2024&sig=signature-99  # https://u:comment-pw@h/
    api_key: {env: LLM_KEY}
    headers:
      Authorization: Bearer header-token-1
      X-Block: |
        block-secret
      X-Ref: ${REF}
      X-Scheme: Bearer ${REF}
      X-Default: ${NONE:-default-secret}
"""
ENV = {"LLM_KEY": "key-5678", "REF": "ref-secret"}
SECRETS = ("user", "pass-1234", "signature-99", "header-token-1", "block-secret", "default-secret", "comment-pw")


def loaded():
    return load_text(TEXT.replace("|\n        block-secret", "'block-secret'"), "s.yaml", env=ENV, directory=Path())


def test_a_secret_comes_from_the_environment(monkeypatch):
    assert read_secret(SecretRef(env="A"), {"A": " abc\n"}) == "abc"


def test_a_secret_comes_from_a_file(tmp_path):
    (tmp_path / "key").write_text("abc\n")
    assert read_secret(SecretRef(file=str(tmp_path / "key")), {}) == "abc"


@pytest.mark.parametrize("env", [{}, {"A": ""}, {"A": "  "}], ids=["unset", "empty", "blank"])
def test_a_missing_variable_is_a_usage_error_that_names_it(env):
    with pytest.raises(UsageError, match=r"\$A: the environment variable of a secret is not set\. Set it"):
        read_secret(SecretRef(env="A"), env)


def test_a_missing_or_empty_file_is_a_usage_error(tmp_path):
    (tmp_path / "empty").write_text("\n")
    for name in ("none", "empty"):
        with pytest.raises(UsageError, match="the file of a secret"):
            read_secret(SecretRef(file=str(tmp_path / name)), {})


def test_a_secret_of_two_lines_is_refused_without_being_told():
    with pytest.raises(UsageError) as caught:
        read_secret(SecretRef(env="A"), {"A": "abc\ndef"})
    assert "abc" not in str(caught.value)


def test_the_kept_document_holds_no_secret():
    document = loaded().document
    for kept in (document.text, document.resolved):
        for secret in (*SECRETS, *ENV.values()):
            assert secret not in kept
    assert "X-Ref: ${REF}" in document.text
    assert "X-Scheme: Bearer ${REF}" in document.text
    assert "api_key: {env: LLM_KEY}" in document.text


def test_the_scenario_itself_sends_the_real_headers():
    headers = dict(loaded().target.headers)
    assert headers["Authorization"] == "Bearer header-token-1"
    assert headers["X-Scheme"] == "Bearer ref-secret"


def test_neither_repr_tells_a_secret():
    shown = repr(loaded())
    for secret in (*SECRETS, *ENV.values()):
        assert secret not in shown


def test_every_secret_of_a_scenario_is_found():
    found = secrets_of(loaded(), ENV)
    for secret in ("key-5678", "pass-1234", "signature-99", "header-token-1", "Bearer header-token-1", "ref-secret"):
        assert secret in found
    assert [len(each) for each in found] == sorted((len(each) for each in found), reverse=True)


def test_a_key_that_cannot_be_read_hides_nothing():
    assert "key-5678" not in secrets_of(loaded(), {})


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("    url: localhost\n    headers: {X: my-secret-1}\n", id="on the line of another error"),
        pytest.param("    url: http://a:my-secret-1@h:99999\n", id="in a URL that cannot be read"),
        pytest.param("    url: a:my-secret-1@h\n", id="in a URL without a scheme"),
        pytest.param("    api_key: my-secret-1\n", id="a literal key"),
        pytest.param("    api_key: [my-secret-1]\n", id="a literal key in a list"),
        pytest.param("    api_key: {env: my-secret-1}\n", id="a key where its name belongs"),
        pytest.param("    api_key: {value: my-secret-1}\n", id="a key under a name of its own"),
        pytest.param("    headers: {X: 5, Y: [my-secret-1]}\n", id="a header that is a list"),
        pytest.param("    headers:\n      X: \"my-secret-1\n", id="a quote that is not closed"),
        pytest.param("    headers:\n      X: my-secret-1: a\n", id="a colon too many"),
        pytest.param("    api_key: my-secret-1: x\n", id="a colon too many in a key"),
        pytest.param("    headers: {X: my-secret-1, [}\n", id="brackets gone wrong"),
        pytest.param("    url: ${URL}\n    timeout: {total: '${URL}'}\n", id="in a variable"),
    ],
)  # fmt: skip
def test_no_error_repeats_a_secret(bad):
    head = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target:\n"
    with pytest.raises(ScenarioError) as caught:
        load_text(head + bad, "s.yaml", env={"URL": "my-secret-1"}, directory=Path())
    assert "my-secret-1" not in str(caught.value)
    assert "my-secret-1" not in repr(caught.value.problems)


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        pytest.param("http://host:8000/a", "http://host:8000/a", id="nothing to hide"),
        pytest.param("http://u:p@host/a", "http://***@host/a", id="user and password"),
        pytest.param("http://token@host", "http://***@host", id="user alone"),
        pytest.param("https://host/a?key=1&b", "https://host/a?key=***&***", id="query values"),
        pytest.param("http://host/#frag", "http://host/#***", id="fragment"),
        pytest.param("http://[::1", "***", id="not a URL"),
    ],
)
def test_a_scrubbed_url_keeps_only_its_address(url, scrubbed):
    assert scrub_url(url) == scrubbed


def test_url_secrets_are_found_as_written_and_decoded():
    found = url_secrets("http://us%40er:pass%2Fword@h/?sig=ab%2Bcd%3D")
    for secret in ("pass%2Fword", "pass/word", "ab%2Bcd%3D", "ab+cd=", "dXNAZXI6cGFzcy93b3Jk"):
        assert secret in found


def test_short_values_are_no_secrets():
    assert url_secrets("http://h/?a=1&b=on") == ()


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_nothing_of_a_secret_is_left_in_a_scrubbed_text(secret, before, after):
    scrubbed = Scrubber([secret]).scrub(before + secret + after)
    assert secret not in scrubbed.replace("***", "") or secret in before + after or set(secret) <= {"*"}


def test_a_scrubber_knows_the_forms_in_which_a_secret_comes_back():
    scrub = Scrubber(['a b/"c']).scrub
    assert scrub('x a b/"c y') == "x *** y"
    assert scrub("x a%20b%2F%22c y") == "x *** y"
    assert scrub("x a+b%2F%22c y") == "x *** y"
    assert scrub('{"x": "a b/\\"c"}') == '{"x": "***"}'


def test_the_longer_secret_goes_first():
    assert Scrubber(["abc", "abcdef"]).scrub("abcdef abc") == "*** ***"


def test_no_secrets_change_nothing():
    assert Scrubber([]).scrub("text") == Scrubber([""]).scrub("text") == "text"


LAUNCHED = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: s}
spec:
  target:
    url: http://localhost:8000
    launch:
      command: [vllm, serve, tiny, --api-key, sk-command-1, --hf-token=hf-command-2, --max-tokens, "4096", --api-key]
      env: {HF_TOKEN: hf-variable-3, VLLM_API_KEY: "${KEY}", HF_HOME: /models}
"""


def test_what_a_launched_server_is_given_under_the_name_of_a_secret_is_one():
    scenario = load_text(LAUNCHED, "s.yaml", env={"KEY": "key-from-env-4"}, directory=Path())
    secrets = {"sk-command-1", "hf-command-2", "hf-variable-3", "key-from-env-4"}
    assert set(secrets_of(scenario, {})) == secrets
    for kept in (scenario.document.text, scenario.document.resolved, repr(scenario)):
        assert not [secret for secret in secrets if secret in kept]
    for kept in (scenario.document.text, scenario.document.resolved):
        assert "4096" in kept
        assert "/models" in kept
    assert "--hf-token=***" in scenario.document.resolved
    assert "${KEY}" in scenario.document.text
