"""What two processes share when they may be on two machines."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from llmload.load.node import Node, is_loopback, this_node

HERE = Node("one", "boot", "time:[1]", "net:[1]")


def test_two_processes_of_one_machine_agree_on_where_they_are() -> None:
    code = "from llmload.load.node import this_node; print(this_node())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(this_node())


@pytest.mark.parametrize(
    ("other", "clock", "loopback"),
    [
        pytest.param(HERE, True, True, id="the same machine"),
        pytest.param(replace(HERE, name="pod", network="net:[2]"), True, False, id="a container with its own network"),
        pytest.param(replace(HERE, clocks="time:[2]"), False, True, id="a container with its own time"),
        pytest.param(replace(HERE, boot="another"), False, False, id="another machine with our namespace numbers"),
    ],
)
def test_what_is_shared_follows_from_the_kernel_and_its_namespaces(other: Node, clock: bool, loopback: bool) -> None:
    assert (HERE.shares_clock(other), HERE.shares_loopback(other)) == (clock, loopback)


def test_systems_that_do_not_tell_share_nothing() -> None:
    silent = Node("mac", "", "", "")
    assert not silent.shares_clock(silent)
    assert not silent.shares_loopback(silent)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost/v1", "http://[::1]:80", "http://0.0.0.0:1", "http://a.localhost"]
)
def test_urls_that_mean_the_very_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1:8000", "http://vllm.cluster.local/v1", "http://[fd00::1]:80"])
def test_urls_that_mean_one_machine_to_everybody(url: str) -> None:
    assert not is_loopback(url)
