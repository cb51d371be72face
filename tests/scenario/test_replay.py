"""What a scenario means once the trace that it names was read."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from llmload.analysis.fingerprint import fingerprint_of
from llmload.analysis.looks import planned_totals, steps_of
from llmload.errors import DataFileError, ScenarioError
from llmload.scenario import asked
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.replay import OWN_LENGTHS, SHARED
from tests.analysis.builders import HEADER

ROWS = [{"timestamp": 1000 * i, "input_length": 600, "output_length": 8, "hash_ids": [0, i + 1]} for i in range(10)]
TRACE = "".join(json.dumps(row) + "\n" for row in ROWS)
PLAIN = "".join(json.dumps({k: v for k, v in row.items() if k != "hash_ids"}) + "\n" for row in ROWS)
SHA256 = sha256(TRACE.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the scenario lies, with its traces beside it."""
    (tmp_path / "t.jsonl").write_text(TRACE)
    (tmp_path / "plain.jsonl").write_text(PLAIN)
    return tmp_path


def scenario(folder: Path, load: str = "", *, trace: str = "", file: str = "t.jsonl", spec: str = "") -> asked.Scenario:
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"
        f"  load:\n    trace: {{file: {file}{trace}}}\n{load}{spec}"
    )
    return load_text(text, "s.yaml", env={}, directory=folder)


def refused(folder: Path, load: str, trace: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario(folder, load, trace=trace)
    (problem,) = caught.value.problems
    return f"{problem.line}:{problem.column} {problem.path}: {problem.message}"


def test_a_trace_is_one_step_of_one_look_with_all_of_its_requests(folder: Path) -> None:
    found = scenario(folder)
    assert found.load.shape == asked.Trace(str(folder / "t.jsonl"), 1.0, SHA256)
    (step,) = steps_of(found)
    assert step.label == "speed 1"
    assert planned_totals(found, step) == (10,)


@pytest.mark.parametrize(
    ("load", "trace", "requests"),
    [
        pytest.param("    requests: 4\n", "", 4, id="the first four"),
        pytest.param("    duration: 2.5s\n", "", 3, id="those of a time"),
        pytest.param("    duration: 3s\n", "", 3, id="one at the very end of the time is out"),
        pytest.param("    duration: 1h\n    max_duration: 2h\n", "", 10, id="a time longer than the trace"),
        pytest.param("    duration: 2.5s\n    requests: 6\n", "", 6, id="whichever is more"),
        pytest.param("    duration: 2.5s\n", ", speed: 2", 5, id="those of a time, faster"),
    ],
)
def test_requests_and_duration_say_how_far_a_trace_is_replayed(
    folder: Path, load: str, trace: str, requests: int
) -> None:
    found = scenario(folder, load, trace=trace)
    assert (found.load.requests, found.load.duration_s) == (requests, None)


@pytest.mark.parametrize(
    ("load", "trace", "told"),
    [
        pytest.param(
            "    requests: 11\n", "", "8:15 spec.load.requests: the trace has 10 requests", id="more than there are"
        ),
        pytest.param(
            "    max_duration: 8s\n",
            "",
            "8:19 spec.load.max_duration: 10 requests of the trace take 9s at speed 1, and max_duration is 8s",
            id="longer than max_duration",
        ),
        pytest.param(
            "",
            f", sha256: {'0' * 63}a",
            f"7:36 spec.load.trace.sha256: the file's is {SHA256}: it is another one, or was changed",
            id="another file",
        ),
    ],
)
def test_what_does_not_suit_the_trace_is_refused_where_it_is_written(
    folder: Path, load: str, trace: str, told: str
) -> None:
    assert refused(folder, load, trace) == told


def test_the_right_sha256_and_twice_the_speed_are_fine(folder: Path) -> None:
    found = scenario(folder, "    max_duration: 8s\n", trace=f", sha256: {SHA256}, speed: 2")
    assert found.load.requests == 10


def test_a_trace_that_is_not_there_is_told_by_name(folder: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.jsonl: cannot be read: no such file"):
        scenario(folder, file="none.jsonl")


def test_a_stored_document_does_not_need_the_file(folder: Path) -> None:
    before = scenario(folder, "    duration: 2.5s\n")
    (folder / "t.jsonl").unlink()
    after = load_resolved(before.document.resolved)
    assert (after.load, after.workload, after.notices) == (before.load, before.workload, before.notices)


def test_prompts_of_a_trace_that_tells_what_they_share_are_not_salted_and_one_notice_says_so(folder: Path) -> None:
    found = scenario(folder)
    assert (found.workload.unique, found.notices) == (False, (SHARED,))


@pytest.mark.parametrize(
    ("file", "spec", "unique", "notices"),
    [
        pytest.param("t.jsonl", "{unique: true}", True, (), id="salted all the same"),
        pytest.param("t.jsonl", "{unique: false}", False, (), id="not salted, in writing"),
        pytest.param("plain.jsonl", "{}", True, (), id="a trace that does not tell"),
        pytest.param("plain.jsonl", "{input_tokens: 5}", True, (OWN_LENGTHS,), id="lengths of two kinds"),
        pytest.param("t.jsonl", "{output_tokens: 5}", False, (OWN_LENGTHS, SHARED), id="lengths of two kinds, shared"),
    ],
)
def test_what_the_author_wrote_of_prompts_is_kept(
    folder: Path, file: str, spec: str, unique: bool, notices: tuple[str, ...]
) -> None:
    found = scenario(folder, spec=f"  workload: {{prompts: {{synthetic: {spec}}}}}\n", file=file)
    assert (found.workload.unique, found.notices) == (unique, notices)


def test_a_gate_on_tpot_is_not_refused_for_lengths_that_are_not_used(folder: Path) -> None:
    spec = "  workload: {prompts: {synthetic: {output_tokens: 1}}}\n  gates: [p95(tpot) <= 50ms]\n"
    assert scenario(folder, spec=spec).gates


def test_the_fingerprint_knows_what_a_trace_holds_and_not_where_it_lies(folder: Path) -> None:
    (folder / "elsewhere.jsonl").write_text(TRACE)
    (folder / "other.jsonl").write_text(TRACE.replace("600", "601"))

    def of(found: asked.Scenario) -> dict[str, str]:
        return fingerprint_of(HEADER, found, None)

    same = of(scenario(folder))
    assert of(scenario(folder, file="elsewhere.jsonl")) == same
    assert of(scenario(folder, file="other.jsonl"))["load"] != same["load"]
    assert of(scenario(folder, trace=", speed: 2"))["load"] != same["load"]
    assert of(scenario(folder, "    requests: 9\n"))["load"] != same["load"]


def test_a_changed_trace_is_another_document(folder: Path) -> None:
    before = scenario(folder).document.sha256
    (folder / "t.jsonl").write_text(TRACE.replace("600", "601"))
    assert scenario(folder).document.sha256 != before
