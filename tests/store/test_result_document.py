"""A whole run is read back from its result.json: reports tell the same of it, and no strange file gets any further."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmload.analysis.conclusions import breaks_build
from llmload.domain import RunResult
from llmload.errors import DataFileError
from llmload.plain_text import plain
from llmload.planned import Look
from llmload.promises import Bound, Gate, Slo, SloByClass
from llmload.reporters import cases, markdown, result_json
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import Reading, caveats, readings, tally
from llmload.store.result_document import read_run
from llmload.verdict import Caveat, Evidence, Status, Verdict
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TALKS, TROUBLE

TEXTS = texts_in(Language.EN)
RUNS = pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(FROM_LOADTEST, id="imported"),
        pytest.param(REGRESSED, id="against another run"),
        pytest.param(ADVISED, id="advised"),
        pytest.param(TALKS, id="of classes and conversations"),
        pytest.param(UNLIKE, id="against unlike runs"),
        pytest.param(replace(TROUBLE, target=None, steps=(), exit_code=5), id="nothing measured"),
    ],
)
SLOW = replace(TROUBLE, steps=TROUBLE.steps[1:2], timeline=None, gpus=(), server=None)
"""The worst of the steps, without what takes long to draw."""

Change = Callable[[Any], object]


def read(folder: Path, run: RunResult) -> RunResult:
    path = folder / "result.json"
    path.write_bytes(result_json.render(run))
    return read_run(path)


def in_plain_text(reading: Reading) -> list[object]:
    """The document has no control characters, which reports take out as well."""
    values = (getattr(reading, field.name) for field in fields(reading))
    return [without_counts(plain(value)) if type(value) is str else value for value in values]


def as_told(caveat: tuple[str, Caveat]) -> tuple[str, str, bool]:
    where, told = caveat
    return where, without_counts(plain(f"{told.rule}: {told.figure}: {told.remedy} {told.kind}")), told.is_fatal


def without_counts(text: str) -> str:
    """Of a text that the document has cut, nobody knows how long it was."""
    return re.sub(r"\[[\d,]+ more characters\]", "", text)


@RUNS
def test_reports_tell_the_same_of_a_run_that_was_read_back(tmp_path: Path, run: RunResult) -> None:
    ours = read(tmp_path, run)
    assert list(map(in_plain_text, readings(ours, TEXTS))) == list(map(in_plain_text, readings(run, TEXTS)))
    assert tally(ours, TEXTS) == tally(run, TEXTS)
    assert [as_told(each) for each in caveats(ours, TEXTS)] == [as_told(each) for each in caveats(run, TEXTS)]
    assert [breaks_build(each, ours.fails_on) for each in ours.verdicts] == [
        breaks_build(each, run.fails_on) for each in run.verdicts
    ]
    assert without_counts(repr(cases.suites_of(ours))) == without_counts(repr(cases.suites_of(run)))


@pytest.mark.parametrize("run", [SLOW, ADVISED], ids=["slow", "advised"])
def test_the_markdown_report_has_the_same_gates(tmp_path: Path, run: RunResult) -> None:
    ours, theirs = (
        gate_table(markdown.render(each, TEXTS)["report.md"].decode()) for each in (read(tmp_path, run), run)
    )
    assert ours == theirs
    assert len(ours) > len(run.verdicts)


def gate_table(report: str) -> list[str]:
    """Its lines, the head included."""
    _, _, rest = report.partition("## Gates")
    lines = rest.splitlines()
    return [line for line in lines[: next(n for n, each in enumerate(lines) if each.startswith("## "))] if "|" in line]


@RUNS
def test_what_was_read_is_written_and_read_as_it_is(tmp_path: Path, run: RunResult) -> None:
    once = read(tmp_path, run)
    assert without_counts(repr(read(tmp_path, once))) == without_counts(repr(once))


def test_a_share_that_is_judged_turned_round_is_turned_back(tmp_path: Path) -> None:
    evidence = Evidence(0.98125, 0.95, 0.9732, 0.9869, 1600, 1.9, 842.105263, 0.95, 4)
    verdict = Verdict(Gate("error_rate", Bound("<=", 0.05), id="errors"), "concurrency 1", Status.PASS, "kept")
    step = replace(CLEAN.steps[0], verdicts=(replace(verdict, evidence=evidence),))
    assert read(tmp_path, replace(CLEAN, steps=(step,))).verdicts[0].evidence == evidence


def test_gates_and_slos_of_classes_are_read_as_they_were(tmp_path: Path) -> None:
    first = TALKS.steps[0]
    gate = Gate("ttft", Bound("<=", 800), stat="p95", id="chat", traffic_class="chat")
    steps = (replace(first, verdicts=(Verdict(gate, first.step.label, Status.PASS, "kept"),)),)
    slos = {"chat": Slo(ttft_ms=500), "rag": Slo(tpot_ms=50, e2e_ms=9000)}
    ours = read(tmp_path, replace(TALKS, steps=steps, slo=None, slo_by_class=slos))
    assert [str(verdict.gate) for verdict in ours.verdicts] == ["p95(ttft) of chat <= 800ms"]
    assert (ours.verdicts[0].gate, ours.slo_by_class) == (gate, slos)
    assert ours.promised == SloByClass(None, slos)


def test_the_parts_of_the_traffic_are_read_as_they_were(tmp_path: Path) -> None:
    ours = read(tmp_path, TALKS)
    for mine, theirs in zip(ours.steps, TALKS.steps, strict=True):
        assert [(part.axis, part.name) for part in mine.parts] == [
            (part.axis, plain(part.name)) for part in theirs.parts
        ]
        for part, told in zip(mine.parts, theirs.parts, strict=True):
            assert part.metrics == replace(told.metrics, errors=part.metrics.errors, goodput=part.metrics.goodput)
            assert part.metrics.goodput == pytest.approx(told.metrics.goodput, abs=1e-6)


def test_windows_keep_the_climb_that_they_are_of(tmp_path: Path) -> None:
    step = CLEAN.steps[0].step
    looks = (Look(step, 0, 100), Look(step, 1, 200), Look(step, 2, 100, repeat=1))
    run = replace(CLEAN, steps=(replace(CLEAN.steps[0], looks=looks),))
    assert read(tmp_path, run).steps[0].looks == looks


def test_advice_is_taken_over_whole_or_not_at_all(tmp_path: Path) -> None:
    def grow(document: Any) -> None:
        document["recommendation"]["recommendation"]["weather"] = "rain"

    recommendation = read(tmp_path, CLEAN).recommendation
    assert recommendation is not None
    assert recommendation.advice is not None
    assert recommendation.advice.recommended_count == 5
    assert read_run(changed(tmp_path, grow)).recommendation is None


# ---------------------------------------------------------------- strange files


def changed(folder: Path, change: Change, run: RunResult = CLEAN) -> Path:
    document = json.loads(result_json.render(run))
    change(document)
    path = folder / "changed.json"
    path.write_text(json.dumps(document))
    return path


def test_fields_that_this_version_does_not_know_are_skipped(tmp_path: Path) -> None:
    def grow(document: Any) -> None:
        document["weather"] = {"rain": [1, 2]}
        document["steps"][0]["verdicts"][0]["gate"]["mood"] = "good"

    assert read_run(changed(tmp_path, grow)) == read(tmp_path, CLEAN)


def gate_of(document: Any) -> Any:
    return document["steps"][0]["verdicts"][0]["gate"]


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "where"),
    [
        pytest.param(lambda d: d.pop("source"), "source", id="without a source"),
        pytest.param(lambda d: d.update(exit_code=1), "exit_code", id="an exit code that no run has"),
        pytest.param(lambda d: d.update(fails_on=["monday"]), "fails_on[0]", id="another policy"),
        pytest.param(lambda d: d.update(labels={"a": 1}), "labels.a", id="a label that is a number"),
        pytest.param(lambda d: d.update(notices=["n"] * 1001), "notices", id="too many notices"),
        pytest.param(lambda d: d.update(slo={"ttft_ms": 0}), "slo.ttft_ms", id="a limit of nothing"),
        pytest.param(lambda d: d["knee"].update(target=2), "knee.target", id="a share of 200 %"),
        pytest.param(lambda d: d["target"].update(settings={"a": nested(50)}), "target.settings.a", id="deeply nested"),
        pytest.param(lambda d: d["steps"][0].update(value=0), "steps[0].value", id="no load"),
        pytest.param(lambda d: d["steps"].append(d["steps"][0]), "steps[6]", id="a step twice"),
        pytest.param(lambda d: d["steps"][0].update(parts=[{"axis": "mood"}]), "steps[0].parts[0].axis", id="a part"),
        pytest.param(
            lambda d: d["steps"][0].update(parts=[{"axis": "turn", "name": "first"}]),
            "steps[0].parts[0].name",
            id="a turn without a number",
        ),
        pytest.param(lambda d: gate_of(d).update(subject="mood"), "steps[0].verdicts[0].gate.subject", id="no metric"),
        pytest.param(lambda d: gate_of(d).update(op="<"), "steps[0].verdicts[0].gate.op", id="no operator"),
        pytest.param(lambda d: gate_of(d).update(value=None), "steps[0].verdicts[0].gate.value", id="no bound"),
        pytest.param(lambda d: gate_of(d).update(line=-3), "steps[0].verdicts[0].gate.line", id="a negative line"),
        pytest.param(lambda d: gate_of(d).update(level="loud"), "steps[0].verdicts[0].gate.level", id="no level"),
        pytest.param(
            lambda d: d["steps"][0]["verdicts"][0].update(status="splendid"),
            "steps[0].verdicts[0].status",
            id="no word",
        ),
        pytest.param(
            lambda d: d["steps"][0]["verdicts"][0]["evidence"].update(n="many"),
            "steps[0].verdicts[0].evidence.n",
            id="a count in words",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, change: Change, where: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(DataFileError) as raised:
        read_run(path)
    assert raised.value.exit_code == 2
    assert str(raised.value).startswith(f"{path}: {where}: ")


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every member of every object and list within, with what holds it."""
    match value:
        case dict():
            for name, each in value.items():
                yield value, name
                yield from _places(each)
        case list():
            for index, each in enumerate(value):
                yield value, index
                yield from _places(each)


_STRANGE: Sequence[object] = (
    *(None, True, -1, 0, 1e-300, 2.5, 2**53, 2**70, 1e308, [], [[]], {}, {"a": 1}),
    *("", "fail", "x" * 30_000, "\u202e\x1b[2J"),
)
_CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(_STRANGE)), min_size=1, max_size=3)
_ADVISED, _SLOW = result_json.render(ADVISED), result_json.render(SLOW)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([_ADVISED, _SLOW]), _CHANGES)
def test_a_mutilated_file_is_refused_or_can_be_told(
    tmp_path: Path, raw: bytes, changes: list[tuple[int, object]]
) -> None:
    document = json.loads(raw)
    for at, value in changes:
        places = list(_places(document))
        holder, name = places[at % len(places)]
        holder[name] = deepcopy(value)
    path = tmp_path / "mutilated.json"
    path.write_text(json.dumps(document))
    try:
        run = read_run(path)
    except DataFileError:
        return
    assert len(readings(run, TEXTS)) == len(run.verdicts)
    assert tally(run, TEXTS)
    assert cases.suites_of(run)
    assert result_json.render(run)


@given(st.integers(0, len(_SLOW) - 2))
def test_a_file_that_was_cut_off_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.json"
    path.write_bytes(_SLOW[:length].rstrip())
    with pytest.raises(DataFileError, match=r"is not JSON|is missing"):
        read_run(path)
