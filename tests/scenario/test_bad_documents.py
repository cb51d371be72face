"""Every file in `bad/` is one mistake; its `#!` lines are all that may be said of it: place, path, what, remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload.errors import ScenarioError
from llmload.scenario.loader import load

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ENV = {"SECRET_WORD": "hush-hush"}


def told(path: Path) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(path, env=ENV)
    return [f"{p.line}:{p.column} | {p.path} | {p.message} | {p.hint}" for p in caught.value.problems]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in BAD])
def test_a_bad_document_is_told_where_what_and_what_to_do(path, update_goldens):
    lines = path.read_text().splitlines(keepends=True)
    expected = [line.removeprefix("#! ").rstrip("\n") for line in lines if line.startswith("#! ")]
    found = told(path)
    if update_goldens and len(found) == len(expected):
        body = [line for line in lines if not line.startswith("#! ")]
        path.write_text("".join([f"#! {problem}\n" for problem in found] + body))
        return
    assert found == expected


def test_there_is_a_table_of_at_least_forty():
    assert len(BAD) >= 40


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in BAD])
def test_the_caret_stands_under_what_is_wrong(path):
    with pytest.raises(ScenarioError) as caught:
        load(path, env=ENV)
    lines = path.read_text().splitlines()
    for problem in caught.value.problems:
        if problem.source_line:
            assert len(problem.source_line) == len(lines[problem.line - 1])
            assert 1 <= problem.column <= len(problem.source_line) + 1


def test_no_document_and_no_name_of_one_writes_to_a_terminal(tmp_path):
    path = tmp_path / "red\x1b[31m\n::error::x.yaml"
    path.write_text("a: [\x1b[31m, \u202eb", encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path, env={})
    lines = str(caught.value).splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("::") for line in lines)
    assert "a: [\ufffd[31m, \ufffdb" in str(caught.value)


def test_a_problem_is_told_in_one_line_with_its_source_and_a_caret():
    with pytest.raises(ScenarioError) as caught:
        load(Path(__file__).parent / "bad" / "slo-without-unit.yaml", env={})
    first, source, caret = str(caught.value).splitlines()
    assert first.endswith(
        "slo-without-unit.yaml:7:15: spec.slo.ttft: a time needs a unit, and 500 has none. Did you mean 500ms?"
    )
    assert source == "    slo: {ttft: 500}"
    assert source.index("500") == caret.index("^")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in BAD])
def test_no_error_repeats_a_secret(path):
    with pytest.raises(ScenarioError) as caught:
        load(path, env=ENV)
    for secret in ("sk-live-1234567890", "hush-hush", "4711"):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value.problems)
