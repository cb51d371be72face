"""Whether it is still the same server, asked of real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.endpoint import Endpoint
from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from llmload.target.identity import Identity, change, identify

SAME = Identity(models=("tiny",), version="1.0", started="1795000000.5")


def endpoint(url: str) -> Endpoint:
    return Endpoint(url=url, framework="openai", api="chat", model="", stream=True, sampling={})


def test_a_server_is_itself_until_its_process_is_another() -> None:
    with start(Simulator(), api_key=None) as first:
        once, twice = (identify(endpoint(first.url)) for _ in range(2))
        assert once is not None
        assert once.started is not None
        assert change(once, twice) is None
    with start(Simulator(model="another"), api_key=None) as second:
        caveat = change(once, identify(endpoint(second.url)))
    assert caveat is not None
    assert (caveat.kind, caveat.is_fatal) == ("ServerChanged", True)
    assert "another" in caveat.figure
    assert "process started at" in caveat.figure


def test_a_server_that_is_gone_is_nobody() -> None:
    with start(Simulator(), api_key=None) as process:
        url = process.url
    assert identify(endpoint(url)) is None


@pytest.mark.parametrize(
    ("after", "is_changed"),
    [
        pytest.param(SAME, False, id="the same"),
        pytest.param(None, False, id="nobody answers: the requests say that better"),
        pytest.param(replace(SAME, models=("tiny", "adapter")), True, id="one model more"),
        pytest.param(replace(SAME, version="1.1"), True, id="another version"),
        pytest.param(replace(SAME, started="1795000099.5"), True, id="another process"),
        pytest.param(replace(SAME, started=None), False, id="it tells less than before"),
        pytest.param(replace(SAME, models=()), False, id="it does not list its models this time"),
    ],
)
def test_any_difference_is_told(after: Identity | None, is_changed: bool) -> None:
    assert (change(SAME, after) is not None) == is_changed
