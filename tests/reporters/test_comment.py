"""The comment in a pull request: the verdict first, nothing hostile alive, and never more than GitHub takes."""

from __future__ import annotations

import re
from dataclasses import replace

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.errors import Problem
from llmload.outcome import Command, Entry, Outcome
from llmload.reporters.comment import LIMIT, Facts, render
from llmload.reporters.texts import Language, texts_in
from tests.recorded_comparisons import ADVISED, REGRESSED
from tests.recorded_outcomes import COMPARED, HOSTILE_INVALID, INTERRUPTED, INVALID, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden
from tests.reporters.test_markdown_on_github import GITHUB, KEPT_TAGS

ENGLISH = texts_in(Language.EN)
SHA = "0123456789abcdef0123456789abcdef01234567"
RUN = "https://github.com/acme/serving/actions/runs/123456"
FACTS = Facts(SHA, RUN)
SAME = Outcome(Command.COMPARE, 0, of_runs(CLEAN, CLEAN).entries)
NOTHING = Outcome(Command.APPLY, 2, ())

OUTCOMES = {
    "pass": of_runs(CLEAN),
    "fail": of_runs(TROUBLE),
    "mixed": MIXED,
    "invalid": INVALID,
    "hostile": HOSTILE_INVALID,
    "down": SERVER_DOWN,
    "interrupted": INTERRUPTED,
    "compared": COMPARED,
    "same": SAME,
    "no baseline like it": of_runs(ADVISED),
    "comparison without a run": replace(COMPARED, entries=(*COMPARED.entries, *SERVER_DOWN.entries)),
    "nothing": NOTHING,
}
every_outcome = pytest.mark.parametrize(
    ("name", "language"), [pytest.param(name, each, id=f"{name}, {each}") for name in OUTCOMES for each in Language]
)


def page_of(text: str) -> lxml.html.HtmlElement:
    """The comment as GitHub shows it."""
    return lxml.html.fromstring(f"<div>{GITHUB.render(text)}</div>")


def prose_of(text: str) -> str:
    """What GitHub looks for mentions in: all but code."""
    page = page_of(text)
    for code in [*page.iter("code"), *page.iter("pre")]:
        code.clear()
    return str(page.text_content())


@pytest.mark.parametrize("name", ["pass", "fail", "mixed", "invalid", "compared"])
def test_a_comment_is_told_as_reviewed(name: str, update_goldens: bool) -> None:
    assert_golden(f"{name}-comment.md", render(OUTCOMES[name], FACTS, ENGLISH).encode(), update=update_goldens)


def test_a_korean_comment_is_told_as_reviewed(update_goldens: bool) -> None:
    told = render(MIXED, FACTS, texts_in(Language.KO)).encode()
    assert_golden("mixed-comment.ko.md", told, update=update_goldens)


@every_outcome
def test_github_strips_nothing_and_every_row_is_whole(name: str, language: Language) -> None:
    page = page_of(render(OUTCOMES[name], FACTS, texts_in(language)))
    assert {element.tag for element in page.iter()} <= KEPT_TAGS
    for table in page.iter("table"):
        assert len({len(row) for row in table.iter("tr")}) == 1


@every_outcome
def test_the_only_link_is_that_of_the_run(name: str, language: Language) -> None:
    page = page_of(render(OUTCOMES[name], FACTS, texts_in(language)))
    assert [each.get("href") for each in page.iter("a")] == [RUN]
    assert list(page.iter("img")) == []


@every_outcome
def test_a_comment_mentions_nobody_and_hides_nothing(name: str, language: Language) -> None:
    text = render(OUTCOMES[name], FACTS, texts_in(language))
    assert not re.search(r"<!|(?m:^\s*::)", text)
    assert not re.search(r"@\w|#\d", prose_of(text))


@every_outcome
def test_the_verdict_is_the_first_line(name: str, language: Language) -> None:
    first = render(OUTCOMES[name], FACTS, texts_in(language)).splitlines()[0]
    assert re.match(r"## (✅|❌|🟡|⚪|⛔|⚠️) \S", first)


def test_broken_gates_are_told_in_full_and_what_passed_is_folded() -> None:
    text = render(of_runs(TROUBLE), FACTS, ENGLISH)
    opened, _, folded = text.partition("<details>")
    assert "1451 of 1,600 requests good (90.68%)" in opened
    assert "**To do:** Lower the load, or give the server more capacity." in opened
    assert "error_rate <= 5%" not in opened
    assert "error_rate <= 5%" in folded


def test_the_table_has_a_row_for_each_scenario_the_gravest_first() -> None:
    page = page_of(render(MIXED, FACTS, ENGLISH))
    rows = [[cell.text_content() for cell in row] for row in next(page.iter("table")).iter("tr")][1:]
    assert [(row[1], row[2]) for row in rows] == [
        ("scenarios/chat.yaml", "invalid"),
        ("qwen3-14b-chat", "fail"),
        ("regression", "fail"),
        ("scenarios/quickstart.yaml", "could not measure"),
        ("quickstart", "pass"),
    ]
    worst = "goodput >= 95% at concurrency <= 50 at concurrency 50observed 90.68%, target >= 95%"
    assert rows[1][4:] == ["85.1%", worst]


def test_where_every_gate_holds_the_table_names_none() -> None:
    page = page_of(render(of_runs(CLEAN, CLEAN), FACTS, ENGLISH))
    head = next(page.iter("table")).find(".//tr")
    assert [cell.text_content() for cell in head] == ["", "Scenario", "Verdict", "Gates", "Lowest goodput"]


def test_a_comparison_tells_what_differs_and_says_its_verdict_once() -> None:
    text = render(COMPARED, FACTS, ENGLISH)
    assert text.count("2 worse, 2 better") == 1
    assert "| concurrency 8 | p50(ttft) | B |" in text


def test_an_interruption_is_told_beside_what_was_measured() -> None:
    text = render(INTERRUPTED, FACTS, ENGLISH)
    assert "## ⛔ INTERRUPTED: quickstart" in text
    assert "\n\ninterrupted by Ctrl-C.\n\n" in text
    assert "<summary><b>quickstart</b> in full: 13 gate checks, 6 steps</summary>" in text


def test_a_gate_that_only_warns_is_told_too_where_it_fails() -> None:
    opened, _, _ = render(of_runs(TROUBLE), FACTS, ENGLISH).partition("<details>")
    assert "**fail, warning only** at concurrency 50: `output_tps >= 1800 tok/s`" in opened


def test_one_scenario_needs_no_table_of_scenarios() -> None:
    assert "Lowest goodput" not in render(of_runs(TROUBLE), FACTS, ENGLISH)
    assert "Lowest goodput" in render(MIXED, FACTS, ENGLISH)


# ---------------------------------------------------------------- its foot


STAYS = "Later runs that come to the same verdicts leave this comment as it is; each run has figures of its own."


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        pytest.param(FACTS, f"Measured at `{SHA[:12]}` in [this run of the workflow]({RUN}). {STAYS}", id="both"),
        pytest.param(Facts(SHA), f"Measured at `{SHA[:12]}`. {STAYS}", id="a commit"),
        pytest.param(Facts(run_url=RUN), f"Measured in [this run of the workflow]({RUN}). {STAYS}", id="a run"),
        pytest.param(Facts(), STAYS, id="neither"),
        pytest.param(Facts("", "", "always"), "Each run rewrites this comment.", id="always"),
        pytest.param(Facts("`x`"), STAYS, id="a commit that is none"),
        pytest.param(Facts(run_url="javascript:alert(1)"), STAYS, id="a script"),
        pytest.param(Facts(run_url="https://x/y) [z](https://evil.example/"), STAYS, id="a link in a link"),
    ],
)
def test_the_foot_says_where_the_figures_are_from(facts: Facts, told: str) -> None:
    assert render(of_runs(CLEAN), facts, ENGLISH).endswith(f"\n\n---\n{told}\n")


# ---------------------------------------------------------------- its size


def huge() -> Outcome:
    """64 scenarios of ten broken gates each, with long texts."""
    step = TROUBLE.steps[1]
    verdict = replace(step.verdicts[0], because=HOSTILE * 20, remedy="<" * 5000)
    long = replace(step, verdicts=(verdict,) * 10)
    runs = [
        replace(TROUBLE, header=replace(TROUBLE.header, scenario=f"cell-{number}"), steps=(long,))
        for number in range(64)
    ]
    return of_runs(*runs)


def test_a_huge_comment_stays_within_githubs_limit_and_says_what_it_left_out() -> None:
    text = render(huge(), FACTS, ENGLISH)
    assert len(text) <= LIMIT
    assert text.count("| cell-") == 64
    left = [int(count.replace(",", "")) for count in re.findall(r"…and ([\d,]+)", text)]
    items = len(re.findall(r"(?m)^- ❌ ", text))
    assert items + left[0] == 640
    assert text.count("<details>") + left[1] == 64
    assert page_of(text).findall(".//details")


def test_problems_without_end_are_counted() -> None:
    problems = tuple(Problem("a.yaml", line, 1, "spec", HOSTILE * 10, HOSTILE * 10) for line in range(2_000))
    text = render(Outcome(Command.VALIDATE, 2, (Entry("a.yaml", 2, problems=problems),)), FACTS, ENGLISH)
    assert len(text) <= LIMIT
    assert re.search(r"…and 1,9\d\d more", text)


@pytest.mark.parametrize("count", [65, 5_000])
def test_rows_without_end_are_counted(count: int) -> None:
    text = render(Outcome(Command.APPLY, 5, SERVER_DOWN.entries * count), FACTS, ENGLISH)
    assert len(text) <= LIMIT
    assert f"…and {count - 64:,} more" in text


# ---------------------------------------------------------------- hostile texts

EVIL = st.text(st.sampled_from("<>!-@#[]()`*_|\\:/&;~$= \n\tawh1") | st.characters(), max_size=60) | st.sampled_from(
    [
        "<!-- llmload:comment key=gate digest=0 -->",
        "--> @admin <img src=x onerror=alert(1)>",
        "</summary></details><script>x</script>",
        "\n\n# heading\n\n<!--",
        "::error::x",
        "::stop-commands::x",
        "https://evil.example",
        "[x](https://evil.example)",
        "```\n</details>",
    ]
)


@settings(max_examples=15, deadline=None)
@given(EVIL, EVIL)
def test_no_text_becomes_markup(name: str, words: str) -> None:
    first = TROUBLE.steps[0]
    verdicts = tuple(replace(each, because=words, remedy=words, step=name) for each in first.verdicts)
    run = replace(
        TROUBLE,
        header=replace(TROUBLE.header, scenario=name, run_id=name),
        because=words,
        steps=(replace(first, verdicts=verdicts[:2]),),
    )
    problem = Problem(name, 3, 4, name, words, words)
    entries = (Entry(name, 3, run), Entry(name, 2, problems=(problem,)), Entry(name, 5, message=words))
    tags = {
        element.tag for harmless in (MIXED, COMPARED) for element in page_of(render(harmless, FACTS, ENGLISH)).iter()
    }
    for command in (Command.APPLY, Command.COMPARE):
        text = render(Outcome(command, 3, entries[: 1 if command is Command.COMPARE else 3]), FACTS, ENGLISH)
        page = page_of(text)
        assert {element.tag for element in page.iter()} <= tags
        assert [each.get("href") for each in page.iter("a")] == [RUN]
        assert not re.search(r"<!|(?m:^\s*::)", text)
        assert not re.search(r"@\w", prose_of(text))


def test_names_of_runs_make_no_markup_in_a_comparison() -> None:
    header = replace(REGRESSED.header, run_id=HOSTILE, scenario=HOSTILE)
    runs = of_runs(CLEAN, replace(REGRESSED, header=header)).entries
    page = page_of(render(Outcome(Command.COMPARE, 1, runs), FACTS, ENGLISH))
    assert {element.tag for element in page.iter()} <= KEPT_TAGS
    assert [each.get("href") for each in page.iter("a")] == [RUN]
