"""A vocabulary of tiktoken, packed, for the tests that count with it."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from llmload.workload.tokens import VOCABULARIES

_STORED = Path(__file__).parent / "cl100k_base.tiktoken.xz"


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cl100k_base under the name that tiktoken's cache gives it, alone in its folder."""
    file = tmp_path_factory.mktemp("vocabulary") / VOCABULARIES["cl100k_base"].file
    file.write_bytes(lzma.decompress(_STORED.read_bytes()))
    return file
