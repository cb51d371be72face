"""The probe over TLS, with a certificate authority of our own."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmload.errors import TargetError, UsageError
from llmload.scenario.asked import Tls
from llmload.target.probe import Probed, probe
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import healthy, serving


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, which is its own authority, and its key in the same file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(file), "-out", "/dev/stdout"]
    made = subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(made.stdout + file.read_bytes())
    return file


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(healthy(), context) as script:
        yield script.url


def probed_with(tls: Tls, url: str) -> Probed:
    return probe(a_target(url, tls=tls), url, workload=a_workload(), env={})


def test_a_server_is_trusted_through_the_named_authority(url: str, certificate: Path) -> None:
    assert probed_with(Tls(ca_file=str(certificate)), url).endpoint.tls_ca_file == str(certificate)


def test_a_server_without_a_known_authority_is_not_trusted_and_the_remedy_names_both_ways(url: str) -> None:
    with pytest.raises(TargetError, match=r"not trusted .*target\.tls\.ca_file.*verify: false") as caught:
        probed_with(Tls(), url)
    assert caught.value.kind == "TlsFailed"


def test_verification_can_be_switched_off(url: str) -> None:
    assert probed_with(Tls(verify=False), url).facts.model == "tiny"


def test_tls_where_there_is_none() -> None:
    with serving(healthy()) as script:
        url = script.url.replace("http://", "https://")
        with pytest.raises(TargetError) as caught:
            probe(a_target(url), url, workload=a_workload(), env={})
    assert caught.value.kind == "TlsFailed"


def test_a_missing_file_of_authorities_is_the_users_to_mend() -> None:
    with pytest.raises(UsageError, match=r"target\.tls\.ca_file: nowhere\.pem cannot be used"):
        probe(a_target("", tls=Tls(ca_file="nowhere.pem")), "https://127.0.0.1:1", workload=a_workload(), env={})
