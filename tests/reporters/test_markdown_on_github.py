"""report.md as GitHub shows it: nothing stripped, no table broken, every picture there, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import groupby

import lxml.html
import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len

from llmload.reporters import markdown
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Caveat, Status
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
"""GitHub's dialect is CommonMark with tables, strikethrough and autolinks (github.github.com/gfm); test_escaping.py
holds that no address becomes a link.
"""

KEPT_TAGS = frozenset(
    """h1 h2 h3 h4 h5 h6 h7 h8 br b i strong em a pre code img tt div ins del sup sub p picture ol ul table thead tbody
    tfoot blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike summary details caption figure
    figcaption abbr bdo cite dfn mark small source span time wbr""".split()  # noqa: SIM905
)
"""What GitHub keeps of HTML: gjtorikian/html-pipeline, lib/html/pipeline/sanitization_filter.rb, ALLOWLIST."""

KEPT_ATTRIBUTES = {"img": {"src", "alt"}, "a": {"href"}}
"""The few that we could need, of the same list. A table's alignment comes from its rule and is GitHub's own style."""

RUNS = {
    "clean": CLEAN,
    "full of trouble": TROUBLE,
    "imported": FROM_LOADTEST,
    "measured in turns": REGRESSED,
    "against three runs": ADVISED,
    "against none like it": UNLIKE,
    "nothing measured": replace(
        TROUBLE, target=None, steps=(), timeline=None, gpus=(), server=None, status=Status.ERROR, exit_code=5
    ),
}
every_report = pytest.mark.parametrize(
    ("name", "language"), [pytest.param(name, each, id=f"{name}, {each}") for name in RUNS for each in Language]
)


@cache
def files_of(name: str, language: Language) -> Mapping[str, bytes]:
    return markdown.render(RUNS[name], texts_in(language))


def text_of(name: str, language: Language) -> str:
    return files_of(name, language)["report.md"].decode()


@every_report
def test_github_strips_nothing(name: str, language: Language) -> None:
    page = lxml.html.fromstring(f"<div>{GITHUB.render(text_of(name, language))}</div>")
    for element in page.iter():
        assert element.tag in KEPT_TAGS
        styled = {"style"} if element.tag in ("td", "th") else set()
        assert set(element.attrib) <= KEPT_ATTRIBUTES.get(element.tag, set()) | styled


@every_report
def test_every_row_has_as_many_cells_as_its_head(name: str, language: Language) -> None:
    page = lxml.html.fromstring(f"<div>{GITHUB.render(text_of(name, language))}</div>")
    tables = page.findall(".//table")
    for table in tables:
        assert len({len(row) for row in table.iter("tr")}) == 1
    assert sum(len(table.findall(".//tr")) for table in tables) + len(tables) == sum(
        line.startswith("|") for line in text_of(name, language).splitlines()
    )


@every_report
def test_pictures_are_the_files_beside_the_report(name: str, language: Language) -> None:
    files, shown = files_of(name, language), []
    for image in lxml.html.fromstring(f"<div>{GITHUB.render(text_of(name, language))}</div>").iter("img"):
        shown.append(image.get("src"))
        assert image.get("alt")
    assert ["report.md", *shown] == list(files)
    assert all(re.fullmatch(r"report-[a-z]+\.svg", each) and files[each].startswith(b"<svg") for each in shown)


@every_report
def test_report_and_pictures_together_are_small_enough_to_commit(name: str, language: Language) -> None:
    assert sum(map(len, files_of(name, language).values())) < markdown.SIZE_LIMIT


def tables_in(text: str) -> Iterator[list[str]]:
    for is_row, lines in groupby(text.splitlines(), key=lambda line: line.startswith("|")):
        if is_row:
            yield list(lines)


@every_report
def test_columns_are_aligned_in_the_source(name: str, language: Language) -> None:
    for lines in tables_in(text_of(name, language)):
        short = [line for line in lines if all(cell_len(cell.strip()) <= 72 for cell in re.split(r"(?<!\\)\|", line))]
        bars = {tuple(cell_len(line[: bar.start()]) for bar in re.finditer(r"(?<!\\)\|", line)) for line in short}
        assert len(bars) == 1, "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "golden"), [("clean", "clean"), ("full of trouble", "trouble"), ("against three runs", "advised")]
)
def test_a_korean_report_is_told_as_reviewed(name: str, golden: str, update_goldens: bool) -> None:
    told = files_of(name, Language.KO)["report.md"]
    assert_golden(f"{golden}-report.ko.md", told, update=update_goldens)


def test_charts_come_below_the_verdict_and_the_gates() -> None:
    text = text_of("full of trouble", Language.EN)
    places = [text.index(each) for each in ("## What to look at", "## Gates", "## Charts", "## Steps")]
    assert places == sorted(places)


def test_a_run_that_measured_nothing_shows_no_chart() -> None:
    assert list(files_of("nothing measured", Language.EN)) == ["report.md"]
    assert "## Charts" not in text_of("nothing measured", Language.EN)


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
    files = markdown.render(run, texts_in(Language.EN))
    text = files["report.md"].decode()
    assert sum(map(len, files.values())) < markdown.SIZE_LIMIT
    assert "more; `result.json` has them all" in text
    assert "more; `steps.csv` has them all" in text


def test_a_picture_without_room_is_left_out_and_those_after_it_are_shown() -> None:
    gpus = tuple(replace(CLEAN.gpus[0], index=number, uuid=f"GPU-{number}") for number in range(40))
    files = markdown.render(replace(CLEAN, gpus=gpus), texts_in(Language.EN))
    text = files["report.md"].decode()
    assert sum(map(len, files.values())) < markdown.SIZE_LIMIT
    assert "report-gpu.svg" not in files
    assert "report-gpu.svg" not in text
    assert "(report-capacity.svg)" in text
    assert "…and 1 more; `report.html` has them all." in text
    assert "…and 10 more; `result.json` has them all." in text
