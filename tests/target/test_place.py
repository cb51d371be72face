"""Where the server is: named, or the simulator that is started for the run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from llmload.errors import UsageError
from llmload.scenario.asked import SecretRef, Simulator
from llmload.target.place import open_target
from llmload.target.probe import probe
from tests.target.asking import a_target, a_workload


def test_a_running_server_is_left_as_it_is() -> None:
    with open_target(a_target("http://127.0.0.1:1"), env={}, log=Path()) as server:
        assert server.url == "http://127.0.0.1:1"


def test_the_simulator_runs_for_the_time_of_the_block_and_can_be_probed() -> None:
    target = replace(a_target(""), place=Simulator(max_model_len=2048))
    with open_target(target, env={}, log=Path()) as server:
        facts = probe(target, server.url, workload=a_workload(), env={}).facts
        assert (facts.model, facts.max_model_len) == ("simulated", 2048)
        assert facts.fit.residual < 0.02
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
        client.get(server.url)


def test_the_simulators_key_is_read_and_asked_for() -> None:
    target = replace(a_target("", api_key=SecretRef(env="KEY")), place=Simulator(api_key=SecretRef(env="KEY")))
    with open_target(target, env={"KEY": "sk-1234"}, log=Path()) as server:
        assert probe(target, server.url, workload=a_workload(), env={"KEY": "sk-1234"}).facts.model == "simulated"


def test_a_simulator_whose_key_is_missing_is_not_started() -> None:
    assert "KEY" not in os.environ
    target = replace(a_target(""), place=Simulator(api_key=SecretRef(env="KEY")))
    with pytest.raises(UsageError), open_target(target, env={}, log=Path()):
        pytest.fail("it must not start")
