"""The exit code, row by row of the contract: a real process over real runs of the embedded simulator.

0  measured_apart, and nothing that binds is broken       5         could not measure
2  bad command line, scenario or data file          70        a defect of ours
3  a gate of level fail failed                      130, 143  interrupted, terminated
4  left open, and the policy says fail              compare: 0 no difference, 1 different
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import read_all
from tests.cli.watching import rows, slow_ladder, wait_for, windows_of
from tests.command import here, llmload, measured_apart, start, write_scenario
from tests.frameworks.packages import install

pytestmark = pytest.mark.measuring

UNDECIDED = {
    "gates": "[goodput >= 95%]",
    "load__requests": 60,
    "target__simulator__faults": "{error_rate: 4%}",
    "target__simulator__seed": 3,
}
"""One request in 25 fails, and 150 of them do not tell that from one in twenty."""


# ---------------------------------------------------------------- one scenario, measured_apart


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param({}, 0, "pass", id="a promise kept"),
        pytest.param({"gates": None}, 0, "not gated", id="no promise at all"),
        pytest.param({"slo": "{e2e: 1ms}"}, 3, "fail", id="a promise broken"),
        pytest.param(
            {"slo": "{e2e: 1ms}", "gates": "[{metric: goodput, min: 90%, level: warn}]"}, 0, "fail", id="only warned of"
        ),
        pytest.param({"target__simulator__faults": "{error_rate: 100%}"}, 5, "could not", id="nothing ever succeeded"),
    ],
)
def test_the_exit_code_is_the_gate(tmp_path: Path, changes: dict[str, object], code: int, words: str) -> None:
    done = measured_apart("apply", write_scenario(tmp_path, **changes).name, cwd=tmp_path)
    assert (done.returncode, words in (done.stdout + done.stderr).lower()) == (code, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 130, id="ctrl-c"), pytest.param(signal.SIGTERM, 143, id="terminate")],
)
def test_a_stopped_run_keeps_what_it_measured(tmp_path: Path, number: signal.Signals, code: int) -> None:
    store = tmp_path / "llmload.db"
    name = slow_ladder(tmp_path).name
    process = start("apply", "--no-progress", "--outcome", "out", name, "later.yaml", cwd=tmp_path)
    wait_for(lambda: windows_of(store) == 1)
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=15)
    assert process.returncode == code, err
    assert f"--resume {rows(store, 'select run_id from runs')[0][0]} goes on" in err
    assert rows(store, "select status from runs") == [("interrupted",)]
    assert (tmp_path / "reports/chat/result.json").exists()
    run_id = str(rows(store, "select run_id from runs")[0][0])
    entry, later = read_all([tmp_path / "out"]).entries
    assert (later.source, later.exit_code, "was not run" in later.message) == ("later.yaml", code, True)
    assert (entry.source, entry.exit_code, "--resume" in entry.message) == (name, code, True)
    assert entry.result is not None
    assert (entry.result.header.run_id, bool(entry.result.steps[0].metrics.ok)) == (run_id, True)
    assert "reports/chat/result.json" in entry.reports
    assert llmload("apply", "--resume", run_id, name, cwd=tmp_path).returncode in (0, 5)
    assert rows(store, "select status from runs") == [("finished",)]


# ---------------------------------------------------------------- held against earlier runs


STEADY: dict[str, object] = {
    "target__simulator__decode_base": "2ms",
    "gates": "[p50(tpot) within 100% of baseline]",
}
"""Twice as slow is allowed: this is about codes, and a busy machine is not calm."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store has eight measured runs of `chat`, and nothing else."""
    folder = tmp_path_factory.mktemp("history")
    name = write_scenario(folder, **STEADY).name
    done = llmload("apply", "--no-progress", *[name] * 8, cwd=folder)
    while (missing := 8 - measured_runs(folder)) > 0:  # a busy machine measured some of them badly, and said so
        assert done.returncode == 5, done.stdout + done.stderr
        done = measured_apart("apply", "--no-progress", *[name] * missing, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def measured_runs(folder: Path) -> int:
    """How many runs of its store may serve as a baseline."""
    return len(rows(folder / "llmload.db", "select 1 from runs where exit_code = 0"))


FOUR_TIMES_SLOWER = {"target__simulator__decode_base": "8ms"}
ANOTHER_GPU = {"target__simulator__profile": "h100"}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param({}, 0, "PASS chat, exit code 0", id="no slower"),
        pytest.param(FOUR_TIMES_SLOWER, 3, "FAIL chat, exit code 3", id="a regression"),
    ],
)
def test_a_run_is_held_against_earlier_ones(
    history: Path, tmp_path: Path, changes: dict[str, object], code: int, words: str
) -> None:
    shutil.copy(history / "llmload.db", tmp_path)
    done = measured_apart("apply", write_scenario(tmp_path, **{**STEADY, **changes}).name, cwd=tmp_path)
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "policy", "words"),
    [
        pytest.param({**UNDECIDED}, "on_inconclusive", "1 inconclusive", id="undecided"),
        pytest.param({**STEADY}, "on_missing_baseline", "1 without a baseline", id="no baseline"),
        pytest.param({**STEADY, **ANOTHER_GPU}, "on_incomparable", "1 incomparable", id="incomparable"),
    ],
)
def test_what_stays_open_is_0_or_4_as_its_policy_says(
    history: Path, tmp_path: Path, changes: dict[str, object], policy: str, words: str
) -> None:
    if policy == "on_incomparable":
        shutil.copy(history / "llmload.db", tmp_path)
    decision = {"max_requests": 150}
    done = measured_apart("apply", write_scenario(tmp_path, **changes, decision=decision).name, cwd=tmp_path)
    assert (done.returncode, words in done.stdout) == (0, True), done.stdout + done.stderr
    strict = write_scenario(tmp_path, **changes, decision={**decision, policy: "fail"}).name
    again = here("gate", "latest", "--scenario", strict, cwd=tmp_path)
    assert (again.returncode, words in again.stdout) == (4, True), again.stdout + again.stderr


def test_a_broken_baseline_file_is_bad_input(history: Path, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text('{"scenario": "chat", "runs": [')
    done = here("gate", "latest", "--baseline", str(tmp_path / "baseline.json"), cwd=history)
    assert (done.returncode, done.stdout) == (2, "")
    assert "baseline.json:1:" in done.stderr


def test_compare_is_0_where_nothing_differs_and_1_where_something_does(history: Path, tmp_path: Path) -> None:
    same = here("compare", "latest", str(history / "reports" / "chat" / "result.json"), cwd=history)
    assert same.returncode == 0, same.stdout + same.stderr
    half = {**STEADY, "target__simulator__faults": "{error_rate: 50%}"}
    assert measured_apart("apply", write_scenario(tmp_path, **half).name, cwd=tmp_path).returncode == 0
    different = here("compare", "latest", str(tmp_path / "reports" / "chat" / "result.json"), cwd=history)
    assert different.returncode == 1, different.stdout + different.stderr


def test_compare_never_says_1_of_what_it_cannot_compare(history: Path) -> None:
    assert llmload("compare", "latest", "none.json", cwd=history).returncode == 2
    assert llmload("compare", "latest", cwd=history).returncode == 2


# ---------------------------------------------------------------- 2: what was asked for cannot be done


TRACE = {"load": "{trace: {file: trace.jsonl}}", "gates": "[goodput >= 90%]"}


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        pytest.param(["fly"], {}, "No such command 'fly'", id="an unknown verb"),
        pytest.param(["apply", "--fast", "chat.yaml"], {}, "No such option: --fast", id="an unknown option"),
        pytest.param(["apply", "none.yaml"], {}, "none.yaml", id="no such scenario"),
        pytest.param(["apply", "chat.yaml"], {"gates": "[goodput > 95%]"}, "chat.yaml:", id="an invalid scenario"),
        pytest.param(
            ["apply", "chat.yaml"], {"gates": "[error_rate within 5% of baseline]"}, "chat.yaml:", id="an invalid gate"
        ),
        pytest.param(
            ["apply", "chat.yaml"], TRACE, "trace.jsonl:2: input_length is missing", id="a bad row of a trace"
        ),
        pytest.param(["gate", "latest"], {}, "there is no store here", id="no store"),
    ],
)
def test_what_cannot_be_done_is_told_before_any_load(
    tmp_path: Path, arguments: list[str], changes: dict[str, object], words: str
) -> None:
    (tmp_path / "trace.jsonl").write_text('{"timestamp": 0, "input_length": 1, "output_length": 1}\n{}\n')
    write_scenario(tmp_path, **changes)
    done = llmload(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert not (tmp_path / "llmload.db").exists()


# ---------------------------------------------------------------- 70: ours


@pytest.mark.parametrize(
    ("slo", "code", "verdict"),
    [pytest.param("{e2e: 10s}", 5, "pass", id="kept"), pytest.param("{e2e: 1ms}", 3, "fail", id="broken")],
)
def test_reports_that_cannot_be_written_take_no_verdict_with_them(
    tmp_path: Path, slo: str, code: int, verdict: str
) -> None:
    (tmp_path / "full").write_text("a file where the directory should be")
    done = measured_apart("apply", write_scenario(tmp_path, slo=slo).name, "--out", "full", cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert "the reports cannot be written" in done.stderr
    assert f"{verdict.upper()} chat" in done.stdout
    assert "Reports: none" in done.stdout
    assert rows(tmp_path / "llmload.db", "select status, verdict from runs")[-1] == ("finished", verdict)


BROKEN_PLUGIN = """
from dataclasses import dataclass, replace
from llmload.frameworks import openai

@dataclass(frozen=True)
class Settings:
    perches: int = 1

    def __post_init__(self):
        {}["wings"]

ADAPTER = replace(openai.ADAPTER, name="parrot", settings=Settings)
"""


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_what_nobody_foresaw_is_70_and_never_1(tmp_path: Path, verb: str) -> None:
    modules = {"their_parrot.py": BROKEN_PLUGIN}
    install(tmp_path / "site", "llmload-parrot", "1.0", {"parrot": "their_parrot:ADAPTER"}, modules)
    name = write_scenario(tmp_path, target__framework="parrot").name
    found = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    done = llmload(verb, name, cwd=tmp_path, env={"PYTHONPATH": found, "LLMLOAD_OUTCOME": "out"})
    assert (done.returncode, "internal error" in done.stderr) == (70, True), done.stderr
    if verb == "apply":
        (entry,) = read_all([tmp_path / "out"]).entries
        assert (entry.source, entry.exit_code, entry.result) == (name, 70, None)
        assert "internal error (KeyError)" in entry.message


# ---------------------------------------------------------------- several files


FILES: dict[str, dict[str, object]] = {
    "kept": {},
    "broken": {"slo": "{e2e: 1ms}"},
    "undecided": {**UNDECIDED, "decision": "{max_requests: 150, on_inconclusive: fail}"},
    "unmeasured": {"target__simulator": None, "target__url": "http://127.0.0.1:9"},
}


@pytest.mark.parametrize(
    ("names", "code"),
    [
        pytest.param(("broken", "kept", "missing"), 2, id="bad input before a broken gate"),
        pytest.param(("unmeasured", "broken"), 3, id="a broken gate before what could not be measured"),
        pytest.param(("undecided", "unmeasured"), 5, id="what could not be measured before what stayed open"),
        pytest.param(("kept", "undecided"), 4, id="what stayed open before what was kept"),
    ],
)
def test_several_scenarios_all_run_and_the_worst_code_speaks(tmp_path: Path, names: tuple[str, ...], code: int) -> None:
    for name, changes in FILES.items():
        write_scenario(tmp_path, name, **changes)
    done = measured_apart("apply", "--outcome", "out", *(f"{name}.yaml" for name in names), cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    outcome = read_all([tmp_path / "out"])
    assert (outcome.exit_code, [entry.source for entry in outcome.entries]) == (
        code,
        [f"{name}.yaml" for name in names],
    )
    assert [entry.result is not None for entry in outcome.entries] == [name in FILES for name in names]
    ran = sorted(name for name in names if name in FILES)
    assert rows(tmp_path / "llmload.db", "select distinct scenario from runs order by scenario") == [
        (name,) for name in ran
    ]
    assert "missing" not in names or "missing.yaml" in done.stderr
