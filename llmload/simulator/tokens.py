"""The simulator's own tokenizer: exact, deterministic and quick, so that every count can be predicted.

A run of word characters is cut into pieces of 8, and each piece is a token (so a word of up to 8 characters is one);
every other character that is not white space is a token of its own; white space costs nothing. A chat adds three
tokens for each message (start, role, end) and two that ask for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from zlib import crc32

from llmload.simulator.profiles import BLOCK_TOKENS

_PIECE_LENGTH = 8
_PIECE = re.compile(rf"\w{{1,{_PIECE_LENGTH}}}|[^\w\s]")
_VOCABULARY = 32_000


def tokens_of(text: str) -> list[str]:
    """The pieces of a plain text, one token each."""
    words = text.split()
    # short words without marks, which is what load is made of, need no search: several times as quick
    if "".join(words).isalnum() and len(max(words, key=len)) <= _PIECE_LENGTH:
        return words
    return _PIECE.findall(text)


def chat_tokens(messages: Iterable[tuple[str, str]], *, asks_for_answer: bool = True) -> list[str]:
    """Tokens of (role, text) messages as the chat template writes them."""
    tokens: list[str] = []
    for role, text in messages:
        tokens += ("<|im_start|>", role, *tokens_of(text), "<|im_end|>")
    if asks_for_answer:
        tokens += ("<|im_start|>", "assistant")
    return tokens


def token_id(token: str) -> int:
    """A number for /tokenize: stable, and not unique."""
    return crc32(token.encode("utf-8", "surrogatepass")) % _VOCABULARY


def block_hashes(tokens: Sequence[str]) -> tuple[bytes, ...]:
    """One hash for each full block of tokens, each covering everything before it: equal hashes, equal prefixes."""
    hashes = []
    so_far = b""
    for start in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        block = "\x1f".join(tokens[start : start + BLOCK_TOKENS])
        so_far = blake2b(so_far + block.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        hashes.append(so_far)
    return tuple(hashes)
