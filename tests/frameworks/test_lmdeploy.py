"""What LMDeploy is asked, where its names are not OpenAI's."""

from __future__ import annotations

import orjson

from llmload.endpoint import Endpoint
from llmload.frameworks.lmdeploy import ADAPTER
from llmload.planned import PlannedRequest

REQUEST = PlannedRequest(index=0, prompt="a b", input_tokens=2, output_tokens=9)


def endpoint(api: str) -> Endpoint:
    sampling = {"min_tokens": 9, "ignore_eos": True}
    return Endpoint("http://localhost:1", "lmdeploy", api, "tiny", stream=True, sampling=sampling)


def test_chat_has_a_name_of_its_own_for_the_shortest_answer() -> None:
    asked = endpoint("chat")
    chat = ADAPTER.dialects["chat"]
    sent = orjson.loads(chat.body(asked, REQUEST))
    assert (sent["min_new_tokens"], sent["max_tokens"], sent["ignore_eos"]) == (9, 9, True)
    assert "min_tokens" not in sent
    assert chat.unknown_sampling(asked) == ()


def test_completions_have_none_so_it_is_left_out_and_told() -> None:
    assert ADAPTER.dialects["completions"].unknown_sampling(endpoint("completions")) == ("min_tokens",)
