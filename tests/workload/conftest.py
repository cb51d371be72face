"""A vocabulary on this machine, as a user has it."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from llmload.workload.tokens import VOCABULARIES

_STORED = Path(__file__).parents[1] / "vocabularies" / "cl100k_base.tiktoken.xz"


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cl100k_base under the name that tiktoken's cache gives it, alone in its folder."""
    file = tmp_path_factory.mktemp("vocabulary") / VOCABULARIES["cl100k_base"].file
    file.write_bytes(lzma.decompress(_STORED.read_bytes()))
    return file


@pytest.fixture
def nothing_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without any vocabulary, and no way to the network: the only proxy listens nowhere."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path
