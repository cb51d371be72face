"""A real Triton Inference Server with models whose answers are known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.engines.install_triton import TRITON, Installed, read_installed
from tests.engines.server_process import free_ports, running

_MODEL = Path(__file__).with_name("triton_model.py")
_READY_WITHIN_S = 60

_VLLM = {
    "text_input": "STRING",
    "stream": "BOOL",
    "sampling_parameters": "STRING",
    "exclude_input_in_output": "BOOL",
}
_COUNTING_VLLM = {
    **_VLLM,
    "return_finish_reason": "BOOL",
    "return_num_input_tokens": "BOOL",
    "return_num_output_tokens": "BOOL",
}
_ENSEMBLE = {
    "text_input": "STRING",
    "max_tokens": "INT32",
    "bad_words": "STRING",
    "stop_words": "STRING",
    "end_id": "INT32",
    "top_k": "INT32",
    "top_p": "FP32",
    "temperature": "FP32",
    "min_length": "INT32",
    "random_seed": "UINT64",
    "stream": "BOOL",
}
BREAKS_EVERY, BREAKS_AFTER = 10, 5
"""The model `breaks`: every tenth request fails in the middle of its answer, after so many tokens."""


@dataclass(frozen=True, slots=True)
class Triton:
    """A running server: its address, and that of its metrics, which have a port of their own."""

    url: str
    metrics_url: str


@dataclass(frozen=True, slots=True)
class _Model:
    """A model of the repository by what the outside sees of it; the code is the same."""

    inputs: Mapping[str, str]
    decoupled: bool = True
    breaks_every: int = 0


_MODELS = {
    "tiny": _Model(_VLLM),
    "counting": _Model(_COUNTING_VLLM),
    "ensemble": _Model(_ENSEMBLE),
    "whole": _Model(_VLLM, decoupled=False),
    "breaks": _Model(_VLLM, breaks_every=BREAKS_EVERY),
}


@contextmanager
def serving_triton(directory: Path, words: Sequence[str]) -> Iterator[Triton]:
    """Start it on free ports, with its models and its log in `directory`. It ends with the block."""
    installed = read_installed()
    repository = directory / "models"
    for name, model in _MODELS.items():
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(_config(model, words))
        shutil.copy(_MODEL, repository / name / "1" / "model.py")
    http, metrics = free_ports(2)
    url = f"http://127.0.0.1:{http}"
    with running(
        _command(Path(installed.packages), repository, http, metrics),
        ready=f"{url}/v2/health/ready",
        ready_within_s=_READY_WITHIN_S,
        log=directory / "triton.log",
        env=_environment(installed),
    ):
        yield Triton(url, f"http://127.0.0.1:{metrics}/metrics")


def _config(model: _Model, words: Sequence[str]) -> str:
    inputs = ",\n".join(
        f'  {{ name: "{name}" data_type: TYPE_{kind} dims: [ 1 ] optional: {_spell(name != "text_input")} }}'
        for name, kind in model.inputs.items()
    )
    told = {"answer": "|".join(words), "breaks_every": model.breaks_every, "breaks_after": BREAKS_AFTER}
    parameters = "\n".join(
        f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}' for name, value in told.items()
    )
    return f"""backend: "python"
max_batch_size: 0
model_transaction_policy {{ decoupled: {_spell(model.decoupled)} }}
input [
{inputs}
]
output [
  {{ name: "text_output" data_type: TYPE_STRING dims: [ -1 ] }},
  {{ name: "finish_reason" data_type: TYPE_STRING dims: [ -1 ] }},
  {{ name: "num_input_tokens" data_type: TYPE_UINT32 dims: [ 1 ] }},
  {{ name: "num_output_tokens" data_type: TYPE_UINT32 dims: [ -1 ] }}
]
instance_group [ {{ kind: KIND_CPU }} ]
{parameters}
"""


def _spell(value: bool) -> str:
    return str(value).lower()


def _command(packages: Path, repository: Path, http: int, metrics: int) -> list[str]:
    server = packages / "pytriton" / "tritonserver"
    return [
        str(server / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={server / 'backends'}",
        "--http-address=127.0.0.1",
        f"--http-port={http}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={metrics}",
        "--allow-grpc=false",
        "--exit-timeout-secs=5",
    ]


def _environment(installed: Installed) -> dict[str, str]:
    """What lets the backend find libpython, and that find the environment with numpy 1: by `python3` on PATH."""
    return {
        "LD_LIBRARY_PATH": f"{Path(installed.packages) / 'nvidia_pytriton.libs'}:{installed.libpython}",
        "PATH": f"{TRITON / 'bin'}:{os.environ['PATH']}",
    }
