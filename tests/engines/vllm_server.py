"""A real vLLM on the CPU, serving a model under the name `tiny`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.server_process import free_ports, running

_VLLM = Path(__file__).parents[2] / ".engines" / "vllm"
VERSION, MAX_MODEL_LEN = "0.32.0", 2048
READY_WITHIN_S = 300
_CORES = f"0-{max(0, (os.cpu_count() or 1) // 2 - 1)}"
"""Half of the machine, at low priority: its threads wait by spinning, and a client without a core measures nothing."""


ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@contextmanager
def serving_vllm(folder: Path, directory: Path) -> Iterator[str]:
    """Its address once it is ready, which takes most of a minute; its log stays in `directory`."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command, log = vllm_command(folder, port), directory / "vllm.log"
    with running(command, ready=f"{url}/health", ready_within_s=READY_WITHIN_S, log=log, env=ENVIRONMENT):
        yield url


def vllm_command(folder: Path, port: int) -> list[str]:
    """Serves the model in `folder`. AssertionError: vLLM is not installed."""
    python = _VLLM / "bin" / "python"
    assert python.exists(), f"no vLLM in {_VLLM}: `make test-engines` installs it"
    return [
        *("taskset", "--cpu-list", _CORES),
        *("nice", "-n", "10"),
        *(str(python), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(folder), "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--max-model-len", str(MAX_MODEL_LEN), "--max-num-seqs", "16", "--dtype", "float32"),
        "--enforce-eager",  # compiling takes longer than all tests
        "--enable-prompt-tokens-details",  # without it nobody learns of cached tokens
    ]
