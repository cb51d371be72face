"""Synthetic prompts are as long as asked, by the servers' own count: a real llama.cpp, and the simulator."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from llmload.domain import Outcome, Phase, RequestRecord
from llmload.store.database import open_existing
from tests.command import measured_apart, write_scenario
from tests.engines.conftest import Engine

pytestmark = pytest.mark.measuring

REQUESTS = 80
LENGTHS: dict[str, dict[str, object]] = {
    "normal": {"input_tokens": {"mean": 300, "stdev": 60, "min": 50, "max": 700}, "output_tokens": 4},
    "lognormal": {
        "input_tokens": {"lognormal": {"mean": 200, "stdev": 150, "min": 20, "max": 800}},
        "output_tokens": 4,
    },
    "as measured": {"lengths": {"from": "lengths.csv"}},
}


def sent(directory: Path, target: dict[str, object], synthetic: dict[str, object]) -> list[RequestRecord]:
    """Every measured request of a run."""
    pairs = [(30 + row * 37 % 700, 2 + row % 5) for row in range(50)]
    text = "".join(f"{prompt},{answer}\n" for prompt, answer in pairs)
    (directory / "lengths.csv").write_text("input_tokens,output_tokens\n" + text)
    scenario = write_scenario(
        directory,
        target=target,
        workload__prompts={"synthetic": synthetic},
        load={"concurrency": [8], "requests": REQUESTS},
        slo={"e2e": "60s"},
        gates=["error_rate <= 50%"],
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(directory / "runs.db") as store:
        stored = store.load(store.find("latest"))
    records = [record for window in stored.observations for record in window.records]
    return [record for record in records if record.phase is Phase.MEASURED]


def check(records: list[RequestRecord], near: float) -> None:
    """The server counts what was asked, on average within 2 %, each prompt within `near`."""
    assert len(records) >= REQUESTS
    assert {record.outcome for record in records} == {Outcome.OK}
    pairs = [(record.asked_input_tokens or 0, record.input_tokens or 0) for record in records]
    asked, told = (statistics.mean(pair[side] for pair in pairs) for side in (0, 1))
    assert told == pytest.approx(asked, rel=0.02)
    assert len({pair[0] for pair in pairs}) > 30, "lengths that differ"
    off = [abs(told - asked) / asked for asked, told in pairs]
    assert statistics.mean(off) < near, sorted(off)[-5:]


@pytest.mark.parametrize("synthetic", LENGTHS.values(), ids=LENGTHS)
def test_llama_cpp_counts_as_many_tokens_as_were_asked(
    synthetic: dict[str, object], llama_cpp: Engine, tmp_path: Path
) -> None:
    # a vocabulary of 1024 cuts common words into up to five tokens, so single prompts differ
    check(sent(tmp_path, {"url": llama_cpp.url, "model": "tiny"}, synthetic), near=0.1)


@pytest.mark.parametrize("synthetic", LENGTHS.values(), ids=LENGTHS)
def test_the_simulator_counts_as_many_tokens_as_were_asked(synthetic: dict[str, object], tmp_path: Path) -> None:
    check(sent(tmp_path, {"simulator": {"profile": "h100", "decode_base": "1ms"}}, synthetic), near=0.02)
