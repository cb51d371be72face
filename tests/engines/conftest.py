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
from tests.engines.install_triton import read_refusal
from tests.engines.tiny_model import TinyModel, make_tiny_model
from tests.vocabularies import vocabulary_file

__all__ = ["vocabulary_file"]

_SERVER = Path(__file__).with_name("llama_server.py")


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server and the model it serves under the name `tiny`."""

    url: str
    model: TinyModel


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Triton has no wheel for every machine; `pytest_terminal_summary` tells where its tests are left out."""
    return True if collection_path.name == "test_triton.py" and read_refusal() else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody shall take a run without Triton for one with it."""
    if (why := read_refusal()) is not None:
        terminalreporter.write_line(f"NOT TESTED: Triton, since {why}")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """A model that any server loads in a moment, and whose every answer is known."""
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def llama_cpp(tiny_model: TinyModel) -> Iterator[Engine]:
    """llama.cpp's own HTTP server, eight slots of 1024 tokens, on a free port."""
    with _serving(tiny_model.gguf, "tiny") as url:
        yield Engine(url, tiny_model)


@pytest.fixture(scope="session")
def llama_cpp_embeddings(tiny_model: TinyModel) -> Iterator[Engine]:
    """The same server and model, started with --embeddings."""
    with _serving(tiny_model.gguf, "tiny", "embed") as url:
        yield Engine(url, tiny_model)


@pytest.fixture(scope="session")
def cl100k_server(tmp_path_factory: pytest.TempPathFactory, vocabulary_file: Path) -> Iterator[str]:
    """The same server with a model, called gpt-4, that has the vocabulary cl100k_base."""
    path = tmp_path_factory.mktemp("cl100k") / "cl100k.gguf"
    make_cl100k_model(path, vocabulary_file)
    with _serving(path, "gpt-4") as url:
        yield url


@contextmanager
def _serving(gguf: Path, name: str, task: str = "generate") -> Iterator[str]:
    command = [sys.executable, str(_SERVER), str(gguf), name, str(os.getpid()), task]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            assert url.startswith("http://"), f"the server said {url!r} and ended with {process.poll()}"
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)
