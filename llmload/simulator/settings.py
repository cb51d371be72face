"""The simulator's settings on their way into the child process."""

from __future__ import annotations

from dataclasses import replace

import orjson

from llmload.scenario.asked import Faults, Simulator

API_KEY_VARIABLE = "LLMLOAD_SIMULATOR_API_KEY"


def encode(settings: Simulator) -> bytes:
    """One line of JSON; the reference to the API key stays behind, the key itself travels in the environment."""
    return orjson.dumps(replace(settings, api_key=None)) + b"\n"


def decode(line: bytes) -> Simulator:
    """The settings that `encode` wrote."""
    document = orjson.loads(line)
    faults = Faults(**document.pop("faults"))
    refuse_fields = tuple(document.pop("refuse_fields"))
    return Simulator(**document, faults=faults, refuse_fields=refuse_fields)
