"""`llmload apply` where the only way to the server is a company's proxy, which looks its name up and wants a login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.command import llmload, measured_apart, write_scenario
from tests.forwarding_proxy import ForwardingProxy

pytestmark = pytest.mark.measuring

NO_OTHER = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ALL_PROXY", "NO_PROXY"), "")


@pytest.fixture
def proxy() -> Iterator[ForwardingProxy]:
    """A proxy behind which the embedded simulator is `llm.test`."""
    simulator = start(Simulator(), api_key=None)
    try:
        parts = urlsplit(simulator.url)
        with ForwardingProxy({"llm.test": (parts.hostname or "", parts.port or 0)}) as started:
            yield started
    finally:
        simulator.stop()


def test_probe_and_load_go_through_the_proxy_and_the_report_says_so(tmp_path: Path, proxy: ForwardingProxy) -> None:
    path = write_scenario(tmp_path, target__simulator=None, target__url="http://llm.test")
    done = measured_apart("apply", path.name, cwd=tmp_path, env={**NO_OTHER, "HTTP_PROXY": proxy.url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slower transport" in done.stdout
    result = json.loads((tmp_path / "reports/chat/result.json").read_bytes())
    (caveat,) = [each for each in result["steps"][0]["caveats"] if each["rule"] == "slower transport"]
    assert f"through the proxy {proxy.address}," in caveat["figure"]
    assert {"GET http://llm.test/v1/models", "POST http://llm.test/v1/chat/completions"} <= set(proxy.lines)
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"sesame" not in kept + (done.stdout + done.stderr).encode()


def test_a_server_that_no_proxy_lists_is_asked_directly(tmp_path: Path, proxy: ForwardingProxy) -> None:
    path = write_scenario(
        tmp_path, target__simulator=None, target__url="http://llm.test", target__timeout="{connect: 2s}"
    )
    env = {**NO_OTHER, "HTTP_PROXY": proxy.url, "NO_PROXY": ".test"}
    done = llmload("apply", path.name, cwd=tmp_path, env=env)
    assert (done.returncode, proxy.lines) == (5, [])
    assert "llm.test is unknown" in done.stdout + done.stderr


def test_a_proxy_that_refuses_the_login_is_named_and_the_login_is_not(tmp_path: Path, proxy: ForwardingProxy) -> None:
    path = write_scenario(tmp_path, target__simulator=None, target__url="https://llm.test")
    env = {**NO_OTHER, "HTTPS_PROXY": proxy.url.replace("sesame", "barley")}
    done = llmload("apply", path.name, cwd=tmp_path, env=env)
    said = done.stdout + done.stderr
    assert done.returncode == 5
    assert f"the proxy {proxy.address} opens no tunnel to it (407 Login Wanted)" in " ".join(said.split())
    assert "barley" not in said


def test_a_proxy_of_another_kind_is_a_usage_error(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, target__simulator=None, target__url="http://llm.test")
    done = llmload("apply", path.name, cwd=tmp_path, env={**NO_OTHER, "ALL_PROXY": "socks5://127.0.0.1:1080"})
    assert done.returncode == 2
    assert "$ALL_PROXY" in done.stderr
