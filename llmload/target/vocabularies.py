"""Vocabularies of tiktoken, fetched when a person asks for them and at no other time.

tiktoken downloads what it lacks by itself, without a limit of time, from inside whatever counts first. Here the file is
fetched within a bound, held against the hash that tiktoken knows, and put where tiktoken looks.
"""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from time import monotonic

import httpx

from llmload.errors import DownloadError, UsageError
from llmload.plain_text import plain
from llmload.scenario.secrets import scrub_url
from llmload.units import format_duration
from llmload.workload.tokens import MOST_VOCABULARY_BYTES, VOCABULARIES, is_whole

PUBLISHED = "https://openaipublic.blob.core.windows.net/encodings/"
"""Where tiktoken has its files from; a test holds this against the installed tiktoken."""

_READ_S = 10.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a vocabulary lies now, and whether it lay there before."""

    encoding: str
    path: Path
    was_here: bool


def fetch(encoding: str, directory: Path, *, base: str, timeout_s: float) -> Fetched:
    """The vocabulary of `encoding` in `directory`, from the address `base`.

    Nothing is written unless the whole file has the hash that tiktoken expects. DownloadError: it did not come in
    time, cannot be had, or is another file. UsageError: the folder cannot be written, or the address is none.
    """
    vocabulary = VOCABULARIES[encoding]
    path = directory / vocabulary.file
    if is_whole(vocabulary, directory):
        return Fetched(encoding, path, was_here=True)
    address = f"{base.rstrip('/')}/{vocabulary.published}"
    content = _within(address, timeout_s)
    if sha256(content).hexdigest() != vocabulary.sha256:
        problem = f"is not the vocabulary that tiktoken expects ({len(content):,} bytes with another hash)"
        raise DownloadError(scrub_url(address), problem, "Ask another mirror (--from), or look at what answers there")
    _keep(path, content)
    return Fetched(encoding, path, was_here=False)


def _within(address: str, timeout_s: float) -> bytes:
    """What lies at an address; a thread that nobody waits for asks, since looking up a name has no limit of time."""
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    until_s = monotonic() + timeout_s
    threading.Thread(target=_ask, args=(address, until_s, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        answer = TimeoutError()
    if isinstance(answer, bytes):
        return answer
    where, remedy = scrub_url(address), "Look at the network and its proxy, or ask a mirror: --from URL"
    if isinstance(answer, TimeoutError | httpx.TimeoutException):
        raise DownloadError(where, f"did not come within {format_duration(timeout_s)}", remedy)
    if isinstance(answer, httpx.InvalidURL | httpx.UnsupportedProtocol):
        raise UsageError(where, "is not an address of the web", "Write it like https://mirror.example/encodings/")
    raise DownloadError(where, f"cannot be fetched: {plain(str(answer), 200)}", remedy)


def _ask(address: str, until_s: float, answers: queue.SimpleQueue[bytes | Exception]) -> None:
    try:
        answers.put(_download(address, until_s))
    except Exception as error:  # whatever it is, who waits is told
        answers.put(error)


def _download(address: str, until_s: float) -> bytes:
    content = bytearray()
    patience = httpx.Timeout(min(_READ_S, max(0.001, until_s - monotonic())))
    with (
        httpx.Client(timeout=patience, follow_redirects=True) as client,
        client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"the server answers {response.status_code}")
        for chunk in response.iter_raw():  # as it comes: packed twice, five kilobytes unpack to gigabytes at once
            content += chunk
            if len(content) > MOST_VOCABULARY_BYTES:
                raise ValueError(f"it is larger than {MOST_VOCABULARY_BYTES // 2**20} MB, and no vocabulary is")
            if monotonic() > until_s:
                raise TimeoutError
    return bytes(content)


def _keep(path: Path, content: bytes) -> None:
    """The whole file or none: others may count at this moment."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, half = mkstemp(prefix=f".{path.name}.", dir=path.parent)  # no link that lies there already
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(half).chmod(0o644)
            Path(half).replace(path)
        finally:
            Path(half).unlink(missing_ok=True)
    except OSError as error:
        problem = f"cannot be written: {(error.strerror or 'unwritable').lower()}"
        raise UsageError(str(path.parent), problem, "Name another folder: --cache DIR") from None
