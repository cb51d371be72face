"""What vLLM tells of its own configuration."""

from __future__ import annotations

import orjson

from llmload.frameworks.adapter import ServedModel
from llmload.frameworks.vllm import ADAPTER, read_actual
from tests.frameworks.captured import body_of

MODELS, METRICS = body_of("vllm/models.txt"), body_of("vllm/metrics-busy.prom")
# The engine's configuration as it prints itself, in the log and in `/server_info` (release 0.32.0, cut).
CONFIG = (
    "model='models/tiny-cycle', speculative_config=None, max_seq_len=2048, tensor_parallel_size=2, "
    "pipeline_parallel_size=1, data_parallel_size=1, decode_context_parallel_size=1, quantization=awq_marlin, "
    "quantization_config=None, enable_prefix_caching=False, enable_chunked_prefill=True"
)


def test_models_and_metrics_tell_context_memory_and_prefix_caching() -> None:
    assert read_actual({"/v1/models": MODELS, "/metrics": METRICS}) == {
        "max_model_len": 2048,
        "gpu_memory_utilization": 0.92,
        "enable_prefix_caching": True,
    }


def test_a_server_in_development_mode_tells_more() -> None:
    assert read_actual({"/server_info": orjson.dumps({"vllm_config": CONFIG})}) == {
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 1,
        "quantization": "awq",
        "enable_prefix_caching": False,
    }
    none = {"vllm_config": "quantization=None, tensor_parallel_size=many"}
    assert read_actual({"/server_info": orjson.dumps(none)}) == {"quantization": "none"}


def test_a_format_that_holds_several_precisions_tells_none_of_them() -> None:
    told = {"vllm_config": "quantization=compressed-tensors, tensor_parallel_size=1"}
    assert read_actual({"/server_info": orjson.dumps(told)}) == {"tensor_parallel_size": 1}


def test_what_is_not_told_is_missing() -> None:
    assert read_actual({}) == {}
    assert read_actual({"/metrics": b'vllm:cache_config_info{gpu_memory_utilization="much"} 1.0\n'}) == {}
    assert read_actual({"/v1/models": b'{"data":[{"id":"a","max_model_len":1},{"id":"b","max_model_len":2}]}'}) == {}


def test_model_and_version() -> None:
    assert ADAPTER.models.read({"/v1/models": MODELS}) == (ServedModel(("tiny",), 2048),)
    assert ADAPTER.version.read({"/version": body_of("vllm/version.txt")}) == "0.32.0"
