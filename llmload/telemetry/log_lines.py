"""The lines in which servers tell of their own work every so often, as figures.

Known are vLLM's (its present engine, and the "Swapped, Pending" wording of the older one), SGLang's (with a comma and,
older, a full stop behind "batch") and LMDeploy's. llama.cpp and Triton print none.

A number counts only where the line shows that it ends: what stands behind it is its unit, a comma or the end of the
line. So a line that was cut off gives the figures that it has whole and nothing else. Only a few hundred characters
are looked at, whatever the length of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmload.samples import SampleName

_HEAD = 300  # characters before what we look for: instant, process, module, a prefix of Docker Compose or a JSON key
_REACH = 1_500  # characters from there on

_VLLM_LASTS_S = 30.0  # it speaks every 10 s while it works, and says zeros once before it falls silent
_BATCH_LASTS_S = 5.0  # every 40 decode steps; it falls silent without a last word

_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_END = r'(?=[,\s"\\])'  # a quote or a backslash ends a line within JSON
_QUOTES = re.compile(r"""'|\b(?:prompt|text|content)"?[:=]""")  # before what somebody wrote, who may write anything


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """What one line tells of one of a server's engines (data-parallel replicas).

    Several `rank`s of one engine say the same of it. A figure that is not told again within `lasts_s` seconds is over.
    """

    engine: str
    rank: str
    figures: Mapping[SampleName, float]
    lasts_s: float


def read_line(line: str) -> EngineFigures | None:
    """What a line tells, with its line end where it has one; None for any other line."""
    found = _MARKER.search(line, 0, _HEAD)
    if found is None or _QUOTES.search(head := line[: found.start()]):
        return None
    told = _WORDINGS[found[0]](head, line[found.start() : found.start() + _REACH])
    return told if told.figures else None


def _read_vllm(head: str, rest: str) -> EngineFigures:
    found = re.search(r"(?:Engine (\d{1,6})|\d{1,6} Engines Aggregated): \Z", head)
    return EngineFigures(found[1] or "" if found else "", "", dict(_figures(_VLLM, rest)), _VLLM_LASTS_S)


def _read_vllm_prefix(head: str, rest: str) -> EngineFigures:
    return EngineFigures("", "", dict(_figures(_VLLM_PREFIX, rest)), _VLLM_LASTS_S)


def _read_decode(head: str, rest: str) -> EngineFigures:
    return EngineFigures(*_ranks(head), {**dict(_figures(_DECODE, rest)), **_token_usage(rest)}, _BATCH_LASTS_S)


def _read_prefill(head: str, rest: str) -> EngineFigures:
    figures = dict(_figures(_PREFILL, rest))
    new, cached = _NEW_TOKENS.search(rest), _CACHED_TOKENS.search(rest)
    if new is not None and cached is not None and (tokens := float(new[1]) + float(cached[1])) > 0:
        figures["prefix_cache_hit_share"] = float(cached[1]) / tokens
    return EngineFigures(*_ranks(head), {**figures, **_token_usage(rest)}, _BATCH_LASTS_S)


def _read_lmdeploy(head: str, rest: str) -> EngineFigures:
    return EngineFigures(*_ranks(head), dict(_figures(_LMDEPLOY, rest)), _VLLM_LASTS_S)


_WORDINGS = {
    "Avg prompt throughput: ": _read_vllm,
    "Prefix cache hit rate: GPU: ": _read_vllm_prefix,
    "Decode batch": _read_decode,
    "Prefill batch": _read_prefill,
    "Avg thr (in/out): ": _read_lmdeploy,
}

_MARKER = re.compile("|".join(map(re.escape, _WORDINGS)))

_VLLM: Mapping[SampleName, re.Pattern[str]] = {
    "prompt_tps": re.compile(rf"Avg prompt throughput: {_NUMBER} tokens/s"),
    "output_tps": re.compile(rf"Avg generation throughput: {_NUMBER} tokens/s"),
    "requests_running": re.compile(rf"Running: {_NUMBER} reqs"),
    "requests_waiting": re.compile(rf"(?:Waiting|Pending): {_NUMBER} reqs"),
    "kv_cache_share": re.compile(rf" KV cache usage: {_NUMBER}%"),  # of the GPU first, where there are two
    "prefix_cache_hit_share": re.compile(rf", Prefix cache hit rate: {_NUMBER}%"),  # not the "External prefix ..."
}
_VLLM_PREFIX: Mapping[SampleName, re.Pattern[str]] = {
    "prefix_cache_hit_share": re.compile(rf"Prefix cache hit rate: GPU: {_NUMBER}%"),
}
_DECODE: Mapping[SampleName, re.Pattern[str]] = {
    "requests_running": re.compile(rf"#running-req: {_NUMBER}{_END}"),
    "requests_waiting": re.compile(rf"#queue-req: {_NUMBER}{_END}"),
    "output_tps": re.compile(rf"gen throughput \(token/s\): {_NUMBER}{_END}"),
}
_PREFILL: Mapping[SampleName, re.Pattern[str]] = {  # its #running-req leaves out those that it begins
    "requests_waiting": re.compile(rf"#queue-req: {_NUMBER}{_END}"),
    "prompt_tps": re.compile(rf"input throughput \(token/s\): {_NUMBER}{_END}"),
    "prefix_cache_hit_share": re.compile(rf", cache hit rate: {_NUMBER}%"),  # since the server began; older ones
}
_NEW_TOKENS = re.compile(rf"#new-token: {_NUMBER}{_END}")
_CACHED_TOKENS = re.compile(rf"#cached-token: {_NUMBER}{_END}")
_TOKEN_USAGE = re.compile(rf", (?:full |swa )?token usage: {_NUMBER}{_END}")  # two where layers differ in their cache
_LMDEPLOY: Mapping[SampleName, re.Pattern[str]] = {
    "prompt_tps": re.compile(rf"Avg thr \(in/out\): {_NUMBER} /"),
    "output_tps": re.compile(rf"Avg thr \(in/out\): [\d.]{{1,22}} / {_NUMBER} tokens/s"),
    "requests_running": re.compile(rf"Engine \(running/waiting\): {_NUMBER} /"),
    "requests_waiting": re.compile(rf"Engine \(running/waiting\): \d{{1,12}} / {_NUMBER}{_END}"),
    "kv_cache_share": re.compile(rf", KV cache: {_NUMBER}%"),
    "prefix_cache_hit_share": re.compile(rf", Prefix cache hit rate: {_NUMBER}%"),
}


def _figures(patterns: Mapping[SampleName, re.Pattern[str]], text: str) -> Iterator[tuple[SampleName, float]]:
    for name, pattern in patterns.items():
        if (found := pattern.search(text)) is None:
            continue
        value = float(found[1])
        if not name.endswith("_share"):
            yield name, value
        elif value <= 100.0:  # percent
            yield name, value / 100.0


def _token_usage(text: str) -> Mapping[SampleName, float]:
    """SGLang's share of the KV cache, of the kind of layer whose cache is fullest."""
    shares = [share for share in map(float, _TOKEN_USAGE.findall(text)) if share <= 1.0]
    return {"kv_cache_share": max(shares)} if shares else {}


def _ranks(head: str) -> tuple[str, str]:
    """The engine, and which of its ranks speaks, as in "[2026-11-21 00:30:18 DP0 TP0] "."""
    found = re.search(r"\[([^][]{1,80})\]\s{0,2}\Z", head)
    words = found[1].split() if found else []
    named = [word for word in words if re.fullmatch(r"[A-Z_]{2,8}\d{1,5}", word)]
    engine = next((word for word in named if word.startswith("DP")), "")
    return engine, " ".join(word for word in named if word != engine)
