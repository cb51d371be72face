"""Triton's generate extension: bodies from a model's own configuration, answers from captures."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, ServedModel, Usage
from llmload.frameworks.registry import dialect_for
from llmload.frameworks.triton import ADAPTER, learn, read_actual, read_answer, read_event, read_models, read_version
from llmload.planned import PlannedRequest
from tests.frameworks.captured import body_of

REQUEST = PlannedRequest(index=0, prompt="say it", input_tokens=2, output_tokens=9)
CONFIG = "/v2/models/{model}/config"
CAPTURED = {CONFIG: body_of("triton/get-v2-models-vllm_like-config.txt")}


def _config(inputs: Mapping[str, str], required: tuple[str, ...] = (), **more: object) -> Mapping[str, bytes]:
    listed = [{"name": name, "data_type": kind, "optional": name not in required} for name, kind in inputs.items()]
    return {CONFIG: orjson.dumps({"name": "m", "input": listed, **more})}


# As in all_models/inflight_batcher_llm/ensemble/config.pbtxt of tensorrtllm_backend, the inputs that matter here.
ENSEMBLE = _config(
    {
        "text_input": "TYPE_STRING",
        "max_tokens": "TYPE_INT32",
        "bad_words": "TYPE_STRING",
        "stop_words": "TYPE_STRING",
        "end_id": "TYPE_INT32",
        "top_k": "TYPE_INT32",
        "temperature": "TYPE_FP32",
        "min_length": "TYPE_INT32",
        "random_seed": "TYPE_UINT64",
        "stream": "TYPE_BOOL",
    },
    ("text_input", "max_tokens", "bad_words", "stop_words"),
    platform="ensemble",
    ensemble_scheduling={"step": [{"model_name": "preprocessing"}, {"model_name": "tensorrt_llm"}]},
)
# As in src/model.py of vllm_backend, release 24.12 and later.
VLLM_BACKEND = _config(
    {
        "text_input": "TYPE_STRING",
        "stream": "TYPE_BOOL",
        "sampling_parameters": "TYPE_STRING",
        "exclude_input_in_output": "TYPE_BOOL",
        "return_finish_reason": "TYPE_BOOL",
        "return_num_input_tokens": "TYPE_BOOL",
        "return_num_output_tokens": "TYPE_BOOL",
    },
    ("text_input",),
    backend="vllm",
    instance_group=[{"count": 1}],
)
# As in all_models/llmapi/tensorrt_llm/config.pbtxt of tensorrtllm_backend.
LLM_API = _config(
    {
        "text_input": "TYPE_STRING",
        "streaming": "TYPE_BOOL",
        "sampling_param_max_tokens": "TYPE_INT32",
        "sampling_param_temperature": "TYPE_FP32",
        "sampling_param_exclude_input_from_output": "TYPE_BOOL",
    },
    ("text_input",),
    backend="python",
)
SAMPLING = {"temperature": 0, "min_tokens": 4, "seed": 7, "ignore_eos": True}


def _endpoint(replies: Mapping[str, bytes], *, stream: bool = True, **sampling: object) -> Endpoint:
    return Endpoint(
        "http://127.0.0.1:1", "triton", "generate", "m", stream, {**SAMPLING, **sampling}, learnt=learn(replies)
    )


def _sent(endpoint: Endpoint) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(dialect_for(endpoint).body(endpoint, REQUEST))
    return document


def test_the_ensemble_of_tensorrt_llm_gets_tensors_by_its_names_and_types() -> None:
    endpoint = _endpoint(ENSEMBLE)
    sent = _sent(endpoint)
    assert sent == {
        "text_input": "say it",
        "max_tokens": 9,
        "bad_words": "",
        "stop_words": "",
        "temperature": 0.0,
        "min_length": 4,
        "random_seed": 7,
        "stream": True,
    }
    assert type(sent["temperature"]) is float
    assert dialect_for(endpoint).unknown_sampling(endpoint) == ("ignore_eos",)


def test_the_vllm_backend_gets_its_sampling_as_json_in_a_string_and_is_asked_for_counts() -> None:
    endpoint = _endpoint(VLLM_BACKEND, stream=False)
    sent = _sent(endpoint)
    assert orjson.loads(str(sent.pop("sampling_parameters"))) == {**SAMPLING, "max_tokens": 9}
    assert sent == {
        "text_input": "say it",
        "stream": False,
        "exclude_input_in_output": True,
        "return_finish_reason": True,
        "return_num_input_tokens": True,
        "return_num_output_tokens": True,
    }
    assert dialect_for(endpoint).unknown_sampling(endpoint) == ()


def test_the_model_of_the_llm_api_has_names_of_its_own() -> None:
    assert _sent(_endpoint(LLM_API)) == {
        "text_input": "say it",
        "streaming": True,
        "sampling_param_max_tokens": 9,
        "sampling_param_temperature": 0.0,
        "sampling_param_exclude_input_from_output": True,
    }


def test_the_captured_model_in_python_gets_what_it_has() -> None:
    sent = _sent(_endpoint(CAPTURED))
    assert orjson.loads(str(sent.pop("sampling_parameters"))) == SAMPLING
    assert sent == {"text_input": "say it", "stream": True, "max_tokens": 9, "exclude_input_in_output": True}


def test_a_model_that_tells_no_inputs_gets_the_usual_ones() -> None:
    endpoint = _endpoint({})
    assert _sent(endpoint) == {"text_input": "say it", "max_tokens": 9, "stream": True}
    assert dialect_for(endpoint).unknown_sampling(endpoint) == tuple(SAMPLING)


def test_sampling_never_overrides_what_the_plan_decides() -> None:
    sent = _sent(_endpoint(ENSEMBLE, text_input="other", max_tokens=1))
    assert (sent["text_input"], sent["max_tokens"], sent["stream"]) == ("say it", 9, True)


def test_streams_and_whole_answers_have_their_paths() -> None:
    for stream, path in ((True, "/v2/models/m/generate_stream"), (False, "/v2/models/m/generate")):
        endpoint = _endpoint(ENSEMBLE, stream=stream)
        assert dialect_for(endpoint).path_for(endpoint) == path


@pytest.mark.parametrize(
    ("document", "event"),
    [
        pytest.param({"model_name": "m", "text_output": " the"}, Event(" the"), id="text"),
        pytest.param({"model_name": "m", "text_output": [" the", " a"]}, Event(" the"), id="beams"),
        pytest.param({"model_name": "m", "text_output": ""}, Event(), id="no text"),
        pytest.param({"model_name": "m", "cum_log_probs": 0.0}, Event(), id="another output"),
        pytest.param({"error": "asked to fail"}, Event(error="asked to fail"), id="error"),
        pytest.param(
            {"text_output": " a", "num_output_tokens": 2, "num_input_tokens": 5, "finish_reason": "None"},
            Event(" a", "", Usage(5, 2)),
            id="counts of the vLLM backend",
        ),
        pytest.param(
            {"text_output": "", "num_output_tokens": [1], "finish_reason": ["stop"]},
            Event("", "", Usage(None, 1), "stop"),
            id="the last response of the vLLM backend",
        ),
    ],
)
def test_a_response_means(document: object, event: Event) -> None:
    assert read_event(orjson.dumps(document)) == event


def test_counts_of_single_responses_are_summed_up() -> None:
    read = dialect_for(_endpoint(VLLM_BACKEND)).reader()
    told = [read(orjson.dumps({"text_output": " a", "num_output_tokens": n})).usage for n in (1, 2, 1)]
    assert told == [Usage(None, 1), Usage(None, 3), Usage(None, 4)]
    assert read(b'{"text_output":" b"}').usage is None


def test_only_who_tells_why_it_stopped_is_held_to_it() -> None:
    assert dialect_for(_endpoint(VLLM_BACKEND)).tells_finish
    assert not dialect_for(_endpoint(ENSEMBLE)).tells_finish


def test_a_bls_model_that_accumulates_tokens_repeats_its_text() -> None:
    bls = _config(
        {"text_input": "TYPE_STRING", "max_tokens": "TYPE_INT32"},
        backend="python",
        parameters={"accumulate_tokens": {"string_value": "True"}, "tensorrt_llm_model_name": {"string_value": "t"}},
        instance_group=[{"count": 2}, {"count": 2}],
    )
    read = dialect_for(_endpoint(bls)).reader()
    assert [read(b'{"text_output":"a"}').answer, read(b'{"text_output":"a b"}').answer] == ["a", " b"]
    assert read_actual(bls) == {"backend": "tensorrt_llm", "instance_count": 4}


def test_a_bls_model_that_accumulates_and_counts_is_read_as_both() -> None:
    bls = _config(
        {"text_input": "TYPE_STRING", "max_tokens": "TYPE_INT32", "return_num_output_tokens": "TYPE_BOOL"},
        parameters={"accumulate_tokens": {"string_value": "True"}},
    )
    read = dialect_for(_endpoint(bls)).reader()
    told = [read(orjson.dumps({"text_output": text, "num_output_tokens": 1})) for text in ("a", "a b")]
    assert [(each.answer, each.usage) for each in told] == [("a", Usage(None, 1)), (" b", Usage(None, 2))]


@pytest.mark.parametrize(
    ("replies", "actual"),
    [
        pytest.param(CAPTURED, {"backend": "python", "instance_count": 1}, id="captured"),
        pytest.param(VLLM_BACKEND, {"backend": "vllm", "instance_count": 1}, id="vLLM backend"),
        pytest.param(ENSEMBLE, {"backend": "tensorrt_llm"}, id="an ensemble has no instances"),
        pytest.param({}, {}, id="not told"),
    ],
)
def test_backend_and_instances_are_read_from_the_configuration(
    replies: Mapping[str, bytes], actual: Mapping[str, object]
) -> None:
    assert read_actual(replies) == actual


def test_the_server_tells_its_models_and_its_version() -> None:
    index = body_of("triton/repository-index.txt")
    assert read_models({"/v2/repository/index": index}) == (ServedModel(("vllm_like",), None),)
    unready = b'[{"name":"a","version":"1","state":"UNAVAILABLE"},{"name":"b","version":"1"},{"name":"b"}]'
    assert read_models({"/v2/repository/index": unready}) == (ServedModel(("b",), None),)
    assert read_version({"/v2": body_of("triton/get-v2.txt")}) == "2.51.0"


def test_a_whole_answer_needs_text_or_an_error() -> None:
    assert read_answer(body_of("triton/generate.txt")).answer == " the and for are object that"
    assert read_answer(body_of("triton/error-generate-on-stream.txt")).error is not None
    with pytest.raises(ValueError, match="no text_output"):
        read_answer(b"{}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["text_output", "num_output_tokens", "finish_reason", "error", "input", "name",
                                 "data_type", "optional", "parameters", "ensemble_scheduling", "step", "count",
                                 "model_name", "instance_group", "backend", "version", "string_value"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_no_document_does_worse_than_a_value_error(document: object) -> None:
    written = orjson.dumps(document)
    for read in (read_event, read_answer):
        try:
            assert isinstance(read(written), Event)
        except ValueError:
            continue
    replies = {CONFIG: written, "/v2/repository/index": written, "/v2": written}
    assert isinstance(read_models(replies), tuple)
    assert isinstance(read_actual(replies), dict)
    assert isinstance(_sent(_endpoint(replies)), dict)
    assert ADAPTER.version.read(replies) is None or isinstance(ADAPTER.version.read(replies), str)
