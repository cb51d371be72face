"""Reasoning and tool calls in reports: told where there were some, and nothing where there were none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.domain import RunResult, StepResult
from llmload.reporters.content_sections import contents, reasoning_share
from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN


def with_contents(reasoned: int | None, called: int | None, tokens: int | None) -> RunResult:
    """The clean run, in whose first step so many answers reasoned and called tools."""
    first, *others = CLEAN.steps
    metrics = replace(first.metrics, reasoned=reasoned, called_tools=called, reasoning_tokens=tokens)
    steps: tuple[StepResult, ...] = (replace(first, metrics=metrics), *others)
    return replace(CLEAN, steps=steps)


@pytest.mark.parametrize("language", Language)
def test_a_step_whose_answers_reasoned_is_told_of_in_both_languages(language: Language) -> None:
    texts = texts_in(language)
    told = contents(with_contents(40, 8, 100), texts)
    assert len(told.rows) == 1
    assert texts["contents.called_tools"] in told.columns
    assert {"40", "8"} <= set(told.rows[0])
    for kind in ("markdown", "html"):
        ((_, page),) = [
            (name, page)
            for name, page in REPORTERS[kind](with_contents(40, 8, 100), texts).items()
            if name.startswith("report.")
        ]
        assert texts["contents.heading"] in page.decode()


@pytest.mark.parametrize(
    ("reasoned", "called"), [pytest.param(0, 0, id="none did"), pytest.param(None, None, id="nobody looked")]
)
def test_a_run_of_answers_alone_is_told_without_it(reasoned: int | None, called: int | None) -> None:
    texts = texts_in(Language.EN)
    run = with_contents(reasoned, called, None)
    assert not contents(run, texts).rows
    assert texts["contents.heading"].encode() not in b"".join(REPORTERS["markdown"](run, texts).values())


def test_what_the_server_did_not_count_has_no_column() -> None:
    texts = texts_in(Language.EN)
    assert texts["contents.reasoning_tokens"] not in contents(with_contents(3, 0, None), texts).columns


@pytest.mark.parametrize(
    ("tokens", "share"), [(None, None), (0, 0.0), (10**12, None)], ids=["untold", "none", "more than all"]
)
def test_the_share_of_reasoning_is_never_made_up(tokens: int | None, share: float | None) -> None:
    assert reasoning_share(with_contents(1, 0, tokens).steps[0].metrics) == share
