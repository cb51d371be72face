"""report.md: the answer first, and no foreign markup."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from llmload.reporters import markdown
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Status
from tests.recorded_runs import CLEAN, TROUBLE

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(run) -> str:
    return markdown.render(run, texts_in(Language.EN))["report.md"].decode()


def test_the_first_lines_answer_what_why_and_which_exit_code() -> None:
    lines = text_of(TROUBLE).splitlines()
    assert lines[0] == "# ❌ FAIL: qwen3-14b-chat"
    assert lines[2] == (
        "**10 gate checks: 3 failed, 2 could not be measured, 1 inconclusive, 4 passed.** "
        "goodput >= 95% at concurrency <= 50 at concurrency 50: 1451 of 1,600 requests good (90.68%); "
        "at 95% confidence at most 92.74% are, 95% wanted; not good: 119 over ttft 800ms, 30 failed (and 1 more). "
        "Exit code 3."
    )


def test_what_broke_the_build_is_told_first_with_size_certainty_and_remedy() -> None:
    _, _, section = text_of(TROUBLE).partition("## What to look at\n\n")
    first = section[: section.index("\n- ")]
    assert first.startswith("- ❌ **fail** at concurrency 50: `goodput >= 95% at concurrency <= 50`<br>")
    assert "Observed 90.68%, 4.31 points below the target (>= 95%)" in first
    assert "interval 88.12% to 92.74% at 95% confidence; n 1,600, effective n 663 (deff 2.41), 4 looks" in first
    assert first.endswith("**To do:** Lower the load, or give the server more capacity.")


def test_a_clean_run_has_nothing_to_look_at() -> None:
    text = text_of(CLEAN)
    assert "What to look at" not in text
    assert "## Caveats" not in text
    assert text.startswith("# ✅ PASS: quickstart\n")


def test_the_only_markup_is_ours() -> None:
    tokens = GITHUB.parse(text_of(TROUBLE))
    inline = [child for token in tokens for child in token.children or ()]
    html = {token.content.strip() for token in [*tokens, *inline] if token.type.startswith("html")}
    assert html == {"<br>", "<details>\n<summary>Fingerprint and provenance</summary>", "</details>"}
    assert not [token for token in inline if token.type in ("link_open", "em_open", "s_open")]


def test_a_missing_figure_reads_n_a() -> None:
    (row,) = (line for line in text_of(TROUBLE).splitlines() if line.startswith("| ⛔  | concurrency 100 "))
    assert [cell.strip() for cell in row.split("|")[3:-1]] == ["64", "100%", "0%", *["n/a"] * 5, "0"]


def test_a_run_that_measured_nothing_is_short_and_says_why() -> None:
    run = replace(TROUBLE, target=None, steps=(), status=Status.ERROR, exit_code=5, because="no server at host x")
    text = text_of(run)
    assert text.startswith(
        "# ⛔ COULD NOT MEASURE: qwen3-14b-chat\n\n**nothing was measured.** no server at host x. Exit code 5.\n"
    )
    assert "## Gates" not in text
    assert "## Steps" not in text
