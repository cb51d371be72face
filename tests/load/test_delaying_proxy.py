"""The slow gateway of other tests: requests come later by what it was told, answers as the server sends them."""

from __future__ import annotations

import http.client
import time
from itertools import pairwise

from tests.delaying_proxy import DelayingProxy
from tests.scripted_server import Piece, Request, Script, ScriptedServer

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"


def _in_three_parts(_request: Request) -> Script:
    return Script([Piece(0.0, HEAD + b"one"), Piece(0.04, b"two"), Piece(0.04, b"tri")])


def test_a_post_waits_once_and_its_answer_streams_while_the_server_sends_it() -> None:
    with ScriptedServer(_in_three_parts) as server, DelayingProxy(server.url, 0.08) as proxy:
        client = http.client.HTTPConnection(proxy.address, timeout=5)
        for number in (1, 2):  # over one connection
            began = time.monotonic()
            client.request("POST", "/v1/chat/completions", body=b"{}")
            answer, seen = client.getresponse(), []
            while part := answer.read(3):
                seen.append((part, time.monotonic()))
            assert [part for part, _ in seen] == [b"one", b"two", b"tri"]
            assert 0.08 <= seen[0][1] - began < 0.5
            assert all(later - earlier > 0.02 for (_, earlier), (_, later) in pairwise(seen))
            assert proxy.delayed == number
        client.close()
    assert len(server.requests) == 2


def test_what_is_no_post_is_not_delayed() -> None:
    with ScriptedServer(_in_three_parts) as server, DelayingProxy(server.url, 5.0) as proxy:
        client = http.client.HTTPConnection(proxy.address, timeout=2)
        client.request("GET", "/metrics", headers={"content-length": "0"})
        assert client.getresponse().read() == b"onetwotri"
        client.close()
    assert proxy.delayed == 0
