"""A comparison told for people, for pull requests and for machines; nothing hostile gets out of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.analysis.comparison import Cell, Comparison, Contrast, compare
from llmload.analysis.differences import Basis
from llmload.baseline import Estimate
from llmload.reporters import comparison_html, comparison_json, comparison_markdown, comparison_text
from llmload.reporters import comparison_wording as words
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Caveat
from tests.analysis.compared import estimates, metrics, run, step
from tests.recorded_runs import HOSTILE
from tests.reporters.test_result_json import closed

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "comparison-v1.schema.json").read_text(encoding="utf-8"))

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
MIXED = compare(
    [
        run(
            step({**estimates({"p50(ttft)": 100.0, "p95(ttft)": 150.0, "rps": 10.0}), "p99(ttft)": Estimate(math.inf)}),
            step(concurrency=1),
            name="before",
        ),
        run(
            step(
                {**estimates({"p50(ttft)": 120.0, "rps": 12.0}), "p99(ttft)": Estimate(400.0), "goodput": Estimate(1.0)}
            ),
            name="after",
            fingerprint={"gpu": "H100", "model": "tiny"},
        ),
    ]
)
ALIKE = compare([run(step(), name="one"), run(step(), name="two"), run(step(), name="three")])
NASTY = compare(
    [
        run(step(), name=HOSTILE, fingerprint={"gpu": HOSTILE}),
        replace(
            run(step(caveats=[Caveat(HOSTILE, HOSTILE, HOSTILE, is_fatal=True)]), fingerprint={HOSTILE: HOSTILE}),
            run_id=HOSTILE,
            scenario=HOSTILE,
            created=HOSTILE,
        ),
        run(step(), fingerprint={}),
    ]
)
CELLS = compare([run(step(), name=f"of-{size}", fingerprint={"cell": f"max_num_seqs={size}"}) for size in (4, 64)])
EVERY = [pytest.param(MIXED, id="mixed"), pytest.param(ALIKE, id="alike"), pytest.param(NASTY, id="hostile")]


@pytest.mark.parametrize("comparison", EVERY)
def test_a_comparison_is_what_its_schema_says_and_nothing_else(comparison: Comparison) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(closed(SCHEMA)).validate(json.loads(comparison_json.render(comparison)))


def test_machines_read_what_each_figure_came_to() -> None:
    told = json.loads(comparison_json.render(MIXED))
    assert (told["is_different"], told["intervals"]) == (True, 2)
    rows = {row["figure"]: (row["value"], row["is_infinite"], row["others"][0]) for row in told["rows"]}
    value, is_infinite, other = rows["p50(ttft)"]
    assert (value, is_infinite, other["value"], other["difference"], other["verdict"]) == (
        100,
        False,
        120,
        0.2,
        "worse",
    )
    assert other["basis"] == "within"
    assert other["low"] < 0.2 < other["high"]
    assert rows["p99(ttft)"][:2] == (None, True)
    assert rows["p99(ttft)"][2]["verdict"] == "undecided"
    assert rows["p95(ttft)"][2]["verdict"] == "n/a"
    assert told["differing"] == [{"run": 1, "key": "gpu", "theirs": "L4", "ours": "H100"}]
    assert told["not_compared"] == [{"run": 1, "step": "concurrency 1", "because": "has no such step"}]


def test_people_read_the_table_and_the_verdict_last() -> None:
    assert comparison_text.render(MIXED).decode() == EXPECTED


EXPECTED = """\
A  before  chat, 2026-11-21T00:00:00.000Z, pass
B  after   chat, 2026-11-21T00:00:00.000Z, pass

Measured under other conditions:
  B  gpu  L4 -> H100

Not compared:
  B at concurrency 1: has no such step

concurrency 8  A       B       difference  interval          verdict    from
  p50(ttft)    100 ms  120 ms  +20.0%      +16.1% to +24.0%  worse      one climb
  p95(ttft)    150 ms  n/a                                   n/a
  p99(ttft)    never   400 ms                                undecided
  goodput      n/a     100%                                  n/a
  rps          10/s    12/s    +20.0%      +16.1% to +24.0%  better     one climb

Better or worse: the whole interval is beyond 5% or 1 ms, whichever is more, and
  5 points of a share. Same: all of it is within. Undecided: neither, or no
  interval.
Each of the 2 intervals is at 97.5%, so that all of them hold together at 95%.
one climb: block bootstrap, which sees only the noise within each run: a mere
  restart of the server may look like a difference. Runs with decision.repeats
  are compared better.

Different: 1 worse, 1 better, 1 undecided, 2 n/a
"""


def test_a_step_that_was_not_measured_is_in_the_verdict() -> None:
    assert comparison_text.render(NASTY).decode().splitlines()[-1].endswith("3 same, 3 n/a; 1 not measured")


def test_where_no_figure_could_be_compared_nothing_is_said_to_be_alike() -> None:
    late = step(caveats=[Caveat("client was late", "61 ms", "", is_fatal=True)])
    for sides in ([run(late), run(step())], [run(step()), run()]):
        told = comparison_text.render(compare(sides)).decode().splitlines()[-1]
        assert told.startswith("Nothing could be compared: 0 worse, 0 better")
        assert told.endswith("; 1 not measured")


def test_several_runs_are_told_below_each_other() -> None:
    lines = comparison_text.render(ALIKE).decode().splitlines()
    heading = next(place for place, line in enumerate(lines) if line.startswith("concurrency 8"))
    assert lines[heading].split() == [
        "concurrency",
        "8",
        "run",
        "A",
        "its",
        "own",
        "difference",
        "interval",
        "verdict",
        "from",
    ]
    assert lines[heading + 1].split()[:6] == ["p50(ttft)", "B", "100", "ms", "100", "ms"]
    assert lines[heading + 2].split()[:4] == ["C", "100", "ms", "+0.0%"]
    assert lines[-1].startswith("No difference beyond noise: 0 worse, 0 better, ")


@pytest.mark.parametrize(
    "render",
    [
        pytest.param(comparison_text.render, id="text"),
        pytest.param(comparison_json.render, id="json"),
        pytest.param(lambda comparison: comparison_markdown.render(comparison, ENGLISH), id="markdown"),
        pytest.param(lambda comparison: comparison_markdown.render(comparison, KOREAN), id="markdown in Korean"),
    ],
)
@pytest.mark.parametrize("comparison", EVERY)
def test_nothing_that_a_terminal_obeys_gets_out(render: Callable[[Comparison], bytes], comparison: Comparison) -> None:
    told = render(comparison).decode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", told)


def test_hostile_text_makes_no_markup_in_a_pull_request() -> None:
    told = comparison_markdown.render(NASTY, ENGLISH).decode()
    assert "<script>" not in told
    assert "@everyone" not in told
    assert "](http" not in told.replace("\\]", "")
    tables = [line for line in told.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {4, 5, 9, 10}


def test_a_pull_request_reads_what_differs_before_everything_else() -> None:
    told = comparison_markdown.render(MIXED, ENGLISH).decode()
    assert told.startswith("# Comparison\n\n**Different: 1 worse, 1 better, 1 undecided, 2 n/a**\n")
    assert told.index("| concurrency 8 | p50(ttft) | B | 100 ms | 120 ms | +20.0% |") < told.index("<details>")
    assert told.count("<details>") == told.count("</details>") == 1


def test_a_huge_comparison_stays_small_and_says_what_it_left_out() -> None:
    ladder = [step(concurrency=level) for level in range(1, 400)]
    told = comparison_markdown.render(compare([run(*ladder), run(*ladder)]), ENGLISH)
    assert len(told) < comparison_markdown.SIZE_LIMIT
    assert b"more steps; the JSON format has them all" in told


@pytest.mark.parametrize(
    ("place", "name"), [(0, "A"), (1, "B"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ"), (702, "AAA")]
)
def test_a_run_has_a_letter(place: int, name: str) -> None:
    assert words.letter(place) == name


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        pytest.param(0.1, "+10.0%", id="one decimal"),
        pytest.param(-0.0312, "-3.1%", id="with its sign"),
        pytest.param(0.0, "+0.0%", id="none at all"),
        pytest.param(-0.0001, "0.0%", id="next to none is not less than none"),
        pytest.param(0.05, "+5.0%", id="the margin itself"),
        pytest.param(0.0503, "+5.03%", id="just beyond the margin does not read as the margin"),
        pytest.param(-0.0497, "-4.97%", id="just within it neither"),
        pytest.param(123.4, "+12,340%", id="many times as much"),
        pytest.param(727_425.0, "over +100,000%", id="as much as one likes"),
    ],
)
def test_a_difference_reads(difference: float, told: str) -> None:
    cell = Cell(1.0, difference, None, None, Contrast.UNDECIDED, Basis.NOTHING)
    assert words.difference("rps", cell, ENGLISH) == told


def test_a_share_differs_by_points() -> None:
    cell = Cell(0.9, -0.1, -0.12, -0.08, Contrast.WORSE, Basis.COUNTS)
    assert words.difference("goodput", cell, ENGLISH) == "-10.0 points"
    assert words.interval("goodput", cell, ENGLISH) == "-12.0 to -8.0 points"


def test_the_legend_tells_only_of_what_there_is() -> None:
    told = " ".join(words.rules(MIXED, ENGLISH))
    assert "one climb:" in told
    assert "repeats: a t interval" not in told
    counted = step({"goodput": Estimate(1.0)}, of=metrics())
    assert "counts:" in " ".join(words.rules(compare([run(counted), run(counted)]), ENGLISH))


def test_runs_are_called_the_same_only_where_most_figures_show_it() -> None:
    wide = {**estimates({"rps": 10.0}), "p50(ttft)": Estimate(100.0, 0.5), "p95(ttft)": Estimate(150.0, 0.5)}
    unsure = compare([run(step(wide)), run(step(wide))])
    assert comparison_html.told(ALIKE, ENGLISH, ())["word"] == "same"
    assert comparison_html.told(unsure, ENGLISH, ())["word"] == "undecided"


@pytest.mark.parametrize(
    "render",
    [
        pytest.param(comparison_text.render, id="text"),
        pytest.param(lambda comparison: comparison_markdown.render(comparison, ENGLISH), id="markdown"),
        pytest.param(lambda comparison: comparison_html.render(comparison, ENGLISH), id="html"),
    ],
)
def test_runs_of_a_matrix_are_told_with_their_cell(render: Callable[[Comparison], bytes]) -> None:
    told = render(CELLS).decode().replace("\\", "")
    assert "chat [max_num_seqs=4]" in told
    assert "chat [max_num_seqs=64]" in told
