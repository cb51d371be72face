"""Embeddings of llama.cpp's real HTTP server, which counts tokens and can be asked to cut the very same texts."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from llmload.domain import Outcome, Phase, TokenSource
from llmload.store.database import open_existing
from llmload.workload.tokens import counter_for
from tests.command import llmload, measured_apart, write_scenario
from tests.engines.conftest import Engine

pytestmark = pytest.mark.measuring

INPUT_TOKENS = 128


def test_what_it_counts_is_what_its_tokenizer_makes_of_the_very_texts(
    llama_cpp_embeddings: Engine, tmp_path: Path
) -> None:
    url = llama_cpp_embeddings.url
    texts = ["the of and to", "in is that", "for it with as was on be by"]
    (tmp_path / "rows.txt").write_text("\n".join(texts) + "\n")
    scenario = write_scenario(
        tmp_path,
        target={"url": url, "model": "tiny"},
        workload={"api": "embeddings", "prompts": {"file": {"path": "rows.txt", "format": "prompts", "reuse": True}}},
        load={"concurrency": [1], "requests": 30, "warmup": {"requests": 3}},
        gates=["error_rate <= 5%", "total_tps >= 1 tok/s"],
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    told = [record for window in stored.observations for record in window.records if record.phase is Phase.MEASURED]
    assert {(record.outcome, record.output_tokens) for record in told} == {(Outcome.OK, 0)}
    assert {record.input_tokens for record in told} == {_tokens(url, text) for text in texts}
    counter = counter_for("tiny", str(llama_cpp_embeddings.model.tokenizer))
    assert {_tokens(url, text) for text in texts} == {counter.count(text) for text in texts}


def _tokens(url: str, text: str) -> int:
    """The tokens of a text as the engine cuts it."""
    body = json.dumps({"content": text}).encode()
    with urlopen(Request(f"{url}/tokenize", body, {"content-type": "application/json"}), timeout=10) as reply:
        return len(json.load(reply)["tokens"])


def test_synthetic_texts_are_as_long_as_asked(llama_cpp_embeddings: Engine, tmp_path: Path) -> None:
    """Its batch takes 512 tokens and its context 1024, so that the longest text of the probe has to be shortened."""
    scenario = write_scenario(
        tmp_path,
        target={"url": llama_cpp_embeddings.url, "model": "tiny"},
        workload={"api": "embeddings", "prompts": {"synthetic": {"input_tokens": INPUT_TOKENS}}},
        load={"concurrency": [4], "requests": 100, "warmup": {"requests": 4}},
        gates=["error_rate <= 5%"],
    )
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    assert stored.facts is not None
    assert stored.facts.fit is not None
    assert stored.facts.fit.source is TokenSource.USAGE
    told = [record for window in stored.observations for record in window.records if record.phase is Phase.MEASURED]
    assert statistics.mean(record.input_tokens or 0 for record in told) == pytest.approx(INPUT_TOKENS, rel=0.02)


def test_a_server_without_embeddings_is_told_what_it_lacks(llama_cpp: Engine, tmp_path: Path) -> None:
    target, workload = {"url": llama_cpp.url, "model": "tiny"}, {"api": "embeddings"}
    scenario = write_scenario(tmp_path, target=target, workload=workload)
    done = llmload("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 5, done.stdout
    said = " ".join((done.stdout + done.stderr).split())
    assert "This server does not support embeddings. Start it with `--embeddings`" in said
    assert "Serve a model that embeds" in said
