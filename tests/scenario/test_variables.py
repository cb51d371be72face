"""Variables, `--set`, and how both are typed and located."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload.errors import ScenarioError
from llmload.scenario import asked
from llmload.scenario.loader import load_text

TEXT = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: s}}
spec:
  target: {{url: http://localhost:8000, model: {model}}}
  workload: {{seed: {seed}, stream: {stream}}}
  load: {{concurrency: [1, 10]}}
  gates: [goodput >= 95%]
"""


def load_with(
    sets: tuple[str, ...] = (), model: str = "m", seed: str = "1", stream: str = "true", **env: str
) -> asked.Scenario:
    text = TEXT.format(model=model, seed=seed, stream=stream)
    return load_text(text, "s.yaml", sets=sets, env=env, directory=Path())


@pytest.mark.parametrize(
    ("written", "env", "model"),
    [
        pytest.param('"${M}"', {"M": "qwen"}, "qwen", id="whole value"),
        pytest.param('"${M}"', {"M": "3"}, "3", id="a text stays a text where the schema wants one"),
        pytest.param('"a-${M}-b"', {"M": "3"}, "a-3-b", id="inside"),
        pytest.param('"${M:-other}"', {}, "other", id="default of an unset variable"),
        pytest.param('"${M:-other}"', {"M": ""}, "other", id="default of an empty variable"),
        pytest.param('"${M:-a:b c}"', {}, "a:b c", id="a default may hold anything"),
        pytest.param('"$${M}"', {}, "${M}", id="escaped"),
        pytest.param('"$M $5"', {}, "$M $5", id="a dollar alone is a dollar"),
        pytest.param('"${M}${N}"', {"M": "a", "N": "b"}, "ab", id="two variables"),
        pytest.param('"${M}"', {"M": "[1, {a: b}]"}, "[1, {a: b}]", id="a variable adds no structure"),
        pytest.param('"${M}"', {"M": "${N}"}, "${N}", id="a value is not read again"),
    ],
)
def test_variables_are_filled_into_texts(written, env, model):
    assert load_with(model=written, **env).target.model == model


def test_a_whole_variable_takes_the_type_that_the_schema_wants():
    found = load_with(seed='"${S}"', stream='"${T}"', S="7", T="false")
    assert (found.workload.seed, found.workload.stream) == (7, False)


def test_a_whole_variable_in_sampling_becomes_a_number():
    found = load_with(("spec.workload.sampling={temperature: '${T}', user: 'u-${T}'}",), T="0.5")
    assert found.workload.sampling == {"temperature": 0.5, "user": "u-0.5"}


def test_a_variable_inside_a_number_does_not_make_it_one():
    with pytest.raises(ScenarioError, match="expected a whole number"):
        load_with(seed='"${S}0"', S="7")


def test_the_document_s_text_keeps_its_variables():
    assert "${M}" in load_with(model='"${M}"', M="qwen").document.text


@pytest.mark.parametrize(
    ("sets", "read", "value"),
    [
        pytest.param(["spec.workload.seed=9"], lambda s: s.workload.seed, 9, id="a number"),
        pytest.param(["spec.target.model=123"], lambda s: s.target.model, "123", id="digits as a text"),
        pytest.param(["spec.target.model=true"], lambda s: s.target.model, "true", id="a truth as a text"),
        pytest.param(["spec.load.concurrency=[5]"], lambda s: s.load.shape.concurrency, (5,), id="list"),
        pytest.param(["spec.load.concurrency[1]=20"], lambda s: s.load.shape.concurrency, (1, 20), id="place"),
        pytest.param(["spec.load.concurrency[2]=20"], lambda s: s.load.shape.concurrency, (1, 10, 20), id="one more"),
        pytest.param(["spec.slo.ttft=500ms"], lambda s: s.slo.ttft_ms, 500.0, id="a section that was not there"),
        pytest.param(["spec.target.url=http://a/?b=c"], lambda s: s.target.place.url, "http://a/?b=c", id="equals"),
        pytest.param(["metadata.labels.tier=pr"], lambda s: s.labels, {"tier": "pr"}, id="metadata"),
        pytest.param(["spec.workload.seed=3", "spec.workload.seed=2"], lambda s: s.workload.seed, 2, id="last wins"),
        pytest.param(["spec.target.model=${M}"], lambda s: s.target.model, "qwen", id="a variable"),
        pytest.param(["spec.gates[0]=goodput >= 99%"], lambda s: str(s.gates[0]), "goodput >= 99%", id="a gate"),
    ],
)  # fmt: skip
def test_set_overwrites_one_value(sets, read, value):
    assert read(load_with(tuple(sets), M="qwen")) == value


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        pytest.param("spec.load.requests", 1, "no value", id="no equals sign"),
        pytest.param("load.requests=5", 1, "a path cannot begin with 'load'", id="without spec"),
        pytest.param("spec..load=5", 6, "this path cannot be read", id="two dots"),
        pytest.param("=5", 1, "this path cannot be read", id="no path"),
        pytest.param("spec.load.requets=5", 11, "unknown key 'requets'", id="unknown key"),
        pytest.param("spec.load.requests=many", 20, "expected a whole number, found the text 'many'", id="wrong type"),
        pytest.param("spec.load.requests=[5, }", 24, "not valid YAML", id="broken YAML"),
        pytest.param("spec.load.concurrency[7]=5", 22, "outside the list", id="beyond the list"),
        pytest.param("spec.workload.seed.x=5", 20, "spec.workload.seed is a single value", id="below a value"),
        pytest.param("spec.target.api_key=sk-live-123", 21, "a literal key", id="a literal key"),
        pytest.param("spec.slo.ttft=${UNSET}", 15, "the environment variable UNSET is not set", id="unset variable"),
    ],
)
def test_a_wrong_set_is_told_with_its_column(text, column, message):
    with pytest.raises(ScenarioError) as caught:
        load_with((text,))
    problem = caught.value.problems[0]
    assert (problem.file, problem.line, problem.column) == ("--set", 1, column)
    assert problem.message.startswith(message)
    assert "sk-live-123" not in str(caught.value)


def test_the_second_set_is_the_second_line():
    with pytest.raises(ScenarioError) as caught:
        load_with(("spec.workload.seed=5", "spec.load.requests=many"))
    assert str(caught.value).startswith("--set:2:20: spec.load.requests: ")
