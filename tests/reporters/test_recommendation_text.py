"""A recommendation alone: boxes on a terminal, aligned lines elsewhere, Markdown, JSON; foreign text does nothing."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from llmload.domain import RunResult
from llmload.reporters import recommendation_json, recommendation_markdown, recommendation_text
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden

RUNS = [pytest.param(CLEAN, "clean", id="with advice"), pytest.param(TROUBLE, "trouble", id="without, and hostile")]
EN, KO = texts_in(Language.EN), texts_in(Language.KO)


def shown(run: RunResult, *, language: Language = Language.EN, colours: str | None = None) -> str:
    """What a terminal of 80 columns shows, or a pipe where there are no colours."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=bool(colours), color_system=colours, legacy_windows=False)
    recommendation_text.render(run, texts_in(language), console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(("run", "name"), RUNS)
def test_a_recorded_recommendation_is_shown_as_reviewed(
    run: RunResult, name: str, language: Language, update_goldens: bool
) -> None:
    found = shown(run, language=language).encode()
    assert_golden(f"{name}-recommendation-{language.value}.txt", found, update=update_goldens)


@pytest.mark.parametrize(("run", "name"), RUNS)
def test_a_recorded_recommendation_is_written_as_reviewed(run: RunResult, name: str, update_goldens: bool) -> None:
    assert_golden(f"{name}-recommendation.md", recommendation_markdown.render(run, EN), update=update_goldens)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(("run", "name"), RUNS)
def test_every_box_is_as_wide_as_the_terminal(run: RunResult, name: str, language: Language) -> None:
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown(run, language=language, colours="truecolor")).splitlines()
    assert {cell_len(line) for line in lines} == {80}
    assert {line[0] + line[-1] for line in lines} == {"╭╮", "││", "╰╯"}


def test_foreign_text_neither_colours_nor_moves_nor_clears() -> None:
    text = shown(TROUBLE, colours="truecolor")
    assert set(re.findall(r"\x1b\[[\d;]*(.)", text)) == {"m"}
    assert "\x1b]" not in text
    assert "[red]" in text, "what looks like markup is shown as it is"


def test_what_costs_nothing_known_has_no_column_for_it() -> None:
    found = CLEAN.recommendation
    assert found is not None
    free = [replace(o, estimated_monthly_cost_usd=None, cost_per_million_tokens_usd=None) for o in found.alternatives]
    told = shown(replace(CLEAN, recommendation=replace(found, alternatives=tuple(free))))
    assert "9 × NVIDIA L40S" in told
    assert "USD/month" in shown(CLEAN)
    assert "USD/month" not in told


def test_markdown_of_foreign_text_is_no_markup() -> None:
    told = recommendation_markdown.render(TROUBLE, KO).decode()
    assert re.findall(r"<(?:script|img)", told) == []
    assert "@everyone" not in told, "nobody is called"
    assert re.findall(r"^#+ .*$", told, re.MULTILINE)[0] == "# 권장 구성"


def test_json_has_the_names_of_the_contract_on_top() -> None:
    told = json.loads(recommendation_json.render(CLEAN))
    wanted = {"workload", "current_infra", "recommendation", "headline", "run_id", "scenario", "model"}
    assert wanted <= told.keys()
    assert told["recommendation"]["recommended_count"] == 5


def test_a_run_that_recommends_nothing_has_nothing_to_show() -> None:
    bare = replace(CLEAN, recommendation=None)
    assert (shown(bare), recommendation_markdown.render(bare, EN)) == ("\n", b"")
    assert "workload" not in json.loads(recommendation_json.render(bare))
