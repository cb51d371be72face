"""The summary of a job: what broke first, within its budget, and nothing hostile in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import lxml.html
import pytest
from markdown_it import MarkdownIt

from llmload.domain import RunResult
from llmload.errors import Problem
from llmload.outcome import Command, Entry, Outcome
from llmload.planned import Step
from llmload.promises import Bound, Gate
from llmload.reporters.step_summary import SIZE_LIMIT, render
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Evidence, Status, Verdict
from tests.recorded_outcomes import COMPARED, HOSTILE_INVALID, INTERRUPTED, INVALID, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, HOSTILE, LONG_ERROR, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden
from tests.reporters.test_markdown_on_github import KEPT_TAGS

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
LONGEST = (HOSTILE + LONG_ERROR + "`|<@everyone>#1 " * 40) * 2


@cache
def cell(number: int, statuses: Sequence[Status], text: str) -> RunResult:
    """A run of one step with ten gates."""
    step = Step(0, "concurrency", 8)
    seen = Evidence(0.9, 0.95, 0.88, 0.92, 1600, 2.4, 663, 0.95, 4)
    verdicts = tuple(
        Verdict(
            Gate("goodput", Bound(">=", 0.9 + n / 1000), id=f"gate-{n}-{text}" if text else "", line=n + 1),
            step.label,
            statuses[n % len(statuses)],
            f"only 90% of the requests were good {text}",
            f"Give the server more capacity {text}",
            evidence=seen,
        )
        for n in range(10)
    )
    worst = min(statuses, key=[Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.PASS].index)
    code = {Status.FAIL: 3, Status.ERROR: 5}.get(worst, 0)
    name = f"cell-{number}{text}"
    header = replace(CLEAN.header, scenario=name, run_id=f"01J{number:023}", source=f"{name}.yaml")
    steps = (replace(CLEAN.steps[1], step=step, verdicts=verdicts),)
    return replace(CLEAN, header=header, steps=steps, status=worst, exit_code=code, because=f"so it is {text}")


def matrix(cells: int, *statuses: Sequence[Status], text: str = "") -> Outcome:
    return of_runs(*(cell(number, statuses[number % len(statuses)], text) for number in range(cells)))


PASSES, FAILS = (Status.PASS,), (Status.FAIL,)
MIX = (Status.FAIL, Status.PASS, Status.INCONCLUSIVE, Status.ERROR)


OUTCOMES = {
    "clean": of_runs(CLEAN),
    "trouble": of_runs(TROUBLE),
    "invalid": INVALID,
    "mixed": MIXED,
    "compared": COMPARED,
    "down": SERVER_DOWN,
    "hostile": HOSTILE_INVALID,
    "interrupted": INTERRUPTED,
    "two compared with one that is gone": replace(
        COMPARED, exit_code=5, entries=(*COMPARED.entries, *SERVER_DOWN.entries)
    ),
    "hostile names that pass": matrix(3, PASSES, text=LONGEST),
    "hostile names that fail": matrix(3, MIX, text=HOSTILE),
    "nothing": Outcome(Command.APPLY, 70, ()),
}
EVERY = [pytest.param(outcome, id=name) for name, outcome in OUTCOMES.items()]


def told(outcome: Outcome, limit: int = SIZE_LIMIT) -> str:
    return render(outcome, ENGLISH, "llmload-reports", limit).decode()


def page_of(text: str) -> lxml.html.HtmlElement:
    return lxml.html.fromstring(f"<div>{GITHUB.render(text)}</div>")


def seen(outcome: Outcome) -> str:
    """The text that a reader sees, without the fences' own marks."""
    return str(page_of(told(outcome)).text_content())


@pytest.mark.parametrize("name", ["clean", "trouble", "invalid", "mixed", "compared"])
def test_an_outcome_is_summarised_as_reviewed(name: str, update_goldens: bool) -> None:
    assert_golden(f"{name}-summary.md", told(OUTCOMES[name]).encode(), update=update_goldens)


def test_a_summary_in_korean_is_as_reviewed(update_goldens: bool) -> None:
    assert_golden("mixed-summary.ko.md", render(MIXED, KOREAN, "llmload-reports"), update=update_goldens)


# ---------------------------------------------------------------- what a reviewer reads


def test_the_first_line_says_what_all_came_to() -> None:
    first = told(MIXED).splitlines()[0]
    assert first == "## ⛔ INVALID: 5 scenarios · 1 invalid, 2 fail, 1 could not measure, 1 pass"


def test_what_broke_is_read_before_any_table() -> None:
    text = told(of_runs(TROUBLE))
    before = text[: text.index("\n|")]
    for words in (
        "**fail** at concurrency 50: `goodput >= 95% at concurrency <= 50`",
        "Observed 90.68%, 4.31 points below the target (>= 95%); interval 88.12% to 92.74%",
        "**To do:** Lower the load, or give the server more capacity.",
    ):
        assert words in before


def test_what_passes_is_folded_and_what_fails_is_open() -> None:
    text = told(MIXED)
    folds = re.findall(r"<summary>(.*?)</summary>", text)
    assert folds == [
        "In full: 8 gate checks, 4 steps, 6 caveats, 8 findings",
        "In full: 3 gate checks, 1 step",
        "✅ <b>quickstart</b>: pass · 13 gate checks: 13 passed",
    ]
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        "### ⛔ scenarios/chat.yaml: invalid",
        "### ❌ qwen3-14b-chat: fail",
        "### ❌ regression: fail",
        "### ⛔ scenarios/quickstart.yaml: could not measure",
    ]


def test_an_outcome_of_nothing_has_no_table_of_scenarios() -> None:
    for command in Command:
        told = render(Outcome(command, 0, ()), texts_in(Language.EN)).decode()
        assert told.startswith("## ⛔ ")
        assert "|" not in told


def test_one_scenario_needs_no_table_of_scenarios() -> None:
    assert "Lowest goodput" not in told(of_runs(TROUBLE))
    assert "Lowest goodput" in told(MIXED)


def test_tables_of_figures_are_folded_and_the_fold_says_what_is_in_it() -> None:
    page = page_of(told(of_runs(TROUBLE)))
    assert page.findall("./table") == []
    assert [fold.find("summary").text for fold in page.iter("details")] == [
        "In full: 8 gate checks, 4 steps, 6 caveats, 8 findings"
    ]


def test_what_to_do_about_a_gate_is_said_once_and_not_for_each_of_its_loads() -> None:
    run = cell(0, FAILS, "")
    (step,) = run.steps
    again = replace(step, step=Step(1, "concurrency", 16), verdicts=step.verdicts[:1])
    text = told(of_runs(replace(run, steps=(replace(step, verdicts=step.verdicts[:1]), again))))
    assert text.count("**fail** at concurrency") == 2
    assert text.count("**To do:**") == 1


def test_loads_of_one_axis_are_named_together() -> None:
    run = cell(0, FAILS, "")
    (step,) = run.steps
    shown = replace(step, verdicts=tuple(replace(step.verdicts[0], step=f"concurrency {n}") for n in (4, 8)))
    both = of_runs(replace(run, steps=(shown,)), CLEAN)
    assert "`goodput >= 90%` at concurrency 4, 8 |" in re.sub(" +", " ", told(both))


def test_a_gate_that_could_not_be_measured_says_so_once_and_tells_no_figure() -> None:
    text = told(of_runs(TROUBLE))
    assert "could not measure: " not in text[: text.index("<details>")]
    assert "n/a" not in text[: text.index("<details>")]


def test_one_cause_for_many_gates_is_told_once_and_nothing_that_was_not_measured_has_a_row() -> None:
    """The server was down: no gate has a figure, and all for one reason."""
    run = cell(0, (Status.ERROR,), "")
    (step,) = run.steps
    verdicts = tuple(replace(each, evidence=None, because="cannot connect") for each in step.verdicts)
    untouched = replace(step, verdicts=verdicts, metrics=replace(step.metrics, attempts=0))
    text = told(of_runs(replace(run, steps=(untouched,))))
    assert text.count("cannot connect") == 1
    assert "\n|" not in text
    assert all(f"`goodput >= {90 + n / 10:g}%` at concurrency 8" in text for n in range(10))


def test_a_recommendation_of_a_lone_run_is_read_without_opening_anything() -> None:
    text = told(of_runs(CLEAN))
    assert text.index("needs 5 × NVIDIA H100") < text.index("<details>")


def test_a_problem_is_shown_with_its_line_and_a_caret() -> None:
    block = page_of(told(INVALID)).find(".//pre/code").text
    assert block == "        ttft: 500\n              ^\n"
    assert "`scenarios/chat.yaml:7:15`" in told(INVALID)


def test_a_caret_stands_under_its_place_in_a_line_of_wide_letters_too_and_in_a_long_one() -> None:
    for before in ("팀: ", "x" * 5_000):
        problem = Problem("a.yaml", 1, len(before) + 1, "spec", "no", "yes", f"{before}HERE{'y' * 5_000}")
        outcome = Outcome(Command.VALIDATE, 2, (Entry("a.yaml", 2, problems=(problem,)),))
        line, caret = page_of(told(outcome)).find(".//pre/code").text.splitlines()
        width = {"팀": 2}
        assert sum(width.get(each, 1) for each in line[: line.index("HERE")]) == caret.index("^")
        assert len(line) < 200


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        pytest.param(SERVER_DOWN, "says nothing for or against the pull request", id="could not measure"),
        pytest.param(of_runs(TROUBLE), "it is no approval of the pull request", id="inconclusive gates"),
        pytest.param(of_runs(TROUBLE), "says nothing for or against the pull request", id="gates without data"),
    ],
)
def test_what_no_verdict_means_for_the_pull_request_is_said_once(outcome: Outcome, words: str) -> None:
    assert told(outcome).count(words) == 1


def test_it_says_where_to_look_next() -> None:
    assert "artifact `llmload-reports`" in told(of_runs(CLEAN))
    assert f"`llmload show {CLEAN.header.run_id}`" in told(of_runs(CLEAN))
    assert "`llmload show RUN`" in told(MIXED)
    assert "artifact" not in render(MIXED, ENGLISH).decode()
    judged_again = replace(of_runs(CLEAN), command=Command.GATE)
    assert "artifact" not in told(judged_again)  # it wrote no reports
    judged_again = replace(judged_again, entries=(replace(judged_again.entries[0], reports=("r/report.md",)),))
    assert "artifact `llmload-reports`" in told(judged_again)


def test_a_comparison_that_is_worse_is_marked_so() -> None:
    assert told(COMPARED).startswith("## ❌ Different: 2 worse, 2 better, 2 same\n\n❌ Figures differ beyond noise")
    better = replace(COMPARED, entries=(COMPARED.entries[0], replace(COMPARED.entries[0], source="again")))
    assert told(replace(better, exit_code=0)).startswith(
        "## ✅ No difference beyond noise: 0 worse, 0 better, 6 same\n"
    )


# ---------------------------------------------------------------- what GitHub makes of it


@pytest.mark.parametrize("outcome", EVERY)
@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["en", "ko"])
def test_github_strips_nothing_and_nothing_hostile_does_anything(outcome: Outcome, texts: object) -> None:
    text = render(outcome, KOREAN if texts is KOREAN else ENGLISH).decode()
    page = page_of(text)
    for element in page.iter():
        assert element.tag in KEPT_TAGS
        assert set(element.attrib) <= {"style"} | ({"class"} if element.tag == "code" else set())
        assert element.tag not in ("a", "img", "script")
    prose = "".join(page.xpath(".//text()[not(ancestor::code)]"))
    assert not re.search(r"@\w|#\d", prose)
    for table in page.findall(".//table"):
        assert len({len(row) for row in table.iter("tr")}) == 1
    assert not [each for each in text if ord(each) < 32 and each != "\n"]


@pytest.mark.parametrize("outcome", EVERY)
def test_every_fold_is_closed(outcome: Outcome) -> None:
    text = told(outcome)
    assert text.count("<details>") == text.count("</details>") == text.count("</summary>")


def test_no_text_ends_a_block_of_code() -> None:
    page = page_of(told(HOSTILE_INVALID))
    (block,) = page.findall(".//pre/code")
    assert "`````" in (block.text or "")
    assert "<script>" in seen(HOSTILE_INVALID)


# ---------------------------------------------------------------- the budget


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(matrix(64, PASSES), id="64 cells of 10 gates pass"),
        pytest.param(matrix(64, FAILS), id="64 cells of 10 gates fail"),
        pytest.param(matrix(64, FAILS, PASSES, MIX, (Status.INCONCLUSIVE, Status.PASS)), id="64 mixed cells"),
        pytest.param(matrix(64, PASSES, text=LONGEST), id="64 cells pass with long texts"),
        pytest.param(matrix(64, FAILS, text=LONGEST), id="64 cells fail with long texts"),
        pytest.param(matrix(64, FAILS, PASSES, MIX, text=LONGEST), id="64 mixed cells with long texts"),
        pytest.param(matrix(1_000, FAILS), id="1,000 cells fail"),
        pytest.param(matrix(1_000, FAILS, PASSES, text=LONGEST), id="1,000 mixed cells with long texts"),
        pytest.param(matrix(1, FAILS, text=LONGEST), id="one cell with long texts"),
    ],
)
def test_a_summary_keeps_to_its_budget_and_names_what_is_broken(outcome: Outcome) -> None:
    rendered = render(outcome, ENGLISH)
    assert len(rendered) <= SIZE_LIMIT
    assert page_of(rendered.decode()).find(".//h2") is not None
    text = rendered.decode()
    verdicts = [verdict for entry in outcome.entries if entry.result for verdict in entry.result.verdicts]
    broken = {str(verdict.gate) for verdict in verdicts if verdict.status is Status.FAIL}
    assert [gate for gate in sorted(broken) if gate not in text] == []


def test_every_broken_gate_of_64_cells_is_named_with_its_cell() -> None:
    text = told(matrix(64, FAILS))
    for number in range(64):
        start = text.index(f"cell-{number}:") if f"cell-{number}:" in text else text.index(f"**cell-{number}**")
        for n in range(10):
            assert f"goodput >= {90 + n / 10:g}%" in text[start : start + 20_000]


def test_what_there_is_no_room_for_is_counted() -> None:
    text = told(matrix(1_000, FAILS))
    named = len(re.findall(r"^(?:### ❌ |- ❌ \*\*)cell-\d+", text, flags=re.MULTILINE))
    (left,) = re.findall(r"…and ([\d,]+) more scenarios to look at\.", text)
    assert named + int(left.replace(",", "")) == 1_000
    assert f"`goodput >= 90%` in {left}" in text


def test_what_passes_loses_its_details_before_what_fails_does() -> None:
    text = told(matrix(64, FAILS, PASSES), limit=120_000)
    assert "cell-1</b>" not in text
    assert text.count("### ❌") == 32


@pytest.mark.parametrize("limit", [0, 40, 300, 1_000, 3_000, 10_000, 50_000])
@pytest.mark.parametrize("outcome", EVERY)
def test_any_budget_is_kept(outcome: Outcome, limit: int) -> None:
    rendered = render(outcome, ENGLISH, "llmload-reports", limit)
    assert len(rendered) <= limit
    assert rendered == b"" or rendered.startswith(b"## ")
    assert rendered.count(b"<details>") == rendered.count(b"</details>")
