"""`llmload apply` in every protocol, offline: a clean run passes with exact counts, and every fault is told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.command import measured, write_scenario

SPOKEN = {
    "vLLM's completions": ("vllm", "completions"),
    "Ollama's chat": ("ollama", "chat"),
    "Ollama's generate": ("ollama", "generate"),
    "Ollama's OpenAI path": ("ollama", "openai"),
    "Triton's generate": ("triton", "generate"),
    "SGLang's generate": ("sglang", "generate"),
    "LMDeploy's chat": ("lmdeploy", "chat"),
}
TELLS_NO_USAGE = ("triton",)
EXPECTED_ERRORS = {
    *("HTTP_503", "CONNECTION_ERROR", "TIMEOUT_TOTAL", "JSON_PARSE_ERROR", "ERROR_IN_STREAM"),
    "TIMEOUT_FIRST_TOKEN",
}
pytestmark = pytest.mark.measuring


def scenario(directory: Path, framework: str, api: str, **changes: object) -> str:
    """A scenario whose answers are 8 tokens long, with the simulator's own tokenizer where nobody tells counts."""
    written: dict[str, object] = {
        "target__framework": framework,
        "target__api": api,
        "target__simulator__mean_answer_tokens": 1_000_000,  # nothing makes Ollama's model go on when it would stop
    }
    if framework in TELLS_NO_USAGE:
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.save(str(directory / "tokenizer.json"))
        written["workload__tokenizer"] = "{file: tokenizer.json}"
    return write_scenario(directory, **written, **changes).name


def result(directory: Path) -> dict:
    return json.loads((directory / "reports/chat/result.json").read_bytes())


@pytest.mark.parametrize(("framework", "api"), SPOKEN.values(), ids=SPOKEN.keys())
def test_a_clean_run_passes_and_counts_every_token(tmp_path: Path, framework: str, api: str) -> None:
    done = measured("apply", scenario(tmp_path, framework, api), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = result(tmp_path)
    (step,) = told["steps"]
    metrics, tells = step["metrics"], framework not in TELLS_NO_USAGE
    assert (told["target"]["framework"], told["target"]["api"]) == (framework, api)
    assert "simulator-" in told["target"]["version"]
    assert (metrics["attempts"], metrics["ok"], metrics["errors"]) == (100, 100, {})
    assert metrics["output_tokens"] == 8 * 100
    assert metrics["input_tokens"] == (32 * 100 if tells else 0)
    assert metrics["token_sources"] == {"usage" if tells else "tokenizer": 100}


@pytest.mark.parametrize(("framework", "api"), SPOKEN.values(), ids=SPOKEN.keys())
def test_every_fault_is_told_apart(tmp_path: Path, framework: str, api: str) -> None:
    faults = (
        "{error_rate: 5%, error_status: 503, disconnect_rate: 5%, stall_rate: 5%, malformed_rate: 5%, "
        "stream_error_rate: 5%, slow_first_byte_rate: 5%, slow_first_byte: 5s}"
    )
    changes = {
        "target__simulator__faults": faults,
        "target__timeout": "{first_token: 1s, total: 2s}",
        "load__requests": 200,
        "load__concurrency": [16],
    }
    done = measured("apply", scenario(tmp_path, framework, api, **changes), cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    (step,) = result(tmp_path)["steps"]
    metrics = step["metrics"]
    assert set(metrics["errors"]) == EXPECTED_ERRORS
    assert metrics["ok"] + sum(metrics["errors"].values()) == metrics["attempts"]
    assert metrics["good"] <= metrics["ok"] < 0.85 * metrics["attempts"]
