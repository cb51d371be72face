"""`llmload run`: a run from flags alone, and the scenario file that says the same."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.cli.watching import rows
from tests.command import here, measured

FLAGS = ("--concurrency", "2", "--num-requests", "30", "--input-len", "32", "--output-len", "8", "--warmup", "2")
CHEAP = ("--set", "spec.reports.formats=[csv, json]")
"""Reports that cost nothing to make, where reports are not what a test is about."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with start(Simulator(decode_base_ms=1.0, prefill_tokens_per_s=1e5), api_key="sk-9d1f") as process:
        yield process.url


@pytest.mark.measuring
def test_flags_run_a_scenario_and_save_it(tmp_path: Path, server: str) -> None:
    env = {"KEY": "sk-9d1f"}
    flags = (*FLAGS, "--goodput", "ttft:5000,tpot:500", "--api-key-env", "KEY", "--save", "saved.yaml", *CHEAP)
    done = measured("run", "--server", server, *flags, "--output", "copy.json", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "copy.json").read_bytes() == (tmp_path / "reports/run/result.json").read_bytes()
    assert "sk-9d1f" not in (tmp_path / "saved.yaml").read_text()
    again = measured("apply", "saved.yaml", cwd=tmp_path, env=env)
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.measuring
def test_without_streaming_there_is_no_ttft_to_show(tmp_path: Path, server: str) -> None:
    done = measured(
        "run",
        "--server",
        server,
        *FLAGS,
        *CHEAP,
        "--no-stream",
        "--api-key-env",
        "KEY",
        cwd=tmp_path,
        env={"KEY": "sk-9d1f"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "reports/run/steps.csv").open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert (cells["TTFT p50 (ms)"], cells["TPOT p50 (ms)"], float(cells["E2E p50 (ms)"]) > 0) == ("", "", True)


def test_what_is_saved_is_what_is_run(tmp_path: Path) -> None:
    sets = ("--set", "spec.load.duration=7s", "--save", "saved.yaml", *CHEAP)
    here("run", "--server", "http://127.0.0.1:9", *sets, cwd=tmp_path)
    assert "duration: 7s" in (tmp_path / "saved.yaml").read_text()


@pytest.mark.parametrize(
    ("flags", "load"),
    [
        pytest.param((), {"concurrency": [1, 10, 50, 100, 200], "requests": 200}, id="closed loop"),
        pytest.param(("--rate", "2,8.5"), {"rate": ["2/s", "8.5/s"], "requests": 200}, id="a rate"),
        pytest.param(
            ("--rate", "120/m", "--arrival", "constant", "--num-prompts", "9", "--workers", "3"),
            {"rate": ["120/m"], "arrival": "constant", "requests": 9, "workers": 3},
            id="a rate, evenly, of three workers",
        ),
        pytest.param(
            ("--rate", "2", "--arrival", "gamma:0.5"),
            {"rate": ["2/s"], "arrival": {"gamma": {"burstiness": 0.5}}, "requests": 200},
            id="a bursty rate",
        ),
        pytest.param(("--trace", "t.jsonl"), {"trace": {"file": "../t.jsonl"}}, id="a trace, from the saved file"),
        pytest.param(
            ("--trace", "t.jsonl", "--num-requests", "1"), {"trace": {"file": "../t.jsonl"}, "requests": 1}, id="part"
        ),
    ],
)
def test_each_way_of_arriving_is_saved_as_the_scenario_that_runs(
    tmp_path: Path, flags: tuple[str, ...], load: dict[str, object]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "t.jsonl").write_text('{"timestamp": 0, "input_length": 8, "output_length": 8}\n')
    saved = tmp_path / "sub" / "saved.yaml"
    done = here("run", "--server", "http://127.0.0.1:9", *flags, *CHEAP, "--save", "sub/saved.yaml", cwd=tmp_path)
    assert done.returncode == 5, done.stderr  # nobody listens there
    assert yaml.safe_load(saved.read_text())["spec"]["load"] == load
    assert here("plan", "sub/saved.yaml", cwd=tmp_path).returncode == 0


def test_the_same_flags_go_on_with_a_run_that_ended_early(tmp_path: Path) -> None:
    """The server was down: nothing was measured yet, and the run is the one that is there already."""
    asked = ("run", "--server", "http://127.0.0.1:9", *CHEAP)
    assert here(*asked, cwd=tmp_path).returncode == 5
    assert here(*asked, "--resume", "latest", cwd=tmp_path).returncode == 5
    other = here(*asked, "--concurrency", "3", "--resume", "latest", cwd=tmp_path)
    assert (other.returncode, "made from another document (command line)" in other.stderr) == (2, True), other.stderr
    assert len(rows(tmp_path / "llmload.db", "select run from runs")) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param(("--goodput", "ttft=5"), "--goodput", id="a bound that is none"),
        pytest.param(("--concurrency", "1;2"), "--concurrency", id="a list that is none"),
        pytest.param(("--set", "load=3"), "--set", id="a path that is none"),
        pytest.param(("--save", "no/such/folder.yaml"), "--save", id="a place that cannot be written"),
        pytest.param(("--save", "mine.yaml"), "mine.yaml", id="a file that is there"),
        pytest.param(("--output", "no/such/folder.json"), "--output", id="a result that cannot be written"),
        pytest.param(("--adapter", "vllm"), "--adapter", id="an adapter that never was"),
        pytest.param(("--adapter", "triton", "--framework", "sglang"), "--adapter", id="two frameworks"),
        pytest.param(("--goodput", "ttft:5,ttft:6"), "twice", id="a bound given twice"),
        pytest.param(("--concurrency", "2", "--rate", "2"), "--rate: excludes --concurrency", id="two ways to arrive"),
        pytest.param(("--rate", "2", "--trace", "t.jsonl"), "--trace: excludes --rate", id="a trace at a rate"),
        pytest.param(("--arrival", "poisson"), "--arrival", id="arrival of no rate"),
        pytest.param(("--rate", "2", "--arrival", "gamma:much"), "--arrival", id="a burstiness that is none"),
        pytest.param(("--rate", "2", "--arrival", "normal"), "spec.load.arrival", id="an arrival that is none"),
        pytest.param(("--rate", "fast"), "spec.load.rate", id="a rate that is none"),
        pytest.param(("--trace", "none.jsonl"), "none.jsonl", id="a trace that is not there"),
        pytest.param(("--trace", "mine.yaml"), "mine.yaml:1", id="a trace that is none"),
        pytest.param(("--workers", "0"), "spec.load.workers", id="no worker at all"),
    ],
)
def test_bad_flags_are_exit_2_and_named(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    (tmp_path / "mine.yaml").write_text("precious: true\n")
    done = here("run", "--server", "http://127.0.0.1:9", *flags, cwd=tmp_path)
    assert (tmp_path / "mine.yaml").read_text() == "precious: true\n"
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
