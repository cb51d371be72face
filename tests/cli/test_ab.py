"""`llmload ab`: two servers measured in turns, over real sockets."""

from __future__ import annotations

import json
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.analysis.judgement import judge
from llmload.analysis.pairs import nothing_for_a, paired_with
from llmload.baseline import SIDE_LABEL
from llmload.cli.ab import exit_code_of
from llmload.cli.pairing import Pair
from llmload.domain import Observation
from llmload.planned import Step
from llmload.promises import At, Bound, Change, Gate
from llmload.scenario.asked import Scenario
from tests.analysis.builders import FACTS, HEADER, good_and_bad, scenario, window
from tests.cli.stored_history import Made, fill
from tests.cli.stored_history import write_scenario as write_history_scenario
from tests.cli.test_apply import rows, wait_for, windows_of
from tests.command import here, llmload, measured, start, write_scenario

measuring = pytest.mark.measuring

TURNS = "select substr(source, 1, 1), repeat from windows join runs using (run) order by start_us"
SLOWER = "--set-b=spec.target.simulator.decode_base=6ms"


def chat(directory: Path, name: str = "chat", **changes: object) -> str:
    """Windows of about half a second, and a gate on how much slower B may be."""
    described = {
        "load__requests": 60,
        "target__simulator__decode_base": "4ms",
        "gates": "[goodput >= 80%, p50(e2e) within 20% of baseline]",
    }
    return write_scenario(directory, name, **{**described, **changes}).name


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def launch_of(port: int, starts: Path) -> str:
    """A simulator that notes each of its starts, as YAML."""
    simulate = "from llmload.cli import main; main()"
    note = f"import os, sys; open({str(starts)!r}, 'a').write(str(os.getpid()) + chr(10)); "
    argv = f"sys.argv[1:] = ['simulate', '--port', '{port}', '--set', 'decode_base_ms=2']; "
    return json.dumps({"command": [sys.executable, "-c", note + argv + simulate], "ready_timeout": "30s"})


@measuring
def test_a_server_that_became_slower_fails_the_gate_by_its_name(tmp_path: Path) -> None:
    done = measured("ab", chat(tmp_path), SLOWER, "--pairs", "4", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "p50(e2e) within 20% of baseline" in done.stdout
    assert "B against A at concurrency 4, 4 pairs" in done.stdout
    result = json.loads((tmp_path / "reports/chat/result.json").read_bytes())
    (verdict,) = [each for each in result["steps"][0]["verdicts"] if "baseline" in each["gate"]["text"]]
    assert verdict["status"] == "fail"
    assert 0.35 < verdict["evidence"]["observed"] < 0.65
    assert result["source"].startswith("B: chat.yaml --set spec.target.simulator.decode_base=6ms")
    assert result["reference"]["design"] == "paired"


@measuring
def test_turns_are_taken_a_b_b_a_and_each_pair_is_whole(tmp_path: Path) -> None:
    done = llmload("ab", chat(tmp_path), SLOWER, "--pairs", "4", cwd=tmp_path)
    assert done.returncode in (3, 5), done.stdout + done.stderr
    turns = rows(tmp_path / "llmload.db", TURNS)
    assert "".join(str(side) for side, _ in turns) == "ABBAABBA"
    assert [repeat for _, repeat in turns] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {status for (status,) in rows(tmp_path / "llmload.db", "select status from runs")} == {"finished"}
    sides = rows(tmp_path / "llmload.db", "select json_extract(labels, '$.\"llmload.side\"') from runs order by source")
    assert sides == [("A",), ("B",)]


@measuring
def test_the_same_server_on_both_sides_never_fails(tmp_path: Path) -> None:
    other = chat(tmp_path, "copy", gates="[p50(e2e) within 30% of baseline]")
    done = measured("ab", chat(tmp_path), other, "--pairs", "4", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.returncode == 0, document["because"]
    assert document["scenario"] == "copy"
    (verdict,) = document["steps"][0]["verdicts"]
    assert verdict["status"] in ("pass", "inconclusive")


@measuring
def test_without_a_relative_gate_the_change_is_told_and_not_judged(tmp_path: Path) -> None:
    done = measured("ab", chat(tmp_path, gates="[goodput >= 80%]"), SLOWER, "--pairs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The change is told, not judged" in done.stdout
    assert "p50(e2e)" in done.stdout


@measuring
def test_each_turn_meets_a_fresh_server_also_where_b_is_launched_in_place_of_a_url(tmp_path: Path) -> None:
    starts, port = tmp_path / "starts", free_port()
    server = start("simulate", "--port", "0", "--set", "decode_base_ms=2", cwd=tmp_path)
    try:
        assert server.stdout is not None
        url = next(part for part in server.stdout.readline().split() if part.startswith("http"))
        name = chat(tmp_path, target__simulator=None, target__url=url)
        launch = f"--set-b=spec.target.launch={launch_of(port, starts)}"
        there = f"--set-b=spec.target.url=http://127.0.0.1:{port}"
        done = llmload("ab", name, launch, there, "--pairs", "4", cwd=tmp_path)
    finally:
        server.terminate()
        server.communicate(timeout=10)
    assert done.returncode in (0, 3, 5), done.stdout + done.stderr
    assert windows_of(tmp_path / "llmload.db") == 8
    assert len(set(starts.read_text().split())) == 4
    assert (tmp_path / "reports/chat/server-b.log").exists()


@measuring
def test_an_interrupted_comparison_keeps_the_pairs_it_has(tmp_path: Path) -> None:
    store = tmp_path / "llmload.db"
    process = start("ab", "--no-progress", chat(tmp_path), SLOWER, "--pairs", "9", cwd=tmp_path)
    wait_for(lambda: windows_of(store) == 9)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "for the pairs that are missing" in err
    assert rows(store, "select distinct status from runs") == [("interrupted",)]
    result = json.loads((tmp_path / "reports/chat/result.json").read_bytes())
    assert result["verdict"] in ("fail", "error")  # error: this machine was too busy
    assert len(result["steps"][0]["repeats"]) >= 4
    shown = json.loads(here("show", result["run_id"], "--json", cwd=tmp_path).stdout)
    assert shown["steps"][0]["verdicts"] == result["steps"][0]["verdicts"]


@measuring
def test_a_side_that_cannot_be_measured_is_no_verdict(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    name = chat(tmp_path, target__simulator=None, target__url=dead)
    done = llmload("ab", name, chat(tmp_path, "other"), "--pairs", "2", cwd=tmp_path)
    assert done.returncode == 5
    assert dead in done.stdout  # in B's report: there was nothing to compare it with
    assert dead in done.stderr
    assert windows_of(tmp_path / "llmload.db") == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"load__requests": 80}, "load.requests 60, and 80", id="requests"),
        pytest.param({"load__concurrency": [8]}, "load concurrency 4, and concurrency 8", id="ladder"),
        pytest.param(
            {"load": "{rate: [4/s], requests: 60, warmup: {requests: 4}}"},
            "load concurrency 4, and rate 4/s, Poisson arrivals",
            id="loop",
        ),
        pytest.param({"workload__prompts__synthetic__output_tokens": 9}, "workload.output_tokens", id="workload"),
        pytest.param({"slo": "{e2e: 9s}"}, "slo", id="what a good request is"),
    ],
)
def test_sides_that_do_not_measure_the_same_are_refused_before_any_load(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    done = here("ab", chat(tmp_path), chat(tmp_path, "other", **changes), cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "llmload.db").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["chat.yaml"], "A and B are the same", id="one file"),
        pytest.param(["chat.yaml", "--set", "spec.load.requests=50"], "A and B are the same", id="--set is for both"),
        pytest.param(["chat.yaml"] * 3, "one or two files", id="three files"),
        pytest.param(["chat.yaml", "--set-b=spec.load.request=5"], "--set:1", id="a wrong path"),
        pytest.param(
            ["chat.yaml", SLOWER, "--set=spec.gates=[goodput >= 99.9%]"], "raise load.requests or --pairs",
            id="a gate that can never pass",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    chat(tmp_path)
    done = here("ab", *arguments, cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "llmload.db").exists()


def test_a_secret_of_a_side_is_not_told(tmp_path: Path) -> None:
    name = chat(tmp_path, target__simulator=None, target__url=f"http://127.0.0.1:{free_port()}")
    secret = f"http://user:pa55w0rd-in-url@127.0.0.1:{free_port()}"
    done = llmload("ab", name, f"--set-b=spec.target.url={secret}", "--pairs", "2", cwd=tmp_path)
    assert done.returncode == 5
    told = [done.stdout.encode(), done.stderr.encode()]
    told += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in told if b"pa55w0rd" in text]


def test_a_side_of_an_a_b_is_not_resumed_by_itself(tmp_path: Path) -> None:
    """Its windows belong to pairs, which nobody measures in turns any more."""
    fill(tmp_path / "llmload.db", [Made(1, status="interrupted", labels={SIDE_LABEL: "B"})])
    done = llmload("apply", "--resume", "latest", write_history_scenario(tmp_path).name, cwd=tmp_path)
    assert done.returncode == 2
    assert "side B of an A/B" in done.stderr


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        pytest.param(8, 5, id="where B is held against it"),
        pytest.param(16, 0, id="elsewhere"),
        pytest.param(None, 0, id="nowhere"),
    ],
)
def test_a_step_that_a_could_not_measure_is_no_missing_baseline(spoilt: int | None, code: int) -> None:
    of_a = Gate("goodput", Bound(">=", 0.9), at=At("concurrency", "==", 4))
    of_b = Gate("e2e", Change(0.05), "p50", at=At("concurrency", "==", 8))
    a = judge(HEADER, ladder(of_a), FACTS, climbs(spoilt), finished=None, refer=nothing_for_a)
    b = judge(HEADER, ladder(of_b), FACTS, climbs(None), finished=None, refer=lambda _: paired_with(a))
    assert (a.exit_code, b.exit_code) == (0, 0)
    assert exit_code_of(Pair(a, b)) == code


def ladder(gate: Gate) -> Scenario:
    """Three steps, climbed four times."""
    asked = scenario(gate, concurrency=(4, 8, 16), max_requests=200)
    return replace(asked, decision=replace(asked.decision, repeats=4))


def climbs(late_at: int | None) -> list[Observation]:
    """Their windows; at one step the client itself was late."""
    found = []
    for repeat in range(4):
        for index, concurrency in enumerate((4, 8, 16)):
            late = [200.0] * 400 if concurrency == late_at else None
            seen = window(good_and_bad(200, 0), step=Step(index, "concurrency", float(concurrency)), late_ms=late)
            found.append(replace(seen, look=replace(seen.look, number=repeat, repeat=repeat)))
    return found
