"""How the server under test is trusted, the same for the questions before the load and for the load itself."""

from __future__ import annotations

import ssl

from llmload.endpoint import Endpoint
from llmload.errors import UsageError


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """How to trust the server of `endpoint`; UsageError where its CA file is none."""
    try:
        context = ssl.create_default_context(cafile=endpoint.tls_ca_file)
    except OSError as error:  # no such file, or no certificate in it
        remedy = "Name a PEM file with the certificate of the authority"
        raise UsageError("target.tls.ca_file", f"{endpoint.tls_ca_file} cannot be used ({error})", remedy) from None
    if not endpoint.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
