"""SGLang's native protocol as a client sees it, held against what a real server sent (tests/captures/sglang)."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest

from tests.simulator.asking import ask, look, receive
from tests.simulator.shapes import captured, captured_events, shape_of

GENERATE = "/generate"


def body(words: object = "hello there you", **sampling: object) -> dict:
    return {"text": words, "stream": True, "sampling_params": {"max_new_tokens": 4, "ignore_eos": True, **sampling}}


def test_every_event_repeats_the_text_so_far(quick):
    got = receive(quick.url, GENERATE, body())
    expected = [orjson.loads(event) for event in captured_events("sglang/generate-native-stream.sse")[:-1]]
    assert (got.status, got.content_type) == captured("sglang/generate-native-stream.sse")[:2]
    assert got.payloads[-1] == b"[DONE]"
    assert [shape_of(event) for event in got.documents] == [shape_of(event) for event in expected]
    texts = [event["text"] for event in got.documents]
    assert [len(text.split()) for text in texts] == [1, 2, 3, 4]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [event["meta_info"]["completion_tokens"] for event in got.documents] == [1, 2, 3, 4]
    truth = quick.truth()["requests"][-1]
    assert (truth["outcome"], truth["prompt_tokens"], truth["output_tokens"]) == ("ok", 3, 4)


def test_the_last_event_has_the_servers_own_view(quick):
    meta = receive(quick.url, GENERATE, body(max_new_tokens=20)).documents[-1]["meta_info"]
    assert meta["finish_reason"] == {"type": "length", "length": 20}
    assert 0 <= meta["queue_time"] <= meta["first_token_latency"] <= meta["e2e_latency"]
    assert meta["request_received_ts"] <= meta["forward_entry_time"] <= meta["prefill_finished_time"]
    assert meta["e2e_latency"] >= 20 * 0.002


def test_an_answer_in_one_piece_is_the_last_event_of_the_stream(quick):
    asked = {**body(min_new_tokens=1), "stream": False}
    whole, last = ask(quick.url, GENERATE, asked).json(), receive(quick.url, GENERATE, body()).documents[-1]
    assert list(whole) == list(last)
    assert (whole["text"], whole["output_ids"]) == (last["text"], last["output_ids"])
    assert shape_of(whole["meta_info"]) == shape_of(last["meta_info"])


def test_the_model_stops_by_itself_unless_told_to_go_on(quick):
    def finishes(**sampling: object) -> set[tuple[str, int]]:
        asked = [{**body(f"p {number}", ignore_eos=False, **sampling), "stream": False} for number in range(6)]
        metas = [ask(quick.url, GENERATE, each).json()["meta_info"] for each in asked]
        return {(meta["finish_reason"]["type"], meta["completion_tokens"]) for meta in metas}

    assert "stop" in {kind for kind, _ in finishes(max_new_tokens=250)}
    assert min(tokens for _, tokens in finishes(max_new_tokens=300, min_new_tokens=260)) >= 260


def test_a_prompt_may_be_ids_of_tokens(quick):
    meta = ask(quick.url, GENERATE, {"input_ids": [1, 2, 3, 4, 5], "sampling_params": {"max_new_tokens": 1}}).json()
    assert meta["meta_info"]["prompt_tokens"] == 5


def test_a_long_beginning_in_common_is_cached(quick):
    beginning = " ".join(f"start{number}" for number in range(100))
    told = [receive(quick.url, GENERATE, body(f"{beginning} {end}")).documents[-1] for end in ("one", "two")]
    assert [event["meta_info"]["cached_tokens"] for event in told] == [0, 96]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(b"{bad", "unexpected", id="no JSON"),
        pytest.param({"prompt": "x"}, "text or input_ids", id="no prompt"),
        pytest.param(body(["one", "two"]), "one prompt", id="two prompts"),
        pytest.param(body(""), "empty", id="an empty prompt"),
        pytest.param({"text": "x", "sampling_params": [1]}, "sampling_params", id="parameters that are none"),
        pytest.param(body(max_new_tokens=0), "max_new_tokens", id="no answer"),
        pytest.param(body(max_new_tokens=2, min_new_tokens=3), "min_new_tokens", id="the least above the most"),
        pytest.param(body(max_new_tokens=5000), "maximum context length of 2048", id="more than the context"),
    ],
)
def test_what_cannot_be_done_is_refused(quick, asked, words):
    answer = receive(quick.url, GENERATE, asked)
    assert answer.status == 400
    assert words in orjson.loads(answer.body)["error"]["message"]
    assert quick.truth()["requests"][-1]["outcome"] == "refused"


def test_it_tells_how_it_was_started_under_old_and_new_names(quick):
    for name in ("model_info", "server_info"):
        assert look(quick.url, f"/{name}").json() == look(quick.url, f"/get_{name}").json()
    model, server = look(quick.url, "/model_info").json(), look(quick.url, "/server_info").json()
    assert (model["model_path"], server["tp_size"], server["disable_radix_cache"]) == ("simulated", 1, False)
    assert look(quick.url, "/health_generate").status_code == 200
