"""Baselines on disk: what is written is read, a reviewer sees what changes, a file of a stranger does no harm."""

from __future__ import annotations

import json
import math
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmload.analysis.baselines import fingerprint_id
from llmload.analysis.histogram import histogram_of
from llmload.baseline import Estimate, PastRun
from llmload.errors import DataFileError, UsageError
from llmload.latency import Histogram
from llmload.store.baseline_file import (
    LARGEST,
    Action,
    BaselineFile,
    BaselineRun,
    Entry,
    files_in,
    path_of,
    read,
    read_file,
)
from llmload.store.baseline_schema import SCHEMA
from llmload.store.baseline_writing import SIZE_LIMIT, render, rewrite

SCHEMA_FILE = Path(__file__).parents[2] / "schemas" / "baseline-v1.schema.json"
FINGERPRINT = {"framework": "vllm", "load": '{"ClosedLoop":{"concurrency":[1,8]}}', "model": "tiny\u202e"}


def run(number: int, **figures: float) -> BaselineRun:
    named = {"p95(ttft)": Estimate(100.0 + number, 0.0125), "goodput": Estimate(1.0), "p99(ttft)": Estimate(math.inf)}
    named |= {name: Estimate(value) for name, value in figures.items()}
    steps = {"concurrency 1": named, "concurrency 8": {"p95(ttft)": Estimate(250.0, 0.5)}}
    return BaselineRun(
        PastRun(f"run-{number:03}", f"2026-11-{number % 28 + 1:02}T00:00:00.000Z", "c0ffee", steps), "0.1.0"
    )


FILE = BaselineFile(
    scenario="chat",
    fingerprint=FINGERPRINT,
    runs=tuple(run(number) for number in range(8)),
    histograms={"concurrency 1": {"ttft": Histogram((1.0, 1.03), (3, 4))}},
    history=(
        Entry("2026-11-20T00:00:00.000Z", Action.UPDATE, "처음 기록", added=("run-000",)),
        Entry("2026-11-21T00:00:00Z", Action.ACCEPT, "new kernel", removed=("x",), since="2026-11-01T00:00:00.000Z"),
    ),
)
DOCUMENT = json.loads(render(FILE))


def test_the_schema_on_disk_is_the_one_that_files_are_checked_by(update_goldens: bool) -> None:
    text = json.dumps(SCHEMA, indent=2, sort_keys=True) + "\n"
    if update_goldens:
        SCHEMA_FILE.write_text(text)
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA_FILE.read_text() == text, "run `make golden`"


def test_what_is_written_is_what_is_read() -> None:
    assert read(render(FILE), "x.json") == FILE
    assert render(read(render(FILE), "x.json")) == render(FILE)


@given(st.floats(1e-300, 1e300), st.none() | st.floats(1e-300, 1e6))
def test_figures_are_kept_to_six_digits(value: float, log_error: float | None) -> None:
    one = BaselineRun(PastRun("a", "2026-11-21T00:00:00Z", "", {"s": {"rps": Estimate(value, log_error)}}), "0")
    (kept,) = read(render(replace(FILE, runs=(one,))), "x.json").runs
    found = kept.past.steps["s"]["rps"]
    assert found.value == pytest.approx(value, rel=1e-5)
    assert (found.log_error is None) == (log_error is None)


def test_one_step_of_one_run_is_one_line_and_one_run_more_changes_no_other() -> None:
    before = render(FILE).decode().splitlines()
    after = render(replace(FILE, runs=(*FILE.runs, run(8)))).decode().splitlines()
    assert len([line for line in before if line.strip().startswith('"concurrency 8"')]) == 8
    assert len(set(before) - set(after)) == 0
    assert len(after) - len(before) == 10


def test_people_read_reasons_in_their_script_and_hidden_characters_are_spelled_out() -> None:
    text = render(FILE).decode()
    assert "처음 기록" in text
    assert "tiny\\u202e" in text


def test_the_order_in_which_things_were_put_together_does_not_show() -> None:
    turned = replace(FILE, fingerprint=dict(reversed(FINGERPRINT.items())))
    assert render(turned) == render(FILE)


def test_histograms_grow_coarser_and_runs_are_never_left_out() -> None:
    import numpy as np

    many = histogram_of(np.geomspace(0.01, 1e6, 5000))
    steps = [f"concurrency {n}" for n in range(12)]
    metrics = dict.fromkeys(("ttft", "tpot", "itl", "itl_max", "e2e", "lag"), many)
    large = replace(FILE, histograms=dict.fromkeys(steps, metrics))
    rendered = render(large)
    found = read(rendered, "x.json")
    assert len(rendered) < SIZE_LIMIT
    assert sum(found.histograms["concurrency 3"]["ttft"].counts) == 5000
    figures = {f"p95(x{n})": 1.0 / 3 for n in range(150)}
    crowded = replace(large, runs=tuple(run(n, **figures) for n in range(60)))
    found = read(render(crowded), "x.json")
    assert len(found.runs) == 60
    assert found.histograms == {}


def test_the_last_accepted_shift_is_the_one_that_counts() -> None:
    assert FILE.since == "2026-11-01T00:00:00.000Z"
    assert replace(FILE, history=FILE.history[:1]).since == ""


def changed(change: Callable[[dict], object]) -> bytes:
    document = json.loads(json.dumps(DOCUMENT))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"", r"x\.json:1:1: is not JSON", id="empty"),
        pytest.param(b"[]", r"x\.json: document: \[\] is not of type 'object'", id="a list"),
        pytest.param(b"\xff\xfe", "is not UTF-8 text", id="another encoding"),
        pytest.param(b"[" * 100_000, "is nested too deeply", id="nested without end"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, "required property|too deeply", id="nested deeply"),
        pytest.param(b" " * (LARGEST + 1), "is larger than 1,000,000 bytes", id="too large"),
        pytest.param(b'{"a": NaN}', "NaN is no number of JSON", id="NaN"),
        pytest.param(b'{"a": 1e999}', "the number 1e999 is too large", id="a number beyond every number"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "digit|integer", id="a number of thousands of digits"),
        pytest.param(b'{"a": 1, "a": 2}', "the key 'a' stands twice", id="a key twice"),
        pytest.param(changed(lambda d: d.update(apiVersion="llmload/baseline/v2")), "apiVersion", id="a later version"),
        pytest.param(changed(lambda d: d.update(extra=1)), "'extra' was unexpected", id="a key that nobody knows"),
        pytest.param(changed(lambda d: d.pop("runs")), "'runs' is a required property", id="a key is missing"),
        pytest.param(
            changed(lambda d: d["runs"][2].update(created="yesterday")), r"x\.json: runs\[2\]\.created", id="no instant"
        ),
        pytest.param(
            changed(lambda d: d["runs"][2]["steps"]["concurrency 1"].update({"rps": -1})),
            r"runs\[2\]\.steps\['concurrency 1'\]\.rps",
            id="a negative rate",
        ),
        pytest.param(
            changed(lambda d: d["runs"][2]["steps"]["concurrency 1"].update({"rps": 10**400})), "rps", id="a huge rate"
        ),
        pytest.param(
            changed(lambda d: d["runs"][1].update(run_id="run-000")), r"runs\[1\]\.run_id.*twice", id="a run twice"
        ),
        pytest.param(
            changed(lambda d: d["histograms"]["concurrency 1"]["ttft"].update(counts=[1])),
            r"histograms\.concurrency 1\.ttft: bounds_ms must rise",
            id="a histogram of other length",
        ),
        pytest.param(changed(lambda d: d.update(scenario="../../etc")), "scenario", id="a scenario that is a path"),
        pytest.param(
            changed(lambda d: d["history"][0].update(action="delete")), r"history\[0\]\.action", id="an action"
        ),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_located(raw: bytes, said: str) -> None:
    with pytest.raises(DataFileError, match=said) as refused:
        read(raw, "x.json")
    assert refused.value.exit_code == 2
    assert len(str(refused.value)) < 20_000


def test_a_terminal_sequence_in_a_file_does_not_reach_the_terminal() -> None:
    with pytest.raises(DataFileError) as refused:
        read(changed(lambda d: d.update({"\x1b[2Jboo": 1})), "x.json")
    assert "\x1b" not in str(refused.value)


def test_a_file_whose_fingerprint_was_edited_is_refused(tmp_path: Path) -> None:
    path = path_of(tmp_path, "chat", FINGERPRINT)
    path.parent.mkdir(parents=True)
    path.write_bytes(changed(lambda d: d["fingerprint"].update(model="large")))
    with pytest.raises(DataFileError, match="fingerprint: belongs into"):
        read_file(path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(DataFileError, match="is not a file"):
            read_file(path)
    with pytest.raises(DataFileError, match="cannot be read: no such file"):
        read_file(tmp_path / "none.json")


def test_only_baselines_are_found_in_a_folder(tmp_path: Path) -> None:
    path = path_of(tmp_path, "chat", FINGERPRINT)
    assert path == tmp_path / "baselines" / "chat" / f"{fingerprint_id(FINGERPRINT)}.json"
    assert files_in(path.parent) == ()
    rewrite(path, lambda _: FILE)
    (path.parent / f"{path.stem}.calibration.json").write_text("{}")
    (path.parent / "notes.json").write_text("{}")
    assert files_in(path.parent) == (path,)


def test_a_change_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = path_of(tmp_path, "chat", FINGERPRINT)
    rewrite(path, lambda _: FILE)
    with pytest.raises(DataFileError):
        rewrite(path, lambda _: replace(FILE, scenario="Not a name"))
    assert read_file(path) == FILE
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_another_is_not_written_over_where_it_cannot_be_read(tmp_path: Path) -> None:
    path = path_of(tmp_path, "chat", FINGERPRINT)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(DataFileError):
        rewrite(path, lambda _: FILE)
    assert path.read_text() == "{}"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        rewrite(path_of(tmp_path, "chat", FINGERPRINT), lambda _: FILE)


def _add(path: Path, reason: str) -> None:
    for number in range(20):
        entry = Entry("2026-11-21T00:00:00Z", Action.UPDATE, f"{reason} {number}")
        rewrite(path, lambda old, entry=entry: replace(old or FILE, history=(*(old or FILE).history, entry)))  # type: ignore[misc]  # a lambda that keeps its entry


def test_of_two_updates_at_once_none_is_lost(tmp_path: Path) -> None:
    path = path_of(tmp_path, "chat", FINGERPRINT)
    rewrite(path, lambda _: FILE)
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_add, args=(path, name)) for name in ("left", "right")]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    reasons = [entry.reason for entry in read_file(path).history[2:]]
    assert sorted(reasons) == sorted(f"{name} {number}" for name in ("left", "right") for number in range(20))
