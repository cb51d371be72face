"""report.md: the answer first, and no foreign markup."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from llmload.reporters import markdown
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Caveat, Status
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(run) -> str:
    return markdown.render(run, texts_in(Language.EN)).decode()


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


def test_the_only_html_is_ours() -> None:
    tokens = GITHUB.parse(text_of(TROUBLE))
    inline = [child for token in tokens for child in token.children or ()]
    html = {token.content.strip() for token in [*tokens, *inline] if token.type.startswith("html")}
    assert html == {"<br>", "<details>\n<summary>Fingerprint and provenance</summary>", "</details>"}
    assert not [token for token in inline if token.type in ("link_open", "image", "em_open")]


def test_every_row_of_every_table_has_as_many_cells_as_its_head() -> None:
    tokens = GITHUB.parse(text_of(TROUBLE))
    heads = cells = 0
    for token in tokens:
        match token.type:
            case "table_open":
                heads = 0
            case "th_open":
                heads += 1
            case "tr_open":
                cells = 0
            case "td_open":
                cells += 1
            case "tr_close":
                assert cells in (0, heads)
    for line in text_of(TROUBLE).splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_a_missing_figure_reads_n_a() -> None:
    (row,) = (line for line in text_of(TROUBLE).splitlines() if line.startswith("| ⛔  | concurrency 100 "))
    assert [cell.strip() for cell in row.split("|")[3:-1]] == ["64", "100%", "0%", *["n/a"] * 5, "0"]


def test_a_huge_and_hostile_run_stays_within_its_size_and_says_what_it_left_out() -> None:
    step = TROUBLE.steps[1]
    caveats = tuple(Caveat(f"rule {number}", HOSTILE * 20, HOSTILE * 20) for number in range(300))
    verdicts = tuple(
        replace(verdict, because="|" * 5000, remedy="<" * 5000) for verdict in step.verdicts for _ in range(10)
    )
    errors = {f"{number}{HOSTILE}" * 20: number for number in range(200)}
    huge = replace(step, verdicts=verdicts, caveats=caveats, metrics=replace(step.metrics, errors=errors))
    names = {f"{number}{HOSTILE}" * 20: HOSTILE * 20 for number in range(200)}
    header = replace(TROUBLE.header, labels=names, environment=names)
    run = replace(TROUBLE, header=header, steps=(huge,) * 50, fingerprint=names, notices=(HOSTILE * 20,) * 100)
    text = text_of(run)
    assert len(text.encode()) < 80_000
    assert "more; `result.json` has them all" in text
    assert "more; `steps.csv` has them all" in text


def test_a_run_that_measured_nothing_is_short_and_says_why() -> None:
    run = replace(TROUBLE, target=None, steps=(), status=Status.ERROR, exit_code=5, because="no server at host x")
    text = text_of(run)
    assert text.startswith(
        "# ⛔ COULD NOT MEASURE: qwen3-14b-chat\n\n**nothing was measured.** no server at host x. Exit code 5.\n"
    )
    assert "## Gates" not in text
    assert "## Steps" not in text
