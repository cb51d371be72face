"""Makes a model with OpenAI's vocabulary cl100k_base, so that a real server counts with it. It cannot speak."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.engines.gguf_file import Vocabulary, idle_layer, write_gguf

_HIDDEN = 32
_END = "<|endoftext|>"


def make_cl100k_model(path: Path, vocabulary_file: Path) -> None:
    """Write the model from the vocabulary as tiktoken stores it: a line for each token, base64 and rank."""
    lines = [line.split() for line in vocabulary_file.read_bytes().splitlines()]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    letters = _letters()
    tokens = sorted(ranks, key=ranks.__getitem__)
    vocabulary = Vocabulary(
        pieces=[_spell(token, letters) for token in tokens] + [_END],
        merges=[
            " ".join(_spell(half, letters) for half in _halves(token, ranks)) for token in tokens if len(token) > 1
        ],
        special=frozenset({_END}),
        end=len(tokens),
        pretokenizer="dbrx",  # the model that uses cl100k_base
    )
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((len(vocabulary.pieces), _HIDDEN)).astype(np.float32)
    write_gguf(path, vocabulary, {"token_embd.weight": rows, "output.weight": rows, **idle_layer(0, _HIDDEN, draw)})


def _halves(token: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    """The two tokens that were merged into this one: encode it with all merges that came before."""
    parts = [token[place : place + 1] for place in range(len(token))]
    while len(parts) > 2:
        found = [ranks.get(before + after, len(ranks)) for before, after in pairwise(parts)]
        place = found.index(min(found))
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def _letters() -> list[str]:
    """GPT-2's way to write any byte as a visible letter."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


def _spell(token: bytes, letters: list[str]) -> str:
    return "".join(letters[byte] for byte in token)
