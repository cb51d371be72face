"""Real servers, started once for all tests that ask them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.cl100k_model import make_cl100k_model
from tests.engines.tiny_model import TinyModel, make_tiny_model
from tests.vocabularies import vocabulary_file

__all__ = ["vocabulary_file"]

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
    with _serving(model.gguf, "tiny") as url:
        yield Engine(url, model)


@pytest.fixture(scope="session")
def cl100k_server(tmp_path_factory: pytest.TempPathFactory, vocabulary_file: Path) -> Iterator[str]:
    """The same server with a model, called gpt-4, that has the vocabulary cl100k_base."""
    path = tmp_path_factory.mktemp("cl100k") / "cl100k.gguf"
    make_cl100k_model(path, vocabulary_file)
    with _serving(path, "gpt-4") as url:
        yield url


@contextmanager
def _serving(gguf: Path, name: str) -> Iterator[str]:
    command = [sys.executable, str(_SERVER), str(gguf), name, str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            assert url.startswith("http://"), f"the server said {url!r} and ended with {process.poll()}"
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)
