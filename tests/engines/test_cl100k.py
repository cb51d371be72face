"""Our count without a server, held against a real server whose model has that vocabulary."""

from __future__ import annotations

import inspect
from pathlib import Path
from pydoc_data.topics import topics

import httpx
import pytest

from llmload.workload import tokens
from llmload.workload.tokens import counter_for

JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 8
SIGNS = "naïve café, 3.14159 × 10⁻⁶ €1,234,567.89 🙂🚀 “quotes” – α²+β²=γ² ==> [x for x in y] <|im_start|> \t\n\n" * 5


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(topics["assignment"][:3000], id="English prose"),
        pytest.param(inspect.getsource(tokens)[:2500], id="Python"),
        pytest.param(JAPANESE, id="Japanese"),
        pytest.param(SIGNS, id="figures, signs and emoji"),
    ],
)
def test_tiktoken_finds_at_least_95_percent_of_the_servers_own_count(
    text: str, cl100k_server: str, vocabulary_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(vocabulary_file.parent))
    document = {"model": "gpt-4", "prompt": text, "max_tokens": 1}
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{cl100k_server}/v1/completions", json=document).raise_for_status().json()
    told = answer["usage"]["prompt_tokens"]
    counted = counter_for("gpt-4", None).count(text)
    assert told > 100
    assert min(told, counted) / max(told, counted) >= 0.95
