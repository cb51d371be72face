"""What is sent is decided by the scenario and its seed alone, on every machine and every version of Python.

The digests were written down when the plans were made, on CPython 3.11; 3.12 and 3.13 give the same
(`python -m tests.workload.test_wire_bytes` prints them).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from llmload.analysis.looks import planned_sizes, steps_of
from llmload.analysis.row_use import stretch_of
from llmload.domain import TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.frameworks.openai import chat_body
from llmload.planned import Look, PlannedRequest
from llmload.scenario.loader import load_text
from llmload.workload.planning import plan_look

ENDPOINT = Endpoint("http://127.0.0.1:1", "openai", "chat", "tiny", True, {"temperature": 0})
FIT = TokenFit(11, 1.25, 0.0, TokenSource.USAGE)
REQUESTS = 300

PROMPTS: dict[str, dict[str, object]] = {
    "fixed": {"synthetic": {"input_tokens": 300, "output_tokens": 50}},
    "normal": {"synthetic": {"input_tokens": {"mean": 256, "stdev": 40}, "output_tokens": {"uniform": [5, 50]}}},
    "lognormal": {"synthetic": {"input_tokens": {"lognormal": {"mean": 500, "stdev": 400}}, "unique": False}},
    "measured lengths": {"synthetic": {"lengths": {"from": "lengths.csv"}}},
    "a file of rows": {"file": {"path": "rows.jsonl", "format": "prompts", "reuse": True, "unique": True}},
    "a file, at random": {"file": {"path": "rows.jsonl", "format": "prompts", "order": "random"}},
}
GOLDEN = {
    "fixed": "929b07468be902e560b9d1331d5f0f02787c7f8fa1ec2bb9d424ad1b2a9155d4",
    "normal": "7393db4b7e155d274f43b56b7b1e54c34997271609056b99d878cf6c3a952455",
    "lognormal": "2ca5b94c34cfc4a82e0252832403bf9c09cd4cb8c08b820a0345d572b209594f",
    "measured lengths": "301c9b45223407826fb7e3b0a0409cb2154ed76ec7b292e18eb9f3995e3d9914",
    "a file of rows": "4170f8b9dbc52f021623d584ae7b83e5a27431c94629148da23cb28cc4775e83",
    "a file, at random": "42fb771b7ee2a865fe4bb2c0ff2dc22044c9478e3ee76c6ed9d9cf1086f02e6a",
}


def requests(prompts: dict[str, object], folder: Path, seed: int = 42) -> list[PlannedRequest]:
    """The first look at the second step."""
    (folder / "lengths.csv").write_text(
        "input_tokens,output_tokens\n" + "".join(f"{20 + row * 7},{1 + row % 90}\n" for row in range(100))
    )
    (folder / "rows.jsonl").write_text("".join(json.dumps(f"What of {row}? Höher!") + "\n" for row in range(1000)))
    spec = {
        "target": {"url": "http://localhost:8000"},
        "workload": {"prompts": prompts, "seed": seed},
        "load": {"concurrency": [2, 4], "requests": REQUESTS},
    }
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "s"}, "spec": spec}
    found = load_text(yaml.safe_dump(document), "s.yaml", env={}, directory=folder)
    step = steps_of(found)[1]
    look = Look(step, 0, planned_sizes(found, step)[0])
    plan = plan_look(found, look, FIT, run="20261121-0001", rows=stretch_of(found, look))
    return [plan.request(index) for index in range(REQUESTS)]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every body of each kind of prompts."""
    sent = {name: [chat_body(ENDPOINT, each) for each in requests(kind, folder)] for name, kind in PROMPTS.items()}
    return {name: sha256(b"\n".join(bodies)).hexdigest() for name, bodies in sent.items()}


def test_the_bytes_on_the_wire_are_those_that_were_written_down(tmp_path: Path) -> None:
    assert digests(tmp_path) == GOLDEN


def test_another_process_with_another_hash_seed_sends_the_same_bytes() -> None:
    command = [sys.executable, "-m", "tests.workload.test_wire_bytes"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "7"}, check=True)
    assert json.loads(done.stdout) == GOLDEN


@pytest.mark.parametrize("name", [name for name, kind in PROMPTS.items() if "synthetic" in kind])
def test_different_seeds_have_no_prompt_in_common(name: str, tmp_path: Path) -> None:
    prompts = [{each.prompt for each in requests(PROMPTS[name], tmp_path, seed)} for seed in range(5)]
    assert all(one.isdisjoint(other) for one, other in combinations(prompts, 2))
    assert all(len(each) == REQUESTS for each in prompts), "nor does one of them send a prompt twice"


def test_different_seeds_send_rows_of_a_file_in_another_order_and_behind_another_salt(tmp_path: Path) -> None:
    plain = {**PROMPTS["a file of rows"]["file"], "unique": False}  # type: ignore[dict-item]  # it is a map
    orders = [[each.prompt for each in requests({"file": plain}, tmp_path, seed)] for seed in range(3)]
    assert all(one != other for one, other in combinations(orders, 2))
    salted = [{each.prompt for each in requests(PROMPTS["a file of rows"], tmp_path, seed)} for seed in range(3)]
    assert all(one.isdisjoint(other) for one, other in combinations(salted, 2))


def test_measured_lengths_are_drawn_in_pairs_as_often_as_they_were_measured(tmp_path: Path) -> None:
    drawn = [
        (each.input_tokens or 0, each.output_tokens)
        for seed in range(10)
        for each in requests(PROMPTS["measured lengths"], tmp_path, seed)
    ]
    rows = [(20 + row * 7, 1 + row % 90) for row in range(100)]
    assert set(drawn) == set(rows)
    for column in (0, 1):
        asked, came = (sum(pair[column] for pair in pairs) / len(pairs) for pairs in (rows, drawn))
        assert came == pytest.approx(asked, rel=0.03)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(digests(Path(scratch)), indent=4, ensure_ascii=False))
