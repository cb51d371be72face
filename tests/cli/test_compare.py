"""`llmload compare` as a user calls it: stored runs and result files, three formats, honest exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.analysis.judgement import judge
from llmload.baseline import Estimate
from llmload.domain import RunResult
from llmload.errors import TargetError
from llmload.planned import Step
from llmload.reporters import result_json
from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from llmload.verdict import Caveat, Status
from tests.command import here, start
from tests.recorded_runs import CLEAN
from tests.store.observations import window

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "comparison-v1.schema.json").read_text(encoding="utf-8"))
DOCUMENT = """
apiVersion: llmload/v1
kind: Scenario
metadata: {name: chat}
spec:
  target: {url: "http://127.0.0.1:8000", model: tiny, framework: vllm}
  workload: {prompts: {synthetic: {input_tokens: 512, output_tokens: 4}}}
  load: {concurrency: [1, 2], requests: 300}
  slo: {ttft: 500ms}
  gates: ["goodput >= 90%"]
"""
FIRST, SECOND, DOWN = "20261121-014307-aaaa0001", "20261121-014308-bbbb0002", "20261121-014309-cccc0003"


def store_runs(folder: Path) -> None:
    """Two runs of one server that answered alike, and one whose server was down."""
    assert CLEAN.target is not None
    scenario = load_text(DOCUMENT, "chat.yaml", env={}, directory=folder)
    document = scenario.document
    with open_store(folder / "llmload.db") as store:
        for run_id in (FIRST, SECOND, DOWN):
            header = replace(
                CLEAN.header,
                run_id=run_id,
                scenario="chat",
                created=f"2026-11-21T01:43:0{run_id[14]}.000Z",
                document_text=document.text,
                document_hash=document.sha256,
                resolved=document.resolved,
            )
            is_down = run_id == DOWN
            seen = [] if is_down else [window(0, requests=300), window(1, requests=300)]
            store.begin(header)
            if not is_down:
                store.describe(run_id, CLEAN.target)
            for one in seen:
                store.remember(run_id, one)
            refused = TargetError("http://127.0.0.1:8000", "cannot connect: refused", "Start it")
            trouble, target = (refused, None) if is_down else (None, CLEAN.target)
            store.finish(run_id, judge(header, scenario, target, seen, finished=None, trouble=trouble), "finished")


def measured(name: str, ttfts_ms: Sequence[float], **changes: object) -> RunResult:
    """A result whose one step was climbed as often as there are TTFTs."""
    step = CLEAN.steps[1]
    repeats = tuple({"p50(ttft)": Estimate(value)} for value in ttfts_ms)
    climbed = replace(step, estimates={"p50(ttft)": Estimate(sum(ttfts_ms) / len(ttfts_ms))}, repeats=repeats)
    header = replace(CLEAN.header, run_id=name)
    return replace(CLEAN, header=header, steps=(replace(climbed, **changes),))  # type: ignore[arg-type]  # each test names fields of a step


SERVERS = {
    "old": measured("old", (100, 101, 99, 100, 102)),
    "same": measured("same", (101, 100, 100, 99, 101)),
    "slow": measured("slow", (130, 131, 129, 130, 132)),
    "wild": measured("wild", (60, 180, 120, 90, 150)),
    "late": measured("late", (100, 101, 99), caveats=(Caveat("client was late", "61 ms", "", is_fatal=True),)),
    "rate": measured("rate", (100, 101, 99), step=Step(0, "rate", 8.0)),
    "h100": replace(measured("h100", (100, 101, 99, 100, 102)), fingerprint={**CLEAN.fingerprint, "gpu": "H100"}),
    "dead": replace(CLEAN, steps=(), status=Status.ERROR),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three runs, and a result file for each server."""
    folder = tmp_path_factory.mktemp("compared")
    store_runs(folder)
    for name, result in SERVERS.items():
        (folder / f"{name}.json").write_bytes(result_json.render(result))
    (folder / "broken.json").write_text('{"apiVersion": "llmload/result/v1", "steps": 3}')
    (folder / "notes.txt").write_text("not a result")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["old.json", "same.json"], 0, "No difference beyond noise: 0 worse, 0 better, 1 same", id="same"),
        pytest.param(["old.json", "slow.json"], 1, "Different: 1 worse, 0 better", id="slower"),
        pytest.param(["slow.json", "old.json"], 1, "Different: 0 worse, 1 better", id="faster"),
        pytest.param(["old.json", "wild.json"], 0, "0 worse, 0 better, 1 undecided", id="too much noise"),
        pytest.param(["old.json", "same.json", "slow.json"], 1, "1 worse, 0 better, 1 same", id="one of two slower"),
        pytest.param(["old.json", "h100.json"], 0, "not told -> H100", id="another GPU is told, and compared"),
        pytest.param(["old.json", "late.json"], 5, "could not measure: client was late", id="a step was not measured"),
        pytest.param(["old.json", "dead.json"], 5, "could not measure", id="a run was not measured"),
        pytest.param(["old.json", "late.json", "slow.json"], 1, "1 not measured", id="a difference goes first"),
        pytest.param([FIRST, SECOND], 0, "concurrency 2", id="two stored runs"),
        pytest.param([FIRST[:20], "20261121-014308"], 0, "A  " + FIRST, id="by the beginnings of their ids"),
        pytest.param([FIRST, "latest"], 5, "B  " + DOWN, id="the latest, which was down"),
        pytest.param([FIRST, "./old.json", SECOND], 0, "B  old", id="stored runs and a file"),
    ],
)
def test_the_exit_code_says_whether_runs_differ(folder: Path, arguments: list[str], code: int, told: str) -> None:
    done = here("compare", *arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param([], 2, "Missing argument", id="nothing"),
        pytest.param([FIRST], 2, "Name two runs or more", id="one run"),
        pytest.param([FIRST, "20261121"], 2, "3 runs begin so", id="a beginning of several ids"),
        pytest.param([FIRST, "nowhere"], 2, "no such run", id="a run that is not there"),
        pytest.param([FIRST, "gone.json"], 2, "gone.json: cannot be read: no such file", id="a file that is not there"),
        pytest.param([FIRST, "broken.json"], 2, "broken.json: run_id: is not text", id="a broken file"),
        pytest.param([FIRST, "notes.txt"], 2, "notes.txt:1:", id="a file of another kind"),
        pytest.param(["old.json", "rate.json"], 2, "no other run has a step of the first one", id="nothing in common"),
        pytest.param(["old.json", "same.json", "--format", "excel"], 2, "excel", id="no such format"),
        pytest.param(["old.json", "same.json", "--output", "no/where.md"], 2, "cannot be written", id="no such folder"),
        pytest.param(["old.json", FIRST, "--store", "none.db"], 2, "there is no store here", id="no store"),
        pytest.param(["old.json", FIRST, "--store", "notes.txt"], 5, "notes.txt", id="a store that is none"),
    ],
)
def test_what_cannot_be_compared_is_neither_same_nor_different(
    folder: Path, arguments: list[str], code: int, told: str
) -> None:
    done = here("compare", *arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_files_are_compared_where_there_is_no_store(folder: Path, tmp_path: Path) -> None:
    done = here("compare", str(folder / "old.json"), str(folder / "slow.json"), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_in_json_is_what_its_schema_says(folder: Path) -> None:
    done = here("compare", "old.json", "slow.json", FIRST, "--format", "json", cwd=folder)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    assert [run["name"] for run in document["runs"]] == ["old.json", "slow.json", FIRST]
    (row,) = document["rows"]
    assert [(other["verdict"], other["basis"]) for other in row["others"]] == [("worse", "repeats"), ("n/a", "nothing")]


def test_a_comparison_is_written_to_the_file_that_is_named(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "compare.md"
    done = here("compare", "old.json", "slow.json", "--format=markdown", f"--output={report}", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert report.read_text(encoding="utf-8").startswith("# Comparison\n\n**Different: 1 worse")


@pytest.mark.parametrize(("other", "code"), [("same.json", 0), ("slow.json", 1), ("late.json", 5)])
def test_a_reader_that_is_gone_does_not_change_the_verdict(folder: Path, other: str, code: int) -> None:
    with start("compare", "old.json", other, cwd=folder) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == code


def test_a_stored_run_compares_as_its_own_result_file_does(folder: Path) -> None:
    exported = here("export", FIRST, "--format=json", cwd=folder)
    (folder / "exported.json").write_text(exported.stdout)
    by_id, by_file = (
        json.loads(here("compare", name, SECOND, "--format=json", cwd=folder).stdout)["rows"]
        for name in (FIRST, "exported.json")
    )
    assert len(by_id) == len(by_file) > 20
    for ours, theirs in zip(by_id, by_file, strict=True):
        assert (ours["step"], ours["figure"], ours["value"]) == (theirs["step"], theirs["figure"], theirs["value"])
        assert ours["others"][0]["verdict"] == theirs["others"][0]["verdict"]
        assert ours["others"][0]["low"] == pytest.approx(theirs["others"][0]["low"], abs=1e-5)
