"""One worker process for a whole file of tests, since starting one takes longer than most windows; a certificate."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmload.domain import Observation, Phase, RequestRecord
from llmload.load.pool import Pool
from llmload.load.window import Window

Observe = Callable[[Window], Observation]


@pytest.fixture(scope="module")
def observe() -> Iterator[Observe]:
    """Observes windows in one worker."""
    with Pool() as pool:
        yield lambda asked: pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())


@pytest.fixture
def measured(observe: Observe) -> Callable[[Window], list[RequestRecord]]:
    """Only the measured records of a window."""
    return lambda asked: [record for record in observe(asked).records if record.phase is Phase.MEASURED]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, which is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject, *files],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """The server's side of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
