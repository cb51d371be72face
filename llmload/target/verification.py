"""How was the server really started? Asked once, before any load; a server that does not tell is no failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from llmload.analysis.declared import Value, actual_settings
from llmload.endpoint import Endpoint
from llmload.errors import LlmloadError
from llmload.frameworks.adapter import Adapter
from llmload.target.models import ask
from llmload.target.server import connected

LONGEST_S = 5.0
"""How long each question may take: these answers are at hand in a server that is ready."""
_LONGEST_VALUE = 200

_log = structlog.get_logger("llmload.target")


def read_settings(adapter: Adapter, endpoint: Endpoint) -> Mapping[str, Value]:
    """The settings of `adapter` that the server at `endpoint` tells, by name and in their own types; never fails."""
    brief = replace(
        endpoint,
        first_token_timeout_s=min(LONGEST_S, endpoint.first_token_timeout_s),
        total_timeout_s=min(LONGEST_S, endpoint.total_timeout_s),
    )
    try:
        with connected(brief) as server:
            told = adapter.read_actual(ask(server, adapter.questions, endpoint.model))
            found = actual_settings(adapter.settings, told)
            return {
                name: _bounded(server.scrub(value)) if isinstance(value, str) else value
                for name, value in found.items()
            }
    except LlmloadError:
        return {}
    except Exception as error:  # adapters of third parties read these replies, and the load does not need them
        _log.warning("the settings of the server could not be read", framework=adapter.name, error=repr(error))
        return {}


def _bounded(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_VALUE]
