"""`llmload recommend`, as somebody types it: on stored runs, which takes no time, and once on a server."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import pytest
import yaml

from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from tests.cli.recommending_runs import asking, late, searched
from tests.cli.stored_runs import DOWN, document_of, put_run, run_id_of
from tests.command import here, llmload, start, write_scenario
from tests.recorded_foreign import HOSTILE
from tests.store.observations import window

RUN, PLAIN, SLOW, SHORT, RATE, ODD, DEAD = map(run_id_of, range(1, 8))
OLD = Path(__file__).parents[1] / "store" / "loadtest" / "command.json"
SERVER = ("--server", "http://127.0.0.1:9")
PEAK = ("--peak-concurrency", "10")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store: a search, and runs that cannot answer what it can, or only otherwise."""
    folder = tmp_path_factory.mktemp("recommending")
    at_a_rate = document_of("rate").replace("concurrency: [1, 2]", "rate: [2/s, 4/s]")
    with open_store(folder / "llmload.db") as store:
        put_run(store, 1, asking(), searched())
        put_run(store, 2, asking("plain", more=""), searched())
        put_run(store, 3, asking("slow"), [late(seen) for seen in searched()])
        put_run(store, 4, asking("short"), [window(0, requests=6)])
        put_run(store, 5, load_text(at_a_rate, "rate.yaml", env={}, directory=folder), [])
        put_run(store, 6, asking("odd"), searched(), model=f"\x1b[31m{HOSTILE}")
        put_run(store, 7, asking("dead"), [], trouble=DOWN)
    return folder


def recommended(folder: Path, *flags: str) -> Mapping[str, object]:
    """The document of an answer that is an advice."""
    done = here("recommend", "--from-run", RUN, "--json", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def advice(folder: Path, *flags: str) -> Mapping[str, object]:
    told = recommended(folder, *flags)["recommendation"]
    assert isinstance(told, dict)
    return told


# ---------------------------------------------------------------- from a stored run


def test_a_stored_run_answers_without_load_and_stays_as_it_was(stored: Path) -> None:
    def content() -> list[str]:
        connection = sqlite3.connect(stored / "llmload.db")
        try:
            return list(connection.iterdump())
        finally:
            connection.close()

    before = content()
    done = here("recommend", "--from-run", RUN, "--peak-concurrency", "1000", cwd=stored)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("For a peak of 1,000 concurrent users, qwen3-14b needs 400 × ")
    assert content() == before
    assert not (stored / "reports").exists()


def test_the_view_has_every_part_in_the_order_of_reading(stored: Path) -> None:
    told = here("recommend", "--from-run", RUN, cwd=stored, env={"COLUMNS": "80"}).stdout
    headings = [line for line in told.splitlines() if re.fullmatch(r"[A-Z][a-z ]+", line)]
    expected = [
        "Requirements",
        "Current infrastructure",
        "Measured loads",
        "Recommendation",
        "Calculation",
        "Reasoning",
    ]
    assert headings[:6] == expected
    assert re.search(r"^  3 +holds +300 +100% ", told, re.MULTILINE)
    assert re.search(r"^  4 +broken +300 +0% ", told, re.MULTILINE)
    assert "ceil(10 × (1 + 0.2) / 3) = 4 replicas × 1 GPU = 4" in told
    assert max(map(len, told.splitlines())) <= 80


def test_the_view_speaks_korean(stored: Path) -> None:
    told = here("recommend", "--from-run", RUN, "--lang", "ko", cwd=stored).stdout.splitlines()
    headings = ["요구 사항", "현재 인프라", "측정한 부하", "권장 구성", "계산", "근거"]
    assert [line for line in told if line in headings] == headings


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param((), {"recommended_count": 4, "headroom_percent": 20.0}, id="as the run asks"),
        pytest.param(("--peak-concurrency", "100"), {"recommended_count": 40}, id="another peak"),
        pytest.param(("--headroom", "50"), {"recommended_count": 5, "headroom_percent": 50.0}, id="more headroom"),
        pytest.param(("--headroom", "200%"), {"recommended_count": 10}, id="headroom of twice the peak"),
        pytest.param(
            ("--gpu", "NVIDIA L40S", "--gpu-count", "1"), {"recommended_gpu": "NVIDIA L40S"}, id="a GPU by hand"
        ),
        pytest.param(
            ("--gpu", "NVIDIA L40S", "--usd-per-hour", "2"), {"estimated_monthly_cost_usd": 4 * 2 * 730}, id="its price"
        ),
        pytest.param(
            ("--gpu", "NVIDIA L40S", "--price-file", "prices.csv"),
            {"usd_per_gpu_hour": 1.5, "estimated_monthly_cost_usd": 4 * 1.5 * 730},
            id="a list of prices",
        ),
        pytest.param(("--gpu-count", "2"), {"recommended_count": 8}, id="two GPUs carried it"),
        pytest.param(("--ttft-target", "4s", "--headroom", "0"), {"recommended_count": 3}, id="slower answers will do"),
    ],
)
def test_flags_change_the_demand(stored: Path, flags: tuple[str, ...], expected: Mapping[str, object]) -> None:
    (stored / "prices.csv").write_text("gpu,usd_per_hour\nNVIDIA L40S,1.5\n")
    told = advice(stored, *flags)
    assert {name: told[name] for name in expected} == expected


def test_another_demand_is_told_as_the_workload(stored: Path) -> None:
    flags = ("--daily-active-users", "5000", "--requests-per-user-per-day", "4", "--tpot-target", "60", *PEAK)
    told = recommended(stored, *flags, "--goodput-target", "90")["workload"]
    assert isinstance(told, dict)
    assert told["daily_active_users"] == 5000
    assert (told["ttft_target_ms"], told["tpot_target_ms"], told["goodput_target_percent"]) == (500.0, 60.0, 90.0)


def test_a_run_that_asked_for_nothing_answers_a_demand_all_the_same(stored: Path) -> None:
    asked = ("recommend", "--from-run", PLAIN)
    refused = here(*asked, cwd=stored)
    assert (refused.returncode, "--peak-concurrency" in refused.stderr) == (2, True)
    assert "needs 4 × " in here(*asked, *PEAK, cwd=stored).stdout


@pytest.mark.parametrize(
    ("run", "flags", "code"),
    [
        pytest.param(SLOW, (), 3, id="the SLO surely breaks at the lowest load"),
        pytest.param(RUN, ("--ttft-target", "100"), 3, id="a promise that no load keeps"),
        pytest.param(SHORT, (), 4, id="the sample does not tell"),
        pytest.param(DEAD, (), 5, id="nothing was measured"),
    ],
)
def test_without_an_advice_the_exit_code_says_why(stored: Path, run: str, flags: tuple[str, ...], code: int) -> None:
    done = here("recommend", "--from-run", run, *flags, "--hpa", "none.yaml", cwd=stored)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("No recommendation: ")
    assert "none.yaml is not written" in done.stderr
    assert not (stored / "none.yaml").exists()


def test_names_of_a_server_do_nothing_to_the_terminal(stored: Path) -> None:
    done = here("recommend", "--from-run", ODD, cwd=stored)
    assert "<script>" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        pytest.param("r.json", b"{\n", id="JSON"),
        pytest.param("r.MD", b"# Recommendation\n\n**For a peak of 10 concurrent users", id="Markdown"),
        pytest.param("r.html", b"<!doctype html>", id="HTML"),
        pytest.param("r.xlsx", b"PK\x03\x04", id="Excel"),
    ],
)
def test_the_suffix_says_what_is_written(stored: Path, name: str, begins: bytes) -> None:
    done = here("recommend", "--from-run", RUN, "--output", name, cwd=stored)
    assert done.returncode == 0, done.stderr
    assert (stored / name).read_bytes()[: len(begins)].lower() == begins.lower()


def test_the_written_document_is_the_one_that_json_prints(stored: Path) -> None:
    told = recommended(stored, "--output", "same.json")
    assert json.loads((stored / "same.json").read_text()) == told
    top = {"headline", "workload", "current_infra", "recommendation", "test_results", "hints", "alternatives"}
    assert {*top, "model", "run_id", "scenario"} <= told.keys()
    results = told["test_results"]
    assert isinstance(results, dict)
    loads = [(load["concurrency"], load["status"]) for load in results["concurrency_results"]]
    assert loads == [(1, "pass"), (2, "pass"), (3, "pass"), (4, "fail")]


def test_the_manifest_scales_at_what_was_measured(stored: Path) -> None:
    assert here("recommend", "--from-run", RUN, "--hpa", "hpa.yaml", cwd=stored).returncode == 0
    manifest = yaml.safe_load((stored / "hpa.yaml").read_text())
    assert (manifest["kind"], manifest["spec"]["maxReplicas"]) == ("HorizontalPodAutoscaler", 4)


# ---------------------------------------------------------------- asked wrongly


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param((), "which server", id="nothing at all"),
        pytest.param(SERVER, "--peak-concurrency", id="no peak"),
        pytest.param((*SERVER, *PEAK, "--output", "r.pdf"), "--output: r.pdf", id="a suffix that says nothing"),
        pytest.param((*SERVER, *PEAK, "--output", "no/r.md"), "--output: no/r.md", id="a file in no folder"),
        pytest.param((*SERVER, *PEAK, "--hpa", "."), "--hpa: .", id="a manifest that is a folder"),
        pytest.param((*SERVER, *PEAK, "--output", "a.md", "--hpa", "a.md"), "--hpa", id="two things in one file"),
        pytest.param((*SERVER, *PEAK, "--ttft-target", "soon"), "--ttft-target", id="a time that is none"),
        pytest.param((*SERVER, *PEAK, "--tpot-target", "0"), "--tpot-target", id="no time at all"),
        pytest.param((*SERVER, *PEAK, "--goodput-target", "0.95"), "Write 95%", id="a share or percent"),
        pytest.param((*SERVER, *PEAK, "--goodput-target", "100"), "goodput_target", id="what nobody can prove"),
        pytest.param((*SERVER, *PEAK, "--headroom", "much"), "--headroom", id="headroom that is none"),
        pytest.param((*SERVER, *PEAK, "--concurrency-steps", "1;2"), "--concurrency-steps", id="no list of loads"),
        pytest.param((*SERVER, *PEAK, "--framework", "vlm"), "vllm", id="a framework that is none"),
        pytest.param((*SERVER, *PEAK, "--price-file", "none.csv"), "none.csv", id="prices that are not there"),
        pytest.param(
            (*SERVER, *PEAK, "--set", "spec.load.requests=7", "--num-requests", "9"),
            "--set spec.load.requests: says what --num-requests says too",
            id="the same thing twice",
        ),
        pytest.param(("chat.yaml",), "spec.recommend.peak_concurrency", id="a file that says no peak"),
        pytest.param(("chat.yaml", *PEAK, *SERVER), "--server: chat.yaml starts a server of its own", id="two servers"),
        pytest.param(("rate.yaml", *PEAK), "a rate", id="a file that sends at a rate"),
        pytest.param(("none.yaml", *PEAK), "none.yaml", id="a file that is not there"),
        pytest.param(("--from-run", "20990101"), "20990101", id="a run that is not there"),
        pytest.param(("--from-run", RATE, *PEAK), "requests in flight", id="a run at a rate"),
        pytest.param(("--from-run", RUN, *SERVER), "--server", id="a server that is not asked"),
        pytest.param(("--from-run", RUN, "chat.yaml"), "FILE", id="a file and a run"),
        pytest.param(("--from-run", RUN, "--num-requests", "9"), "--num-requests", id="requests of no load"),
        pytest.param(("--from-run", RUN, "--gpu", ""), "gpu.model", id="a GPU without a name"),
        pytest.param(("--from-run", RUN, "--goodput-target", "100"), "goodput_target", id="what no run proves"),
        pytest.param(("--from-run", RUN, "--price-file", "none.csv"), "none.csv", id="no prices for a run"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_named(stored: Path, flags: tuple[str, ...], words: str) -> None:
    write_scenario(stored)
    write_scenario(stored, "rate", load="{rate: [2/s], requests: 50}", gates=None)
    done = here("recommend", *flags, cwd=stored)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr


def test_what_was_imported_has_no_requests_to_answer_from(tmp_path: Path) -> None:
    assert here("store", "import", str(OLD), cwd=tmp_path).returncode == 0
    done = here("recommend", "--from-run", "latest", *PEAK, cwd=tmp_path)
    assert (done.returncode, "was imported" in done.stderr) == (2, True)


# ---------------------------------------------------------------- on a server


def test_a_dead_server_is_exit_5_and_the_run_is_kept(tmp_path: Path) -> None:
    done = here("recommend", *SERVER, *PEAK, "--name", "dead", "--set", "spec.reports.formats=[json]", cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "No recommendation: " in done.stdout
    (run,) = json.loads(here("runs", "--json", cwd=tmp_path).stdout)
    assert (run["scenario"], run["verdict"]) == ("dead", "error")


SMALL = "{decode_base: 2ms, decode_per_seq: 100us, prefill: 100000 tok/s, max_num_seqs: 4, model: M}"


@pytest.mark.measuring
def test_a_search_that_was_stopped_goes_on_and_says_where_it_stands(tmp_path: Path) -> None:
    """Four sequences at once are served: TTFT stays within 12 ms up to there, and no further."""
    scenario = write_scenario(
        tmp_path,
        target=f"{{simulator: {SMALL}}}",
        load="{concurrency: [1, 4, 8], requests: 50, warmup: {requests: 4}}",
        slo="{ttft: 12ms}",
        gates=None,
    )
    asked = ("recommend", scenario.name, "--peak-concurrency", "30", "--num-requests", "60", "--gpu", "NVIDIA T4")
    begun = start(*asked, cwd=tmp_path)
    try:
        assert begun.stderr is not None
        told = ""
        until = monotonic() + 60
        while "step 2 of 3, concurrency 4, " not in told and monotonic() < until:
            told = begun.stderr.readline()
        begun.send_signal(signal.SIGINT)
        rest = begun.communicate(timeout=60)[1]
    finally:
        begun.kill()
    assert begun.returncode == 130, told + rest
    (run_id,) = re.findall(r"the same command with --resume (\S+) goes on", rest)
    done = llmload(*asked, "--resume", run_id, "--output", "r.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step 1 of 3" not in done.stderr
    assert re.search(r"^search, concurrency [567], ", done.stderr, re.MULTILINE)
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["run_id"], found["recommendation"]["recommended_gpu"]) == (run_id, "NVIDIA T4")
    carried = found["current_infra"]["max_concurrency_at_slo"]
    assert f"ceil(30 × (1 + 0.2) / {carried:g}) = " in done.stdout
    (listed,) = json.loads(here("profiles", "--gpu", "t4", "--json", cwd=tmp_path).stdout)
    assert (listed["run_id"], listed["at_slo"]["concurrency"]) == (run_id, carried)
