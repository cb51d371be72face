"""Counting tokens on this machine, for servers that do not tell: the best counter there is, and never a download."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from llmload.domain import TokenSource
from llmload.errors import DataFileError, UsageError

CHARACTERS_PER_TOKEN = 4
FALLBACK_ENCODING = "cl100k_base"


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts the tokens of a text, without special tokens or a chat template.

    `is_of_model`: the vocabulary is known to be the model's own, so that a count that differs from the server's is
    news. An ESTIMATE never decides a gate.
    """

    count: Callable[[str], int]
    source: TokenSource
    name: str
    is_of_model: bool


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """A file that tiktoken fetches for an encoding: its name in the cache, and what it must hold."""

    file: str
    sha256: str


_O200K = _Vocabulary(
    "fb374d419588a4632f3f557e76b4b70aebbca790", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
)
_P50K = _Vocabulary(
    "ec7223a39ce59f226a68acc30dc1af2788490e15", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
)
VOCABULARIES: Mapping[str, _Vocabulary] = {
    "cl100k_base": _Vocabulary(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "o200k_base": _O200K,
    "o200k_harmony": _O200K,
    "p50k_base": _P50K,
    "p50k_edit": _P50K,
    "r50k_base": _Vocabulary(
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
}
"""Encodings of tiktoken that need one file; a test holds this table against the installed tiktoken."""


def counter_for(model: str, tokenizer_file: str | None) -> TokenCounter:
    """The best counter for `model`: its tokenizer.json, else tiktoken where a vocabulary is on this machine, else
    characters / 4.

    DataFileError: `tokenizer_file` cannot be read. UsageError: reading it needs the extra `hf`.
    """
    if tokenizer_file is not None:
        return _from_tokenizer_file(Path(tokenizer_file))
    for encoding in encodings_for(model):
        if directory := _cache_of(VOCABULARIES[encoding]):
            return _from_tiktoken(encoding, directory, is_of_model=encoding in encodings_for(model)[:-1])
    return TokenCounter(
        lambda text: -(-len(text) // CHARACTERS_PER_TOKEN), TokenSource.ESTIMATE, "characters / 4", is_of_model=False
    )


def encodings_for(model: str) -> tuple[str, ...]:
    """Encodings of tiktoken worth trying for `model`, best first: its own if tiktoken knows it, then cl100k_base."""
    from tiktoken.model import encoding_name_for_model

    try:
        own = encoding_name_for_model(model)
    except KeyError:
        return (FALLBACK_ENCODING,)
    return (own, FALLBACK_ENCODING) if own in VOCABULARIES else (FALLBACK_ENCODING,)


def vocabularies_here() -> tuple[str, ...]:
    """The encodings of tiktoken that need no download on this machine."""
    return tuple(name for name, vocabulary in VOCABULARIES.items() if _cache_of(vocabulary) is not None)


@lru_cache(maxsize=4)
def _from_tokenizer_file(path: Path) -> TokenCounter:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UsageError(
            str(path), "reading a tokenizer.json needs the package tokenizers", "Install it: pip install 'llmload[hf]'"
        ) from None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise DataFileError(
            str(path), f"not a tokenizer ({error})", "Name the tokenizer.json of the model, as Hugging Face stores it"
        ) from error
    return TokenCounter(
        lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids),
        TokenSource.TOKENIZER,
        path.name,
        is_of_model=True,
    )


def _from_tiktoken(encoding: str, directory: Path, *, is_of_model: bool) -> TokenCounter:
    import tiktoken

    os.environ["TIKTOKEN_CACHE_DIR"] = str(directory)  # the file in it was just checked, so tiktoken asks nobody
    codec = tiktoken.get_encoding(encoding)
    return TokenCounter(
        lambda text: len(codec.encode(text, disallowed_special=())), TokenSource.TIKTOKEN, encoding, is_of_model
    )


def _cache_of(vocabulary: _Vocabulary) -> Path | None:
    """The folder that holds the very file; tiktoken would download what is missing or differs."""
    for directory in _cache_directories():
        file = directory / vocabulary.file
        with suppress(OSError):  # another user's
            if file.is_file() and sha256(file.read_bytes()).hexdigest() == vocabulary.sha256:
                return directory
    return None


def _cache_directories() -> list[Path]:
    """Where tiktoken looks, then the user's cache."""
    named = [os.environ[name] for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if os.environ.get(name)]
    user = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return [
        *map(Path, named),
        Path(tempfile.gettempdir()) / "data-gym-cache",
        Path(user).expanduser() / "llmload" / "tiktoken",
    ]
