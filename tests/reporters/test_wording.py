"""What a verdict says is the same in every report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.baseline import Baseline, Design, Difference, Incomparable, NoBaseline, PastRun, Reference
from llmload.domain import Workers
from llmload.promises import At, Bound, Change, Gate, Level
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import caveats, figures, gate_name, read, readings, senders, sentence, tally, worst
from llmload.scenario.gates import parse_gate
from llmload.verdict import Evidence, Status, Verdict
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH = texts_in(Language.EN)


def verdict(gate: Gate, observed: float | None, target: float, low: float | None, high: float | None) -> Verdict:
    return Verdict(
        gate,
        "concurrency 8",
        Status.FAIL,
        "so",
        evidence=Evidence(observed, target, low, high, 200, 1.5, 133.3, 0.9875, 3),
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            verdict(Gate("goodput", Bound(">=", 0.95)), 0.9, 0.95, 0.85, 0.93),
            ("90%", ">= 95%", "85% to 93%", "5 points below the target"),
            id="goodput",
        ),
        pytest.param(
            verdict(Gate("error_rate", Bound("<=", 0.05)), 0.9, 0.95, 0.85, 0.93),
            ("10%", "<= 5%", "7% to 15%", "5 points above the target"),
            id="errors, judged as what completed",
        ),
        pytest.param(
            verdict(Gate("ttft", Bound("<=", 800.0), stat="p95"), 0.91, 0.95, 0.88, 0.94),
            ("91%", ">= 95%", "88% to 94%", "4 points below the target"),
            id="percentile, judged as a share",
        ),
        pytest.param(
            verdict(Gate("ttft", Bound("<=", 800.0), stat="mean"), 912.0, 800.0, 880.5, 940.2),
            ("912 ms", "<= 800ms", "880 to 940 ms", "112 ms (14%) above the target"),
            id="mean",
        ),
        pytest.param(
            verdict(Gate("rps", Bound(">=", 5.0)), 4.5, 5.0, 4.4, 4.6),
            ("4.50/s", ">= 5/s", "4.40/s to 4.60/s", "0.50/s (10%) below the target"),
            id="rate",
        ),
        pytest.param(
            verdict(Gate("goodput", Bound(">=", 0.95)), 0.95, 0.95, None, None),
            ("95%", ">= 95%", "n/a", "exactly the target"),
            id="no interval",
        ),
        pytest.param(
            verdict(Gate("ttft", Bound("<=", 800.0), stat="p95"), None, 800.0, None, None),
            ("n/a", "<= 800ms", "n/a", ""),
            id="nothing observed",
        ),
        pytest.param(
            Verdict(Gate("ttft", Change(0.05), stat="p50"), "concurrency 8", Status.INCOMPARABLE, "no baseline"),
            ("n/a", "<= 5% worse", "n/a", ""),
            id="no baseline",
        ),
        pytest.param(
            verdict(Gate("ttft", Change(0.05, 1.0), stat="p95"), 0.061, 0.05, 0.0123, 0.1),
            ("6.1% worse", "<= 5% worse", "1.23% to 10% worse", "1.1 points above the target"),
            id="worse than the baseline",
        ),
        pytest.param(
            verdict(Gate("goodput", Change(0.05)), -0.02, 0.05, -0.035, 0.01),
            ("2% better", "<= 5% worse", "3.5% better to 1% worse", "7 points below the target"),
            id="better than the baseline, in a share",
        ),
        pytest.param(
            verdict(Gate("rps", Change(0.05)), -0.02, 0.05, -0.03, -0.01),
            ("2% better", "<= 5% worse", "3% to 1% better", "7 points below the target"),
            id="surely better",
        ),
        pytest.param(
            verdict(Gate("e2e", Change(0.05), stat="mean"), 0.0, 0.05, 0.0, 0.0500004),
            ("no change", "<= 5% worse", "no change to 5.00004% worse", "5 points below the target"),
            id="no change, and nearly the target",
        ),
        pytest.param(
            verdict(Gate("goodput", Change(0.05)), 0.0, 0.05, 0.0, 0.0),
            ("no change", "<= 5% worse", "no change", "5 points below the target"),
            id="nothing ever differs",
        ),
        pytest.param(
            verdict(Gate("ttft", Change(0.05), stat="p99"), None, 0.05, None, None),
            ("n/a", "<= 5% worse", "n/a", ""),
            id="beyond every limit",
        ),
        pytest.param(
            verdict(Gate("ttft", Change(0.05), stat="p95"), 0.061, 0.05, None, None),
            ("6.1% worse", "<= 5% worse", "n/a", "1.1 points above the target"),
            id="worse, nobody knows how surely",
        ),
    ],
)
def test_a_verdict_tells_its_figures_in_the_gates_own_terms(told: Verdict, expected: tuple[str, ...]) -> None:
    reading = read(told, None, ENGLISH)
    assert (reading.observed, reading.target, reading.interval, reading.off_by) == expected


def test_the_evidence_is_one_line_with_everything_needed_to_doubt_it() -> None:
    told = verdict(Gate("ttft", Bound("<=", 800.0), stat="p95"), 0.91, 0.95, 0.88, 0.94)
    assert figures(read(told, None, ENGLISH), ENGLISH) == (
        "Observed 91% within 800ms, 4 points below the target (>= 95%); interval 88% to 94% at 98.75% confidence; "
        "n 200, effective n 133 (deff 1.50), 3 looks"
    )


RUNS = tuple(PastRun(str(number), "2026-01-01T00:00:00.000Z", "", {}) for number in range(12))


@pytest.mark.parametrize(
    ("reference", "n", "words"),
    [
        pytest.param(Baseline("here", "s", {}, RUNS), 12, "12 runs", id="earlier runs"),
        pytest.param(Baseline("here", "s", {}, RUNS[:1]), 1, "1 run", id="one earlier run"),
        pytest.param(Baseline("here", "s", {}, RUNS[:5], Design.PAIRED), 5, "5 pairs", id="in turns"),
    ],
)
def test_a_change_says_how_many_runs_it_rests_on(reference: Baseline, n: int, words: str) -> None:
    told = verdict(Gate("ttft", Change(0.05), stat="p95"), 0.061, 0.05, 0.01, 0.1)
    assert told.evidence is not None
    reading = read(replace(told, evidence=replace(told.evidence, n=n)), reference, ENGLISH)
    assert figures(reading, ENGLISH) == (
        "Observed 6.1% worse, 1.1 points above the target (<= 5% worse); "
        f"interval 1% to 10% worse at 98.75% confidence; n {words}"
    )


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        pytest.param(None, "", id="no relative gate"),
        pytest.param(
            Baseline("the store", "s", {}, RUNS),
            "Compared with 12 earlier runs (the store), the newest of 2026-01-01",
            id="runs of unknown commits",
        ),
        pytest.param(
            Baseline("a file", "s", {}, (replace(RUNS[0], commit="0123456789abcdef"),)),
            "Compared with 1 earlier run (a file), the newest of 2026-01-01 at commit 0123456789ab",
            id="a run of a known commit",
        ),
        pytest.param(
            Baseline("run 01A", "s", {}, RUNS[:5], Design.PAIRED),
            "Measured in turns with run 01A: 5 pairs",
            id="in turns",
        ),
        pytest.param(
            Incomparable("the store", (Difference("gpu", "H100", "A100"), Difference("driver", "", "570"))),
            "Compared with nothing: the store was measured under other conditions: gpu was H100 and is A100; "
            "driver was unknown and is 570",
            id="incomparable",
        ),
        pytest.param(
            NoBaseline("there is none", "Record one"),
            "Compared with nothing: there is none. To do: Record one",
            id="none",
        ),
    ],
)
def test_a_report_says_what_the_run_was_compared_with(reference: Reference | None, words: str) -> None:
    assert compared_with(replace(CLEAN, reference=reference), ENGLISH) == words


def test_a_missing_baseline_is_not_counted_as_incomparable() -> None:
    assert tally(ADVISED, ENGLISH) == "4 gate checks: 1 failed, 1 without a baseline, 2 passed"
    assert tally(UNLIKE, ENGLISH) == "1 gate check: 1 incomparable"


def test_an_advisory_verdict_is_marked_as_such() -> None:
    assert [(reading.status, reading.weight) for reading in readings(ADVISED, ENGLISH)] == [
        (Status.FAIL, "advisory"),
        (Status.INCOMPARABLE, ""),
        (Status.PASS, "advisory"),
        (Status.PASS, ""),
    ]


def test_climbs_of_the_ladder_are_told_where_there_were_several() -> None:
    assert climbs(CLEAN, ENGLISH) == ""
    assert climbs(REGRESSED, ENGLISH).startswith("The ladder was climbed 5 times")


def test_a_named_gate_tells_name_and_promise_and_drops_its_place_where_a_column_has_it() -> None:
    gate = Gate("ttft", Bound("<=", 800.0), stat="p95", id="tail", at=At("concurrency", "<=", 50))
    reading = read(verdict(gate, 0.91, 0.95, 0.88, 0.94), None, ENGLISH)
    assert reading.gate == "tail: p95(ttft) <= 800ms at concurrency <= 50"
    assert reading.promise == "p95(ttft) <= 800ms"


def test_a_name_that_was_made_of_the_gates_own_words_is_not_told() -> None:
    assert gate_name(parse_gate("p95(ttft) <= 800ms at concurrency 50")) == "p95(ttft) <= 800ms at concurrency 50"
    assert gate_name(parse_gate("p95(ttft) <= 800ms", id="tail")) == "tail: p95(ttft) <= 800ms"


def test_what_broke_the_build_comes_before_what_only_warns() -> None:
    order = [(reading.status, reading.is_warning) for reading in readings(TROUBLE, ENGLISH)]
    assert order[0] == (Status.FAIL, False)
    assert order.index((Status.FAIL, True)) > order.index((Status.ERROR, False))
    assert order[-1] == (Status.PASS, False)


def test_the_tally_counts_what_is_there() -> None:
    assert tally(CLEAN, ENGLISH) == "13 gate checks: 13 passed"
    assert tally(replace(CLEAN, steps=()), ENGLISH) == "nothing was measured"
    ungated = replace(CLEAN, steps=(replace(CLEAN.steps[0], verdicts=()),))
    assert tally(ungated, ENGLISH) == "no gates"
    assert worst(ungated.steps[0]) is Status.NOT_GATED


def test_a_caveat_of_several_steps_is_told_once_and_fatal_ones_first() -> None:
    spoilt = TROUBLE.steps[2]
    told = caveats(replace(TROUBLE, steps=(TROUBLE.steps[1], spoilt, spoilt)), ENGLISH)
    assert [(where, caveat.rule) for where, caveat in told][:2] == [
        ("concurrency 100, concurrency 100", "client was late"),
        ("the run", "input length unsure"),
    ]


@pytest.mark.parametrize(("text", "told"), [("so", "so."), ("so.", "so."), ("so. ", "so."), ("", ""), ("  ", "")])
def test_a_sentence_has_one_full_stop(text: str, told: str) -> None:
    assert sentence(text) == told


def test_a_warn_level_gate_is_marked() -> None:
    gate = Gate("goodput", Bound(">=", 0.95), level=Level.WARN)
    assert read(verdict(gate, 0.9, 0.95, 0.85, 0.93), None, ENGLISH).is_warning


def test_steps_that_were_sent_alike_are_told_once_with_the_busiest_worker_of_all() -> None:
    alike = [Workers(2, "as asked", share) for share in (0.2, None, 0.5)]
    run = replace(CLEAN, steps=tuple(replace(s, workers=w) for s, w in zip(CLEAN.steps[:3], alike, strict=True)))
    where = "concurrency 1, concurrency 8, concurrency 32"
    assert senders(run, ENGLISH) == [(where, "2 workers: as asked; the busiest used 50% of a core")]
    last = replace(CLEAN.steps[2], workers=Workers(2, "there are more", None))
    ((_, words),) = senders(replace(run, steps=(*run.steps[:-1], last)), ENGLISH)
    assert words == "2 workers, at concurrency 32 because there are more; the busiest used 20% of a core"
    untold = replace(CLEAN, steps=tuple(replace(step, workers=None) for step in CLEAN.steps))
    assert senders(untold, ENGLISH) == []
    assert senders(run, ENGLISH, least=3) == []
