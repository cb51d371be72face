"""vLLM: its own OpenAI-compatible server, with the extras `ignore_eos` and `min_tokens` honoured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from llmload.frameworks import metric_names, openai
from llmload.frameworks.adapter import Adapter, Question, Replies
from llmload.frameworks.replies import document, member

_METRICS, _CONFIG = "/metrics", "/server_info"
_CONTAINERS = ("compressed-tensors", "quark", "modelopt")  # formats of files, in FP8, INT8 or INT4: not told which
_CACHE_CONFIG = re.compile(rb"^vllm:cache_config_info\{([^\n]*)\} ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How the server was started: the flags of `vllm serve`, by their long names. None = the server decides."""

    gpu_memory_utilization: Annotated[float, Gt(0), Le(1)] = 0.9
    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    pipeline_parallel_size: Annotated[int, Ge(1)] = 1
    max_num_seqs: Annotated[int, Ge(1)] = 256
    max_model_len: Annotated[int, Ge(1)] | None = None
    quantization: Literal["awq", "gptq", "fp8", "int8", "none"] = "none"
    enable_prefix_caching: bool | None = None


def read_actual(replies: Replies) -> Mapping[str, object]:
    """What `/v1/models` and `/metrics` tell of the engine's configuration, and `/server_info` where it is there.

    `/server_info` answers only when the server runs in its development mode (VLLM_SERVER_DEV_MODE=1).
    """
    told: dict[str, object] = {}
    lengths = {model.max_model_len for model in openai.read_models(replies)} - {None}
    if len(lengths) == 1:
        told["max_model_len"] = lengths.pop()
    labels = _CACHE_CONFIG.search(replies.get(_METRICS, b""))
    if labels:
        written = labels[1].decode(errors="replace")
        told.update(_settings_in(written, r'\b{name}="([^"]*)"', ("gpu_memory_utilization", "enable_prefix_caching")))
    config = member(document(replies.get(_CONFIG)), "vllm_config")
    if isinstance(config, str):
        told.update(_settings_in(config, r"\b{name}='?([^,' )]+)", _IN_CONFIG))
    return told


def _settings_in(text: str, pattern: str, names: tuple[str, ...]) -> Mapping[str, object]:
    found = {name: re.search(pattern.format(name=name), text) for name in names}
    read = {name: _READ[name](match[1]) for name, match in found.items() if match is not None}
    return {name: value for name, value in read.items() if value is not None}


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _share(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d*\.?\d+", text) else None


def _flag(text: str) -> bool | None:
    return {"True": True, "False": False}.get(text)


def _quantization(text: str) -> str | None:
    if text in _CONTAINERS:
        return None
    return "none" if text == "None" else text.removesuffix("_marlin")  # AWQ and GPTQ run by a faster kernel


_READ = {
    "gpu_memory_utilization": _share,
    "enable_prefix_caching": _flag,
    "tensor_parallel_size": _whole,
    "pipeline_parallel_size": _whole,
    "quantization": _quantization,
}
_IN_CONFIG = ("tensor_parallel_size", "pipeline_parallel_size", "quantization", "enable_prefix_caching")

ADAPTER = Adapter(
    name="vllm",
    settings=VllmSettings,
    dialects=openai.DIALECTS,
    models=openai.MODELS,
    version=openai.VERSION,
    questions=(Question(openai.MODELS_PATH), Question(_METRICS), Question(_CONFIG)),
    read_actual=read_actual,
    ran_against="vLLM 0.32 on a CPU",
    metric_names=metric_names.VLLM,
)
