"""What a report says of client and server: they agree, and two lies are found and named.

The server is the simulator, which tells of itself as vLLM does, from its own clock.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.command import measured_apart, write_scenario
from tests.delaying_proxy import DelayingProxy

pytestmark = pytest.mark.measuring

DELAY_S = 0.05


@pytest.fixture
def server() -> Iterator[str]:
    """A server whose steps take 10 ms: what the front end needs is little beside them."""
    simulator = start(Simulator(decode_base_ms=10.0), api_key=None)
    yield simulator.url
    simulator.stop()


def told_of(directory: Path, url: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Checks and findings of a run against this address; the gate holds, so our own client was in time."""
    name = write_scenario(directory, target__simulator=None, target__url=url, load__requests=60).name
    done = measured_apart("apply", name, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((directory / "reports/chat/result.json").read_bytes())
    return result["steps"][0]["checks"], result["findings"]


@contextmanager
def second_client(url: str) -> Iterator[list[int]]:
    """Somebody who asks the same server one thing after the other; each answer's status is in the list."""
    stopping, answers = threading.Event(), list[int]()
    body = json.dumps({"model": "simulated", "messages": [{"role": "user", "content": "me too"}], "max_tokens": 8})

    def ask() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        while not stopping.is_set():
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            answers.append(reply.status)
        connection.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def test_client_and_server_agree_on_a_server_of_our_own(tmp_path: Path, server: str) -> None:
    checks, findings = told_of(tmp_path, server)
    figures = ["requests", "input_tokens", "output_tokens", "ttft", "tpot", "e2e"]
    assert [(each["figure"], each["agrees"]) for each in checks] == [(figure, True) for figure in figures]
    assert findings == []


def test_a_second_client_is_found_and_named(tmp_path: Path, server: str) -> None:
    with second_client(server) as answers:
        _, (said,) = told_of(tmp_path, server)
    assert set(answers) == {200}
    assert (said["kind"], said["subject"], said["step"]) == ("other_traffic", "requests", "concurrency 4")
    assert int(said["actual"].split()[0]) > 1.1 * int(said["expected"].split()[0])


def test_a_proxy_that_holds_requests_back_is_found_and_named_with_its_size(tmp_path: Path, server: str) -> None:
    with DelayingProxy(server, DELAY_S) as proxy:
        _, (said,) = told_of(tmp_path, proxy.url)
    assert (said["kind"], said["subject"]) == ("network", "mean TTFT")
    size, _, rest = said["cause"].partition(" of each request lies between client and server")
    assert DELAY_S * 1000 * 0.95 < float(size.removesuffix("ms")) < DELAY_S * 1000 + 15
    assert "TPOT agrees" in rest
