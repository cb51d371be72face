"""A result.json is read back as it was written; whatever is wrong with one is told with its place."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmload.analysis.comparison import compare
from llmload.baseline import Estimate
from llmload.domain import RunResult
from llmload.errors import DataFileError
from llmload.reporters import result_json
from llmload.store.result_file import LARGEST, read_result
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, TALKS, TROUBLE

ESTIMATES = {"p99(e2e)": Estimate(812.5, 0.0125), "p95(ttft)": Estimate(math.inf), "goodput": Estimate(0.975)}
REPEATED = replace(
    CLEAN, steps=tuple(replace(each, estimates=ESTIMATES, repeats=(ESTIMATES, ESTIMATES)) for each in CLEAN.steps[:3])
)
CONVERSED = replace(
    TALKS,
    steps=tuple(
        replace(each, step=replace(each.step, index=place), estimates=ESTIMATES)
        for place, each in enumerate(TALKS.steps)
    ),
)
Change = Callable[[Any], object]


def written(folder: Path, run: RunResult) -> Path:
    path = folder / "result.json"
    path.write_bytes(result_json.render(run))
    return path


def changed(folder: Path, change: Change) -> Path:
    document = json.loads(result_json.render(REPEATED))
    change(document)
    path = folder / "changed.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(REPEATED, id="with repeats"),
        pytest.param(FROM_LOADTEST, id="imported"),
        pytest.param(CONVERSED, id="of conversations"),
        pytest.param(replace(TROUBLE, target=None, steps=()), id="nothing measured"),
    ],
)
def test_what_is_written_is_read_again(tmp_path: Path, run: RunResult) -> None:
    read = read_result(written(tmp_path, run))
    assert (read.run_id, read.status, read.created) == (run.header.run_id, run.status, run.header.created)
    assert len(read.steps) == len(run.steps)
    for ours, theirs in zip(read.steps, run.steps, strict=True):
        assert ours.step == theirs.step
        assert ours.estimates == theirs.estimates
        assert ours.repeats == theirs.repeats
        assert ours.metrics.goodput_low == pytest.approx(theirs.metrics.goodput_low)
        assert ours.metrics.latency == theirs.metrics.latency
        assert [each.is_fatal for each in ours.caveats] == [each.is_fatal for each in theirs.caveats]
        assert (ours.metrics.attempts, ours.metrics.ok) == (theirs.metrics.attempts, theirs.metrics.ok)
        assert [(each.axis, each.metrics.attempts) for each in ours.parts] == [
            (each.axis, each.metrics.attempts) for each in theirs.parts
        ]


def test_a_run_compares_as_its_file_does(tmp_path: Path) -> None:
    read = read_result(written(tmp_path, REPEATED))
    direct = replace(read, steps=REPEATED.steps)
    assert compare([read, read]).rows == compare([direct, direct]).rows != ()


def test_a_file_of_an_earlier_version_has_no_estimates(tmp_path: Path) -> None:
    def forget(document: Any) -> None:
        for step in document["steps"]:
            del step["estimates"], step["repeats"]

    read = read_result(changed(tmp_path, forget))
    assert all(step.estimates == {} and step.repeats == () for step in read.steps)
    assert "p95(ttft)" in {row.figure for row in compare([read, read]).rows}


def test_fields_that_this_version_does_not_know_are_skipped(tmp_path: Path) -> None:
    def grow(document: Any) -> None:
        document["weather"] = {"rain": [1, 2]}
        document["steps"][0]["estimates"]["p50(ttft@eu-1)"] = "later"
        document["steps"][0]["metrics"]["joules"] = -5

    assert read_result(changed(tmp_path, grow)).steps


@pytest.mark.parametrize(
    ("change", "where"),
    [
        pytest.param(lambda d: d.update(apiVersion="llmload/result/v2"), "apiVersion", id="another version"),
        pytest.param(lambda d: d.pop("apiVersion"), "apiVersion", id="of another kind"),
        pytest.param(lambda d: d.pop("run_id"), "run_id", id="without an id"),
        pytest.param(lambda d: d.update(run_id=7), "run_id", id="an id that is a number"),
        pytest.param(lambda d: d.update(scenario="x" * 30_000), "scenario", id="endless text"),
        pytest.param(lambda d: d.update(verdict="splendid"), "verdict", id="no such verdict"),
        pytest.param(lambda d: d.update(fingerprint=[1]), "fingerprint", id="a fingerprint that is a list"),
        pytest.param(lambda d: d["fingerprint"].update(gpu=None), "fingerprint.gpu", id="a key without text"),
        pytest.param(lambda d: d.update(steps={}), "steps", id="steps that are no list"),
        pytest.param(lambda d: d.update(steps=[{}] * 1001), "steps", id="too many steps"),
        pytest.param(lambda d: d["steps"].append(d["steps"][0]), "steps[3]", id="a step twice"),
        pytest.param(lambda d: d["steps"].append(3), "steps[3].axis", id="a step that is a number"),
        pytest.param(lambda d: d["steps"][1].update(axis="temperature"), "steps[1].axis", id="another axis"),
        pytest.param(lambda d: d["steps"][1].update(value="8"), "steps[1].value", id="a load that is text"),
        pytest.param(lambda d: d["steps"][1].update(value=-8), "steps[1].value", id="a negative load"),
        pytest.param(lambda d: d["steps"][0].pop("metrics"), "steps[0].metrics", id="without figures"),
        pytest.param(lambda d: d["steps"][0]["metrics"].update(ok=1e9), "steps[0].metrics.ok", id="more ok than sent"),
        pytest.param(lambda d: d["steps"][0]["metrics"].update(ok=1.5), "steps[0].metrics.ok", id="half a request"),
        pytest.param(lambda d: d["steps"][0]["metrics"].update(ok=True), "steps[0].metrics.ok", id="a count: true"),
        pytest.param(lambda d: d["steps"][0]["metrics"].update(goodput=95), "steps[0].metrics.goodput", id="percent"),
        pytest.param(lambda d: d["steps"][0]["metrics"].update(rps=1e300), "steps[0].metrics.rps", id="endlessly fast"),
        pytest.param(
            lambda d: d["steps"][0]["metrics"]["latency"]["ttft"].update(p95_ms=None),
            "steps[0].metrics.latency.ttft.p95_ms",
            id="a latency without its percentile",
        ),
        pytest.param(
            lambda d: d["steps"][0]["estimates"].update({"p99(e2e)": 5}),
            "steps[0].estimates.p99(e2e)",
            id="an estimate that is a number",
        ),
        pytest.param(
            lambda d: d["steps"][0]["estimates"]["p99(e2e)"].update(log_error=-1),
            "steps[0].estimates.p99(e2e).log_error",
            id="a negative error",
        ),
        pytest.param(lambda d: d["steps"][0].update(repeats=5), "steps[0].repeats", id="repeats that are no list"),
        pytest.param(lambda d: d["steps"][0].update(caveats=[{}]), "steps[0].caveats[0]", id="an empty caveat"),
        pytest.param(lambda d: d["steps"][0].pop("caveats"), "steps[0].caveats", id="without caveats"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, change: Change, where: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(DataFileError) as raised:
        read_result(path)
    assert raised.value.exit_code == 2
    assert str(raised.value).startswith(f"{path}: {where}")
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"{", "is not JSON", id="cut off"),
        pytest.param(b"\xff\xfe{}", "is not JSON", id="another encoding"),
        pytest.param(b"[" * 100_000, "is not JSON", id="endlessly nested"),
        pytest.param(b"[]", "apiVersion: is missing", id="a list"),
        pytest.param(b"null", "apiVersion: is missing", id="null"),
        pytest.param(b" " * (LARGEST + 1), "is larger than 10,000,000 bytes", id="too large"),
        pytest.param(json.dumps({"apiVersion": HOSTILE.replace("\ud800", "")}).encode(), "and not", id="hostile"),
    ],
)
def test_what_is_no_result_is_refused_in_one_harmless_line(tmp_path: Path, raw: bytes, problem: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(raw)
    with pytest.raises(DataFileError) as raised:
        read_result(path)
    told = str(raised.value)
    assert problem in told
    assert "\x1b" not in told
    assert "\n" not in told


def test_many_faults_are_counted_after_twenty(tmp_path: Path) -> None:
    def spoil(document: Any) -> None:
        document["fingerprint"] = {f"key{n}": n for n in range(50)}

    with pytest.raises(DataFileError) as raised:
        read_result(changed(tmp_path, spoil))
    assert len(str(raised.value).splitlines()) == 21
    assert str(raised.value).endswith("30 more.")


@pytest.mark.parametrize("kind", ["folder", "pipe", "nothing"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "result.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataFileError, match=r"is not a file|cannot be read: no such file"):
        read_result(path)
