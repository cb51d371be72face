"""Which way a server is reached: what the environment says of proxies, and what the author says of it."""

from __future__ import annotations

from typing import Literal

import pytest

from llmload.errors import UsageError
from llmload.target.route import Route, proxy_for, route_to, slower_transport
from tests.load.windows import endpoint

URL = "https://llm.example:8443/v1"
PROXY = "http://user:opensesame@proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        pytest.param(URL, {}, None, id="nothing set"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY}, PROXY, id="for its scheme"),
        pytest.param(URL, {"HTTP_PROXY": PROXY}, None, id="for the other scheme"),
        pytest.param("http://llm.example", {"HTTP_PROXY": PROXY}, PROXY, id="plain http"),
        pytest.param(URL, {"ALL_PROXY": PROXY}, PROXY, id="for every scheme"),
        pytest.param(URL, {"https_proxy": PROXY, "HTTPS_PROXY": "http://x"}, PROXY, id="small letters first"),
        pytest.param(URL, {"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128", id="without a scheme"),
        pytest.param(URL, {"HTTPS_PROXY": " "}, None, id="set to nothing"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None, id="never"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": "a.b, LLM.example"}, None, id="the host excepted"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "no_proxy": ".example"}, None, id="its domain excepted"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "no_proxy": "*.example"}, None, id="its domain, with a star"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": "llm.example:8443"}, None, id="the port excepted"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": "llm.example:443"}, PROXY, id="another port excepted"),
        pytest.param(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": "xample, lm.example"}, PROXY, id="half a name"),
        pytest.param("https://10.1.2.3", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, None, id="a network"),
        pytest.param("https://11.1.2.3", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, PROXY, id="not in it"),
        pytest.param("http://localhost:8000", {"HTTP_PROXY": PROXY}, None, id="localhost"),
        pytest.param("http://127.0.0.9:8000", {"ALL_PROXY": PROXY}, None, id="loopback"),
        pytest.param("http://[::1]:8000", {"ALL_PROXY": PROXY}, None, id="loopback of IPv6"),
        pytest.param("no url", {"ALL_PROXY": PROXY}, None, id="no URL at all"),
    ],
)
def test_the_environment_names_the_proxy(url: str, env: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(url, env) == proxy


@pytest.mark.parametrize("value", ["socks5://proxy:1080", "http://", "http://proxy:port"])
def test_a_proxy_that_cannot_be_used_is_named_with_its_variable(value: str) -> None:
    with pytest.raises(UsageError, match=r"\$HTTPS_PROXY: .*NO_PROXY"):
        route_to(URL, "auto", {"HTTPS_PROXY": value})


@pytest.mark.parametrize(
    ("asked", "env", "route"),
    [
        ("auto", {}, Route("fast", None)),
        ("auto", {"HTTPS_PROXY": PROXY}, Route("httpx", PROXY)),
        ("fast", {"HTTPS_PROXY": PROXY}, Route("fast", None)),
        ("fast", {"HTTPS_PROXY": "socks5://proxy:1080"}, Route("fast", None)),
        ("httpx", {}, Route("httpx", None)),
        ("httpx", {"HTTPS_PROXY": PROXY}, Route("httpx", PROXY)),
    ],
)
def test_the_author_decides_and_auto_follows_the_proxy(
    asked: Literal["auto", "fast", "httpx"], env: dict[str, str], route: Route
) -> None:
    assert route_to(URL, asked, env) == route


def test_the_slower_transport_is_a_caveat_that_names_the_proxy_and_not_its_login() -> None:
    assert slower_transport(endpoint(URL)) is None
    asked = slower_transport(endpoint(URL, transport="httpx"))
    assert asked is not None
    assert (asked.rule, asked.is_fatal, "proxy" in asked.figure) == ("slower transport", False, False)
    through = slower_transport(endpoint(URL, transport="httpx", proxy=PROXY))
    assert through is not None
    assert "the proxy proxy.example:3128," in through.figure
    assert "opensesame" not in str(through) + repr(endpoint(URL, proxy=PROXY))
    assert "NO_PROXY" in through.remedy
