"""How each load tool is asked for the same work, and where it leaves its figures.

The Makefile names the versions that we tried."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROMPT_TOKENS, OUTPUT_TOKENS = 32, 256


@dataclass(frozen=True)
class Reported:
    """Milliseconds as a tool told them; None where it has no such figure."""

    ttft_p50: float
    ttft_p99: float
    tpot_p50: float | None
    tpot_p99: float | None
    itl_p50: float | None
    itl_p99: float | None


Command = Callable[[Path, str, Path, int, int], list[str]]


@dataclass(frozen=True)
class Tool:
    """One load tool. `command` takes its program, the URL, the working folder, streams and requests."""

    name: str
    program: str
    command: Command
    read: Callable[[Path], Reported]
    environment: Mapping[str, str] = field(default_factory=dict)


def _document(path: Path) -> Any:
    return json.loads(path.read_text())


# ---------------------------------------------------------------- ourselves


def _llmload(program: Path, url: str, folder: Path, streams: int, requests: int) -> list[str]:
    scenario = {
        "apiVersion": "llmload/v1",
        "kind": "Scenario",
        "metadata": {"name": "peers"},
        "spec": {
            "target": {"url": url, "framework": "openai", "model": "tiny"},
            "workload": {"prompts": {"synthetic": {"input_tokens": PROMPT_TOKENS, "output_tokens": OUTPUT_TOKENS}}},
            "load": {"concurrency": [streams], "requests": requests, "warmup": {"requests": 0}, "workers": 1},
        },
    }
    (folder / "peers.yaml").write_text(json.dumps(scenario))
    ours = str(Path(sys.executable).parent / program.name)
    return [ours, "apply", "peers.yaml", "--store", "peers.db", "--out", str(folder)]


def _read_llmload(folder: Path) -> Reported:
    (result,) = folder.rglob("result.json")
    latency = _document(result)["steps"][0]["metrics"]["latency"]
    pairs = [(latency[name]["p50_ms"], latency[name]["p99_ms"]) for name in ("ttft", "tpot", "itl")]
    return Reported(*pairs[0], *pairs[1], *pairs[2])


# ---------------------------------------------------------------- guidellm


def _guidellm(program: Path, url: str, folder: Path, streams: int, requests: int) -> list[str]:
    return [
        *(str(program), "run", "--disable-console"),
        *("--backend", f"kind=openai_http,target={url},model=tiny,request_format=/v1/chat/completions"),
        *("--profile", f"kind=concurrent,streams={streams}"),
        *("--constraint", f"kind=max_requests,count={requests}"),
        *("--tokenizer", f"kind=hf_auto,model={folder / 'tokenizer'}"),
        *("--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={OUTPUT_TOKENS}"),
        *("--output", f"kind=json,path={folder / 'guidellm.json'}"),
    ]


def _read_guidellm(folder: Path) -> Reported:
    """Its inter-token latency is one figure a request, (last - first) / (tokens - 1): what we call TPOT."""
    metrics = _document(folder / "guidellm.json")["benchmarks"][0]["metrics"]
    ttft, tpot = (
        metrics[name]["successful"]["percentiles"] for name in ("time_to_first_token_ms", "inter_token_latency_ms")
    )
    return Reported(ttft["p50"], ttft["p99"], tpot["p50"], tpot["p99"], None, None)


# ---------------------------------------------------------------- aiperf


def _aiperf(program: Path, url: str, folder: Path, streams: int, requests: int) -> list[str]:
    return [
        *(str(program), "profile", "-m", "tiny", "--url", url, "--endpoint-type", "chat", "--streaming"),
        *("--tokenizer", str(folder / "tokenizer"), "--concurrency", str(streams), "--request-count", str(requests)),
        *("--num-dataset-entries", str(requests), "--prompt-input-tokens-mean", str(PROMPT_TOKENS)),
        *("--prompt-output-tokens-mean", str(OUTPUT_TOKENS), "--artifact-dir", str(folder / "aiperf")),
        *("--ui", "none", "--no-server-metrics", "--no-gpu-telemetry", "--use-server-token-count"),
    ]


def _read_aiperf(folder: Path) -> Reported:
    """Its inter-token latency is one figure a request (our TPOT), its inter-chunk latency is our ITL."""
    document = _document(folder / "aiperf" / "profile_export_aiperf.json")
    ttft, tpot, itl = (
        (document[name]["p50"], document[name]["p99"])
        for name in ("time_to_first_token", "inter_token_latency", "inter_chunk_latency")
    )
    return Reported(*ttft, *tpot, *itl)


# ---------------------------------------------------------------- vllm bench serve


def _vllm(program: Path, url: str, folder: Path, streams: int, requests: int) -> list[str]:
    return [
        *(str(program), "bench", "serve", "--backend", "openai-chat", "--base-url", url),
        *("--endpoint", "/v1/chat/completions", "--model", "tiny", "--tokenizer", str(folder / "tokenizer")),
        *("--dataset-name", "random", "--random-input-len", str(PROMPT_TOKENS)),
        *("--random-output-len", str(OUTPUT_TOKENS), "--num-prompts", str(requests)),
        *("--max-concurrency", str(streams), "--percentile-metrics", "ttft,tpot,itl"),
        *("--metric-percentiles", "50,99", "--disable-tqdm"),
        *("--save-result", "--result-dir", str(folder), "--result-filename", "vllm.json"),
    ]


def _read_vllm(folder: Path) -> Reported:
    told = _document(folder / "vllm.json")
    return Reported(*(told[f"{share}_{name}_ms"] for name in ("ttft", "tpot", "itl") for share in ("p50", "p99")))


_NO_HUB = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

OURS = Tool("llmload", "llmload", _llmload, _read_llmload)
PEERS = (
    Tool("guidellm", "guidellm", _guidellm, _read_guidellm, _NO_HUB),
    Tool("aiperf", "aiperf", _aiperf, _read_aiperf),  # told to stay off the hub, it refuses a folder as a tokenizer
    Tool("vllm", "vllm", _vllm, _read_vllm, {**_NO_HUB, "VLLM_TARGET_DEVICE": "cpu"}),  # its client needs no GPU
)
TOOLS = (OURS, *PEERS)
