"""A server that stands for one framework answers what that framework would, and nothing else."""

from __future__ import annotations

import re

import httpx
import pytest

from llmload.errors import UsageError
from llmload.frameworks.registry import REGISTRY
from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from llmload.simulator.settings import from_words
from llmload.simulator.speech import FRAMEWORKS
from tests import command
from tests.simulator.asking import CHAT, DIRECT, ask, chat, look

GENERATING = {
    "/v1/chat/completions": {"openai", "vllm", "lmdeploy", "sglang", "ollama"},
    "/v1/completions": {"openai", "vllm", "lmdeploy", "sglang", "ollama"},
    "/tokenize": {"openai", "vllm", "lmdeploy"},
    "/generate": {"sglang"},
    "/api/chat": {"ollama"},
    "/api/generate": {"ollama"},
    "/v2/models/simulated/generate_stream": {"triton"},
    "/v2/repository/index": {"triton"},
}
TOLD = {
    "/v1/models": {"openai", "vllm", "lmdeploy", "sglang", "ollama"},
    "/health": {"openai", "vllm", "lmdeploy", "sglang"},
    "/version": {"openai", "vllm", "lmdeploy"},
    "/server_info": {"sglang"},
    "/api/tags": {"ollama"},
    "/v2/health/ready": {"triton"},
    "/metrics": set(FRAMEWORKS),
    "/truth": set(FRAMEWORKS),
}


@pytest.mark.parametrize("framework", [*FRAMEWORKS, None, "somebody's own"])
def test_a_server_speaks_the_protocols_of_its_framework(framework):
    with start(Simulator(decode_base_ms=1, framework=framework), api_key=None) as server:
        with httpx.Client(base_url=server.url, timeout=10, **DIRECT) as client:
            posted = {path for path in GENERATING if client.post(path, json={}).status_code != 404}
            told = {path for path in TOLD if client.get(path).status_code == 200}
        assert server.errors() == ""
    speaks_all = framework not in FRAMEWORKS
    assert posted == {path for path, by in GENERATING.items() if speaks_all or framework in by}
    assert told == {path for path, by in TOLD.items() if speaks_all or framework in by}


@pytest.mark.parametrize(("framework", "status"), [("ollama", 200), ("vllm", 404)])
def test_the_openai_path_knows_the_model_with_a_tag_where_ollama_is_spoken(framework, status):
    with start(Simulator(decode_base_ms=1, framework=framework), api_key=None) as server:
        assert ask(server.url, CHAT, chat(model="simulated:latest")).status_code == status


def test_every_framework_that_comes_with_llmload_is_simulated():
    assert set(FRAMEWORKS) == set(REGISTRY)


def test_a_framework_in_words_is_known_or_refused():
    assert from_words("laptop", "m", [], [], "triton").framework == "triton"
    with pytest.raises(UsageError, match="--framework tritn: is not simulated"):
        from_words("laptop", "m", [], [], "tritn")


def test_the_command_speaks_for_the_framework_it_is_told(tmp_path):
    with command.start("simulate", "--port", "0", "--framework", "triton", cwd=tmp_path) as process:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None
        statuses = [look(url[0], path).status_code for path in ("/v2/health/ready", "/v1/models")]
        process.terminate()
        assert process.wait(10) == 0
    assert statuses == [200, 404]
    assert command.llmload("simulate", "--framework", "tritn", cwd=tmp_path).returncode == 2
