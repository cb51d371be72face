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
from typing import TypeVar

from llmload.domain import TokenSource
from llmload.errors import DataFileError, UsageError
from llmload.plain_text import plain
from llmload.scenario.file_kinds import ordinary, reason_of

CHARACTERS_PER_TOKEN = 4
FALLBACK_ENCODING = "cl100k_base"
MOST_VOCABULARY_BYTES = 32 * 2**20
"""Of a file that tiktoken fetches; the largest has 4 MB."""

_MOST_TOKENIZER_BYTES = 256 * 2**20  # those of models have up to 40 MB
_TRIAL = "Tokens, 12.5 % of them \u00e9\u4e16\U0001f600!\n"
_NAMED = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")

Told = TypeVar("Told")


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


ESTIMATE = TokenCounter(
    lambda text: -(-len(text) // CHARACTERS_PER_TOKEN), TokenSource.ESTIMATE, "characters / 4", is_of_model=False
)
"""What is left where there is no vocabulary."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A file that tiktoken fetches for an encoding: its name where it is published and in the cache, and what it must
    hold.
    """

    published: str
    file: str
    sha256: str


_O200K = Vocabulary(
    "o200k_base.tiktoken",
    "fb374d419588a4632f3f557e76b4b70aebbca790",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)
_P50K = Vocabulary(
    "p50k_base.tiktoken",
    "ec7223a39ce59f226a68acc30dc1af2788490e15",
    "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
)
VOCABULARIES: Mapping[str, Vocabulary] = {
    "cl100k_base": Vocabulary(
        "cl100k_base.tiktoken",
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": _O200K,
    "o200k_harmony": _O200K,
    "p50k_base": _P50K,
    "p50k_edit": _P50K,
    "r50k_base": Vocabulary(
        "r50k_base.tiktoken",
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
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
    return _with_tiktoken(model) or ESTIMATE


def check_tokenizer(tokenizer_file: str | None) -> None:
    """The errors of `counter_for`, before anything is sent: a server that tells its counts would hide them until the
    first window was measured.
    """
    if tokenizer_file is not None:
        _from_tokenizer_file(Path(tokenizer_file))


def counters_for(model: str, tokenizer_file: str | None) -> tuple[TokenCounter, ...]:
    """Every counter that this machine has for `model`, the best first. Errors are those of `counter_for`."""
    own = None if tokenizer_file is None else _from_tokenizer_file(Path(tokenizer_file))
    return tuple(counter for counter in (own, _with_tiktoken(model), ESTIMATE) if counter is not None)


def _with_tiktoken(model: str) -> TokenCounter | None:
    for encoding in encodings_for(model):
        if directory := cache_of(VOCABULARIES[encoding]):
            return _from_tiktoken(encoding, directory, is_of_model=encoding in encodings_for(model)[:-1])
    return None


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
    return tuple(name for name, vocabulary in VOCABULARIES.items() if cache_of(vocabulary) is not None)


@lru_cache(maxsize=4)
def _from_tokenizer_file(path: Path) -> TokenCounter:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UsageError(
            str(path), "reading a tokenizer.json needs the package tokenizers", "Install it: pip install 'llmload[hf]'"
        ) from None
    remedy = "Name the tokenizer.json of the model, as Hugging Face stores it"
    try:
        found = ordinary(str(path), remedy)
    except OSError as error:
        raise DataFileError(str(path), f"cannot be read: {reason_of(error)}", remedy) from None
    if not 0 < found.size <= _MOST_TOKENIZER_BYTES:
        problem = "is larger than 256 MB" if found.size else "is empty"
        raise DataFileError(str(path), problem, remedy)
    tokenizer = _of_library(path, remedy, lambda: Tokenizer.from_file(str(path)))
    tokenizer.no_truncation()  # either may be on in the file, for what the model was trained on
    tokenizer.no_padding()

    def count(text: str) -> int:
        return len(_of_library(path, remedy, lambda: tokenizer.encode(text, add_special_tokens=False)).ids)

    count(_TRIAL)  # a file that lacks its token for the unknown is known before anything is sent
    return TokenCounter(count, TokenSource.TOKENIZER, path.name, is_of_model=True)


def _of_library(path: Path, remedy: str, ask: Callable[[], Told]) -> Told:
    """What `ask` gives; DataFileError where the library cannot, whatever it raises."""
    try:
        return ask()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # nothing narrower: where a file breaks it in Rust, not even an Exception
        raise DataFileError(str(path), f"not a tokenizer ({plain(str(error), 200)})", remedy) from error


def _from_tiktoken(encoding: str, directory: Path, *, is_of_model: bool) -> TokenCounter:
    import tiktoken

    os.environ["TIKTOKEN_CACHE_DIR"] = str(directory)  # the file in it was just checked, so tiktoken asks nobody
    codec = tiktoken.get_encoding(encoding)
    return TokenCounter(
        lambda text: len(codec.encode(text, disallowed_special=())), TokenSource.TIKTOKEN, encoding, is_of_model
    )


def cache_of(vocabulary: Vocabulary) -> Path | None:
    """The folder that holds the very file; tiktoken would download what is missing or differs."""
    return next((directory for directory in cache_directories() if is_whole(vocabulary, directory)), None)


def is_whole(vocabulary: Vocabulary, directory: Path) -> bool:
    """Whether the folder holds the file, and it is the right one."""
    file = directory / vocabulary.file
    with suppress(OSError):  # another user's
        if file.is_file() and file.stat().st_size <= MOST_VOCABULARY_BYTES:  # a folder of all users may hold anything
            return sha256(file.read_bytes()).hexdigest() == vocabulary.sha256
    return False


def cache_directories() -> list[Path]:
    """Where tiktoken looks, then the user's cache."""
    named = [os.environ[name] for name in _NAMED if os.environ.get(name)]
    return [*map(Path, named), Path(tempfile.gettempdir()) / "data-gym-cache", _users_cache()]


def cache_to_fill() -> Path:
    """Where a vocabulary that is fetched belongs: the folder that the environment names for it, else the user's."""
    named = next((os.environ[name] for name in _NAMED if os.environ.get(name)), None)
    return Path(named) if named else _users_cache()


def _users_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llmload" / "tiktoken"
