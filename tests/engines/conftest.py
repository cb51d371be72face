"""Real servers, started once for all tests that ask them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.tiny_model import TinyModel, make_tiny_model

_SERVER = Path(__file__).with_name("llama_server.py")


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server and the model it serves under the name `tiny`."""

    url: str
    model: TinyModel


@pytest.fixture(scope="session")
def llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """llama.cpp's own HTTP server, eight slots of 1024 tokens, on a free port."""
    model = make_tiny_model(tmp_path_factory.mktemp("model"))
    command = [sys.executable, str(_SERVER), str(model.gguf), "tiny", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            assert url.startswith("http://"), f"the server said {url!r} and ended with {process.poll()}"
            yield Engine(url, model)
        finally:
            process.terminate()
            process.wait(timeout=10)
