"""`workload.api: embeddings`: what follows from it, in the scenario and in the document that is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.errors import ScenarioError
from llmload.scenario.asked import Scenario
from llmload.scenario.lengths import Fixed
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.traffic import PromptFile

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://h:1}\n"


def read(workload: str, directory: Path = Path()) -> Scenario:
    text = f"{HEAD}  workload: {{api: embeddings{workload}}}\n"
    return load_text(text, "s.yaml", env={}, directory=directory)


def test_nothing_is_streamed_sampled_or_answered() -> None:
    found = read("")
    assert (found.target.api, found.workload.stream, dict(found.workload.sampling)) == ("embeddings", False, {})
    assert found.workload.prompts.output_tokens == Fixed(0)


def test_what_is_written_of_sampling_is_kept() -> None:
    assert dict(read(", sampling: {dimensions: 8}").workload.sampling) == {"dimensions": 8}


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param("", id="by default"),
        pytest.param(", prompts: {synthetic: {input_tokens: 9}}, sampling: {dimensions: 8}", id="synthetic"),
        pytest.param(", prompts: {file: {path: rows.txt, format: prompts}}", id="a file"),
    ],
)
def test_the_stored_document_means_the_same_and_says_nothing_of_answers(workload: str, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("one\ntwo\n")
    found = read(workload, tmp_path)
    again = load_resolved(found.document.resolved)
    assert (again.target.api, again.workload, again.load) == (found.target.api, found.workload, found.load)
    synthetic = json.loads(found.document.resolved)["spec"]["workload"]["prompts"].get("synthetic", {})
    assert "output_tokens" not in synthetic
    assert not [notice for notice in found.notices if "tokens" in notice]


def test_rows_of_one_text_are_embedded_and_conversations_are_told_where_they_stand(tmp_path: Path) -> None:
    file = ", prompts: {file: {path: rows.jsonl, format: openai}}"
    user = {"role": "user", "content": "hello"}
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [user]}) + "\n")
    prompts = read(file, tmp_path).workload.prompts
    assert isinstance(prompts, PromptFile)
    assert prompts.output_tokens == Fixed(0)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [{"role": "system", "content": "x"}, user]}) + "\n")
    with pytest.raises(ScenarioError, match=r"rows\.jsonl:1 is a conversation, and the API embeddings takes one bare"):
        read(file, tmp_path)
