"""The commands of the example gate, one after another in a clean clone, as a job of a pull request runs them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmload.store.baseline_file import read_file
from llmload.store.database import open_existing
from tests.command import llmload, write_scenario
from tests.repositories import run_git

pytestmark = [pytest.mark.measuring, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """What one job came to: its exit code, and what it told the steps behind it."""

    code: int
    outputs: dict[str, str]
    said: str


def gate(clone: Path) -> Job:
    """What the action runs."""
    for _ in range(6):  # "the client was late" is the right answer of a busy machine
        done = llmload("ci", "run", "--scenario=bench.yaml", cwd=clone)
        if done.returncode != 5:
            break
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return Job(done.returncode, told, done.stdout + done.stderr)


def record(clone: Path, runs: int) -> None:
    """So many runs in the store, or more, that could be measured."""
    for _ in range(6):
        with open_existing(Path(os.environ["LLMLOAD_STORE"])) as store:
            missing = runs - sum(run.exit_code == 0 for run in store.finished_runs("bench"))
        if missing <= 0:
            return
        llmload("apply", *["bench.yaml"] * missing, cwd=clone)
    pytest.fail("the machine was too busy to measure")


def branch(clone: Path, name: str, decode_base: str) -> None:
    """A branch from main whose server needs so long for a token."""
    run_git("checkout", "--quiet", "-b", name, "main")
    write_bench(clone, decode_base)
    run_git("commit", "--quiet", "--allow-empty", "--all", "--message", name)


def write_bench(clone: Path, decode_base: str) -> None:
    """A promise about change, wide enough for the noise of any machine."""
    write_scenario(
        clone,
        "bench",
        target__simulator__decode_base=decode_base,
        gates='["p50(tpot) within 60% of baseline"]',
        decision="{max_requests: 100}",
    )


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean clone of this repository with a scenario of its own; it is the working directory."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "LLMLOAD_OUTCOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLMLOAD_STORE", str(tmp_path / "llmload.db"))
    folder = tmp_path / "clone"
    monkeypatch.chdir(tmp_path)
    run_git("clone", "--quiet", "--shared", str(ROOT), str(folder))
    monkeypatch.chdir(folder)
    run_git("config", "user.name", "Some One")
    run_git("config", "user.email", "one@example.org")
    run_git("checkout", "--quiet", "-B", "main")
    run_git("update-ref", "-d", "refs/remotes/origin/HEAD")
    for ref in run_git("for-each-ref", "--format=%(refname)", "refs/remotes").splitlines():
        run_git("update-ref", "-d", ref)  # the default branch is the main of this clone
    write_bench(folder, "2ms")
    run_git("add", "bench.yaml")
    run_git("commit", "--quiet", "--message", "A scenario")
    return folder


def test_no_baseline_warns_a_slower_server_fails_and_the_same_server_passes(clone: Path) -> None:
    branch(clone, "first", "2ms")
    first = gate(clone)
    assert (first.code, first.outputs["verdict"]) == (0, "inconclusive"), first.said
    assert "there is no baseline of bench" in first.said

    run_git("checkout", "--quiet", "main")
    record(clone, runs=8)
    committed = llmload("ci", "commit-report", "--baseline", "--reason", "first baseline", cwd=clone)
    assert committed.returncode == 0, committed.stderr
    assert_readable(clone)

    branch(clone, "slower", "8ms")
    slower = gate(clone)
    assert (slower.code, slower.outputs["verdict"], slower.outputs["regressions"]) == (3, "fail", "1"), slower.said

    branch(clone, "same", "2ms")
    same = gate(clone)
    assert (same.code, same.outputs["verdict"], same.outputs["regressions"]) == (0, "pass", "0"), same.said


def assert_readable(clone: Path) -> None:
    """What a reviewer sees of the commit: these files, a line for each run, and what the figures are."""
    names = run_git("show", "--name-only", "--format=", "HEAD").splitlines()
    (baseline,) = [name for name in names if name.startswith("reports/baselines/bench/")]
    others = [name for name in names if name != baseline]
    assert "reports/bench/report.md" in others
    assert all(Path(name).match("reports/bench/report*") for name in others)
    assert run_git("status", "--porcelain", "--", "reports/bench/report.md", "reports/baselines", "bench.yaml") == ""
    assert 8 <= len(read_file(clone / baseline).runs) <= 20
    message = run_git("log", "-1", "--format=%B")
    assert "Why: first baseline" in message
    assert any(line.split()[:3] == ["concurrency", "4", "p50(tpot)"] for line in message.splitlines())
    shown = run_git("show", "--format=", "HEAD", "--", "reports/bench/report.md", baseline)
    added = [line for line in shown.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert max(map(len, added)) < 4_000
