"""Images as the simulator counts them: each is 256 tokens, and the same one the same tokens."""

from __future__ import annotations

import pytest

from llmload.simulator.images import IMAGE_TOKENS
from tests.simulator.asking import CHAT, ask

FIRST, SECOND = ("data:image/png;base64," + each for each in ("iVBORw0KGgo=", "iVBORw0KGgp="))


def seen(url: str) -> dict:
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "what is this"}]
    return {"model": "simulated", "messages": [{"role": "user", "content": parts}], "max_tokens": 2}


def test_every_image_counts_as_so_many_tokens_and_another_one_is_not_cached(quick):
    first, again, other = (ask(quick.url, CHAT, seen(url)).json()["usage"] for url in (FIRST, FIRST, SECOND))
    assert first["prompt_tokens"] == other["prompt_tokens"] == IMAGE_TOKENS + 3 + 5
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (first, again, other)]
    assert cached[1] >= IMAGE_TOKENS
    assert (cached[0], cached[2]) == (0, 0)


def test_ollamas_images_count_alike(quick):
    message = {"role": "user", "content": "what is this", "images": ["iVBORw0KGgo="]}
    got = ask(quick.url, "/api/chat", {"model": "simulated", "messages": [message], "stream": False}).json()
    assert got["prompt_eval_count"] == IMAGE_TOKENS + 3 + 5


@pytest.mark.parametrize("url", ["https://example.com/a.png", ""])
def test_nothing_is_fetched(quick, url):
    got = ask(quick.url, CHAT, seen(url))
    assert (got.status_code, "fetches none" in got.json()["error"]["message"]) == (400, True)
