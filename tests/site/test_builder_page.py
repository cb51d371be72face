"""The scenario builder: its form is what the JSON Schema says, and its texts stand without a script."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from llmload.frameworks.registry import REGISTRY, adapters
from llmload.scenario.schema import Schema, scenario_schema
from llmload.scenario.starters import starter
from llmload.site.pages import builder
from llmload.site.scenario_form import ELSEWHERE, LABELS, Field, fields, settings
from tests.command import here
from tests.site.asked import ask


def leaves(node: object, definitions: Mapping[str, object], path: str = "") -> Iterator[str]:
    """Paths of everything that a scenario may hold, down to what has no fields of its own."""
    assert isinstance(node, dict)
    if "$ref" in node:
        yield from leaves(definitions[str(node["$ref"]).rpartition("/")[2]], definitions, path)
        return
    branches = node.get("anyOf", node.get("oneOf"))
    inner = [each for each in branches if each.get("type") != "null"] if isinstance(branches, list) else []
    if len(inner) == 1:
        yield from leaves(inner[0], definitions, path)
    elif properties := node.get("properties"):
        for name, each in properties.items():
            yield from leaves(each, definitions, f"{path}.{name}" if path else name)
    else:
        yield path


def test_every_part_of_a_scenario_has_a_field_or_a_reason_to_have_none() -> None:
    schema = scenario_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    known = list(leaves(schema, definitions))
    asked = {*LABELS, *ELSEWHERE}
    assert [path for path in known if not any(path == each or path.startswith(f"{each}.") for each in asked)] == []
    assert [path for path in ELSEWHERE if not any(each == path or each.startswith(f"{path}.") for each in known)] == []


def test_every_setting_of_a_framework_has_a_field() -> None:
    definitions = scenario_schema()["$defs"]
    assert isinstance(definitions, dict)
    for name in REGISTRY:
        titles = [title for title in definitions if title.lower() == f"{name}settings"]
        declared: Schema = definitions[titles[0]]  # type: ignore[assignment]  # a map in a map
        assert [each.name for each in settings(name)[1:]] == list(declared["properties"])  # type: ignore[arg-type]  # a map in a map
        assert [each.name for each in settings(name)[:1]] == ["api"]
        spoken = [api for api in adapters()[name].dialects if api != "embeddings"]  # asked for by the workload
        assert list(settings(name)[0].options) == spoken


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("spec.load.concurrency", "1, 10, 50, 100, 200", id="the ladder"),
        pytest.param("spec.target.timeout.first_token", "1m", id="a time"),
        pytest.param("spec.decision.confidence", "95%", id="a share"),
        pytest.param("spec.recommend.headroom", "20%", id="a share that the schema has as a number"),
        pytest.param("spec.recommend.peak_factor", "3", id="a number"),
        pytest.param("spec.workload.stream", "true", id="a flag"),
        pytest.param("spec.slo.ttft", "", id="none"),
    ],
)
def test_a_default_is_shown_as_it_would_be_typed(path: str, shown: str) -> None:
    assert fields()[path].shown_default == shown


ZEROS = [
    pytest.param(field, zero, id=f"{field.path} {zero}")
    for field in fields().values()
    for zero in ("0s", "0m0s", "0.0ms")
    if "h|d))" in str(field.rule.get("pattern"))
]


def refuses(field: Field, text: str) -> bool:
    refused = field.rule.get("refused", {})
    assert isinstance(refused, dict)
    return any(re.search(pattern, text) for pattern in refused)


@pytest.mark.parametrize(("field", "zero"), ZEROS)
def test_a_time_of_zero_is_refused_where_validate_refuses_it(field: Field, zero: str, tmp_path: Path) -> None:
    document: dict[str, object] = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "x"}}
    place = document.setdefault("spec", {"target": {"url": "http://localhost:8000"}})
    for step in field.path.split(".")[1:-1]:
        place = place.setdefault(step, {})  # type: ignore[attr-defined]  # nested maps
    place[field.name] = zero  # type: ignore[index]  # nested maps
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(document))
    assert (here("validate", "x.yaml", cwd=tmp_path).returncode == 2) == refuses(field, zero)


def test_each_framework_begins_with_its_starter(filled: Path) -> None:
    (answer,) = ask(filled, "/new.json")
    told = answer.json()
    assert sorted(told["starters"]) == sorted(REGISTRY)
    for name, begun in told["starters"].items():
        written = yaml.safe_load(starter(name))
        assert begun["metadata.name"] == written["metadata"]["name"]
        assert begun["spec.load.concurrency"] == written["spec"]["load"]["concurrency"]
        assert len(begun["spec.gates"]) == len(written["spec"]["gates"])
        assert "spec.target.timeout.first_token" not in begun, "60s is the default of 1m"


def test_without_a_script_every_starter_can_be_copied(filled: Path) -> None:
    (page,) = ask(filled, "/new")
    shown = [
        html.unescape(each) for each in re.findall(r'<pre class="yaml"[^>]*><code>(.+?)</code>', page.text, re.DOTALL)
    ]
    assert shown == [starter(name) for name in builder.TITLES]
    assert "The form needs JavaScript" in page.text
    assert re.search(r'<div id="making" hidden>', page.text)


def test_there_is_no_field_for_a_secret(filled: Path) -> None:
    (page,) = ask(filled, "/new")
    assert 'type="password"' not in page.text
    paths = set(re.findall(r'data-path="([^"]+)"', page.text))
    assert {each for each in paths if "key" in each} == {"spec.target.api_key.env", "spec.target.api_key.file"}


def test_every_field_has_a_label_and_its_help(filled: Path) -> None:
    for page in ask(filled, "/new", "/new?lang=ko"):
        form = page.text.partition("<template")[0]
        ids = re.findall(r'\sid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids))
        for control in re.findall(r"<(?:input|select|textarea)\b[^>]*>", form):
            (own,) = re.findall(r'\sid="([^"]+)"', control)
            assert f'<label for="{own}">' in form, control
            described = re.findall(r'aria-describedby="([^"]+)"', control)
            assert all(each in ids for part in described for each in part.split()), control


def test_the_rules_are_json_that_cannot_end_its_element(filled: Path) -> None:
    (page,) = ask(filled, "/new")
    (inside,) = re.findall(r'<script type="application/json" id="form">(.*?)</script>', page.text, re.DOTALL)
    assert "<" not in inside
    assert json.loads(inside)["fields"]["metadata.name"]["rule"]["maxLength"] == 100


def test_a_korean_page_has_every_help_in_korean(filled: Path) -> None:
    (page,) = ask(filled, "/new?lang=ko")
    assert "AI 분석 도구는 현재 vLLM 프레임워크만 지원이 가능합니다." in page.text
    helps = re.findall(r'<p class="hint"([^>]*)>(.*?)</p>', page.text)
    assert len(helps) > 30
    assert [told for attributes, told in helps if "lang=" in attributes or not re.search("[가-힣]", told)] == []
