"""The simulator's settings on their way: from words on a command line, and into the child process."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import orjson

from llmload.errors import UsageError
from llmload.scenario.asked import Faults, Simulator
from llmload.simulator.speech import FRAMEWORKS
from llmload.units import parse_share

API_KEY_VARIABLE = "LLMLOAD_SIMULATOR_API_KEY"

_WHOLE = (
    "max_num_seqs",
    "kv_cache_tokens",
    "max_model_len",
    "replicas",
    "seed",
    "mean_answer_tokens",
    "reasoning_tokens",
)
_DECIMAL = ("prefill_tokens_per_s", "decode_base_ms", "decode_per_seq_ms")
FIGURES = (*_WHOLE, *_DECIMAL, "prefix_cache", "refuse_fields")
FAULTS = tuple(fault.name.removesuffix("_rate") for fault in fields(Faults))
_FAULT_FIELDS = tuple(fault.name for fault in fields(Faults))
_TRUTHS = ("false", "true")
_FITTING = {"--set": "Write a number, true or false", "--fault": "Write a share like 5% or 0.05, or a number"}


def encode(settings: Simulator) -> bytes:
    """One line of JSON; the reference to the API key stays behind, the key itself travels in the environment."""
    return orjson.dumps(replace(settings, api_key=None)) + b"\n"


def decode(line: bytes) -> Simulator:
    """The settings that `encode` wrote, or some of them: the rest keep their defaults."""
    document = orjson.loads(line)
    faults = Faults(**document.pop("faults", {}))
    refuse_fields = tuple(document.pop("refuse_fields", ()))
    return Simulator(**document, faults=faults, refuse_fields=refuse_fields)


def from_words(
    profile: str, model: str, figures: Sequence[str], faults: Sequence[str], framework: str | None = None
) -> Simulator:
    """Settings from `name=value` words, such as max_num_seqs=8 and disconnect=5%; UsageError names the bad one."""
    if framework is not None and framework not in FRAMEWORKS:
        raise UsageError(f"--framework {framework}", "is not simulated", f"Use one of: {', '.join(FRAMEWORKS)}")
    document: dict[str, object] = {"profile": profile, "model": model, "framework": framework}
    for word in figures:
        name, value = _split(word, "--set", FIGURES)
        document[name] = _read(word, "--set", _figure, name, value)
    wrong: dict[str, object] = {}
    for word in faults:
        name, value = _split(word, "--fault", FAULTS)
        field_name = name if name in _FAULT_FIELDS else f"{name}_rate"
        wrong[field_name] = _read(word, "--fault", _fault_figure, name, value)
    return decode(orjson.dumps({**document, "faults": wrong}))


def _split(word: str, option: str, known: Sequence[str]) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or name not in known:
        raise UsageError(f"{option} {word}", "is not NAME=VALUE with a known name", f"Known: {', '.join(known)}")
    return name, value.strip()


def _read(word: str, option: str, read: Callable[[str, str], object], name: str, value: str) -> object:
    try:
        return read(name, value)
    except ValueError:
        raise UsageError(f"{option} {word}", f"{value!r} does not fit", _FITTING[option]) from None


def _figure(name: str, value: str) -> object:
    if name == "refuse_fields":
        return value.split(",")
    if name == "prefix_cache":
        return _TRUTHS.index(value) == 1
    return _finite(value) if name in _DECIMAL else int(value)


def _fault_figure(name: str, value: str) -> object:
    if name in ("error_status", "restart_after"):
        return int(value)
    if name == "slow_first_byte_s":
        return _finite(value)
    return parse_share(value) if value.endswith("%") else _finite(value)


def _finite(value: str) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(f"{value} is no figure")
    return number
