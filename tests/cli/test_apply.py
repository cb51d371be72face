"""`llmload apply` as a user meets it: a process, its output, its files and its exit code."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from tests.cli.watching import rows, slow_ladder, wait_for, windows_of
from tests.command import here, llmload, measured_apart, start, write_scenario

pytestmark = pytest.mark.measuring

ROOT = Path(__file__).parent.parent.parent


def test_the_quickstart_passes_and_leaves_everything_behind(tmp_path: Path) -> None:
    done = measured_apart("apply", str(ROOT / "scenarios/quickstart.yaml"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pass" in done.stdout.lower()
    reports = tmp_path / "reports" / "quickstart"
    assert {path.name for path in reports.iterdir() if path.suffix != ".svg"} == {
        "report.md",
        "report.html",
        "report.xlsx",
        "junit.xml",
        "steps.csv",
        "result.json",
    }
    assert (reports / "report-throughput.svg").exists()
    result = json.loads((reports / "result.json").read_bytes())
    assert result["exit_code"] == 0
    assert ET.parse(reports / "junit.xml").getroot().attrib["failures"] == "0"
    assert rows(tmp_path / "llmload.db", "select status, verdict from runs")[-1] == ("finished", "pass")


def test_json_prints_the_document_and_nothing_else(tmp_path: Path) -> None:
    done = llmload("apply", "--json", write_scenario(tmp_path).name, cwd=tmp_path)
    assert json.loads(done.stdout)["scenario"] == "chat"


def test_a_server_that_is_down_is_named_with_the_remedy_within_the_connect_timeout(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        path = write_scenario(tmp_path, target__simulator=None, target__url=url, target__timeout="{connect: 2s}")
        begun = time.monotonic()
        done = llmload("apply", path.name, cwd=tmp_path)
    assert done.returncode == 5
    assert url in done.stdout + done.stderr
    assert time.monotonic() - begun < 2 + 5
    suite = ET.parse(tmp_path / "reports/chat/junit.xml").getroot()
    assert suite.find(".//error") is not None


def test_a_key_that_is_missing_is_told_before_anything_is_begun(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, target__simulator="{api_key: {env: NO_SUCH_KEY}}")
    done = here("apply", path.name, cwd=tmp_path)
    assert done.returncode == 2
    assert "llmload: $NO_SUCH_KEY: the environment variable of a secret is not set. Set it" in done.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_five_at_once_on_one_store_and_one_scenario_all_finish(tmp_path: Path) -> None:
    name = write_scenario(tmp_path, load__requests=60, reports__formats="[markdown, json, junit]").name
    many = [start("apply", "--no-progress", name, cwd=tmp_path) for _ in range(5)]
    endings = [process.communicate(timeout=90) for process in many]
    # five clients on two cores are late now and then, and say so: 5 is as good an ending as 0 here
    assert {process.returncode for process in many} <= {0, 5}, endings
    assert not [err for _, err in endings if "locked" in err or "internal error" in err]
    runs = rows(tmp_path / "llmload.db", "select run_id, status from runs")
    assert len({run for run, _ in runs}) == 5
    assert {status for _, status in runs} == {"finished"}
    reports = tmp_path / "reports/chat"
    told = json.loads((reports / "result.json").read_bytes())["run_id"]
    assert told in (reports / "report.md").read_text()
    assert told in (reports / "junit.xml").read_text()
    assert {path.name for path in reports.iterdir() if path.suffix != ".svg"} == {
        "report.md",
        "result.json",
        "junit.xml",
    }


def test_kill_9_in_step_three_loses_that_step_only_and_resume_finishes_it(tmp_path: Path) -> None:
    store = tmp_path / "llmload.db"
    name = slow_ladder(tmp_path).name
    process = start("apply", "--no-progress", name, cwd=tmp_path)
    wait_for(lambda: windows_of(store) == 2)
    process.kill()
    process.communicate()
    listed = here("runs", "--json", cwd=tmp_path)
    (aborted,) = json.loads(listed.stdout)
    assert aborted["status"] == "aborted"
    assert windows_of(store) == 2
    done = llmload("apply", "--no-progress", "--resume", aborted["run_id"], name, cwd=tmp_path)
    assert done.returncode in (0, 5), done.stderr  # 5: this machine was too busy in one of the windows
    assert rows(store, "select status from runs") == [("finished",)]
    assert windows_of(store) == 3


def test_another_document_cannot_resume_a_run(tmp_path: Path) -> None:
    llmload("apply", write_scenario(tmp_path).name, cwd=tmp_path)
    other = write_scenario(tmp_path, "other")
    done = llmload("apply", "--resume", "latest", other.name, cwd=tmp_path)
    assert done.returncode == 2
    assert "another document" in done.stderr


def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    key, word, route = "sk-live-5f0d9a77", "pa55w0rd-in-url", "header-value-31337"
    server = start("simulate", "--port", "0", "--api-key-env", "KEY", cwd=tmp_path, env={"KEY": key})
    try:
        assert server.stdout is not None
        url = next(part for part in server.stdout.readline().split() if part.startswith("http"))
        path = write_scenario(
            tmp_path,
            target__simulator=None,
            target__url=url.replace("http://", f"http://user:{word}@"),
            target__headers=f"{{X-Route: {route}}}",
            target__api_key="{env: KEY}",
            reports=None,
        )
        done = measured_apart("apply", path.name, "--log-level", "debug", cwd=tmp_path, env={"KEY": key})
        assert done.returncode == 0, done.stderr
        wrong = llmload("apply", path.name, "--log-level", "debug", cwd=tmp_path, env={"KEY": f"{key}-wrong"})
        assert wrong.returncode == 5, wrong.stdout
        shown = llmload("show", "latest", cwd=tmp_path)
    finally:
        server.terminate()
        server.communicate(timeout=10)
    path.unlink()
    told = [text for run in (done, wrong, shown) for text in (run.stdout, run.stderr)]
    for secret in (key, word, route):
        assert not [text for text in told if secret in text]
        assert not [file for file in tmp_path.rglob("*") if file.is_file() and secret.encode() in unpacked(file)]


def unpacked(file: Path) -> bytes:
    """What is in a file, also where that is a zip of others."""
    if not zipfile.is_zipfile(file):
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("stop", ["client", "server"])
def test_a_dry_run_sends_no_load(tmp_path: Path, stop: str) -> None:
    done = llmload("apply", "--dry-run", stop, write_scenario(tmp_path).name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "llmload.db").exists()


@pytest.mark.parametrize(
    ("telemetry", "told"),
    [
        pytest.param("{}", "  metrics  e2e_s, itl_s, output_tokens, ", id="the simulator's page"),
        pytest.param("{server_logs: {file: none.log}}", "  note     Server log none.log: there is no", id="no log"),
    ],
)
def test_a_dry_run_tells_what_will_be_watched(tmp_path: Path, telemetry: str, told: str) -> None:
    done = here("apply", "--dry-run", "server", write_scenario(tmp_path, telemetry=telemetry).name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


@pytest.mark.parametrize(
    ("faults", "error_type"),
    [
        pytest.param("{error_rate: 30%, error_status: 500}", "HTTP_500", id="internal error"),
        pytest.param("{error_rate: 30%, error_status: 429}", "HTTP_429", id="too many requests"),
        pytest.param("{disconnect_rate: 30%}", "CONNECTION_ERROR", id="hangs up in the middle"),
        pytest.param("{stall_rate: 30%}", "TIMEOUT_TOTAL", id="stalls in the middle"),
        pytest.param("{malformed_rate: 30%}", "JSON_PARSE_ERROR", id="sends what is not JSON"),
        pytest.param("{slow_first_byte_rate: 30%, slow_first_byte: 5s}", "TIMEOUT_FIRST_TOKEN", id="says nothing"),
    ],
)
def test_every_fault_is_a_record_that_is_not_good(tmp_path: Path, faults: str, error_type: str) -> None:
    limits = {"target__timeout": "{first_token: 500ms, total: 1s}", "load__concurrency": "[8]"}
    path = write_scenario(
        tmp_path, target__simulator__faults=faults, load__requests=64, gates="[goodput >= 98%]", **limits
    )
    done = measured_apart("apply", path.name, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    (step,) = json.loads((tmp_path / "reports/chat/result.json").read_bytes())["steps"]
    metrics = step["metrics"]
    assert set(metrics["errors"]) == {error_type}
    assert metrics["ok"] + metrics["errors"][error_type] == metrics["attempts"]
    assert metrics["good"] <= metrics["ok"]


def test_a_server_that_restarts_measures_nothing(tmp_path: Path) -> None:
    faults = "{restart_after: 60}"
    done = llmload("apply", write_scenario(tmp_path, target__simulator__faults=faults).name, cwd=tmp_path)
    assert done.returncode == 5, done.stdout
    assert "the server changed" in done.stdout


@pytest.mark.parametrize("verb", ["apply", "gate"])
def test_the_exit_code_is_the_verdict_even_where_nobody_reads_the_output(tmp_path: Path, verb: str) -> None:
    name = write_scenario(tmp_path, slo="{e2e: 1ms}").name
    if verb == "gate":
        measured_apart("apply", name, cwd=tmp_path)
    arguments = ["apply", "--no-progress", name] if verb == "apply" else ["gate", "latest"]
    with start(*arguments, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) in (3, 5)  # 5: this machine was too busy to measure


@pytest.mark.parametrize(
    ("column", "told", "words"),
    [
        ("framework_version", "another", "the run began on simulated (another)"),
        ("framework_actual", '{"enable_prefix_caching":false}', "(enable_prefix_caching false, now true)"),
    ],
)
def test_a_resumed_run_refuses_another_server(tmp_path: Path, column: str, told: str, words: str) -> None:
    name = slow_ladder(tmp_path, target__framework="vllm").name
    process = start("apply", "--no-progress", name, cwd=tmp_path)
    wait_for(lambda: windows_of(tmp_path / "llmload.db") == 1)
    process.kill()
    process.communicate()
    connection = sqlite3.connect(tmp_path / "llmload.db")
    connection.execute(f"update runs set {column} = ?", (told,))
    connection.commit()
    connection.close()
    done = llmload("apply", "--no-progress", "--resume", "latest", name, cwd=tmp_path)
    assert done.returncode == 5
    assert words in done.stdout
    assert rows(tmp_path / "llmload.db", "select status from runs") == [("failed",)]  # not the end: it can go on
