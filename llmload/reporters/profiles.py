"""The library of profiles, for people and for machines: which installation carried which load within which SLO."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from llmload.capacity import Carried, Profile
from llmload.plain_text import display_width, plain
from llmload.promises import Slo
from llmload.reporters.figures import MISSING, amount, percent, slo_words
from llmload.reporters.step_document import foreign

_MOST_TEXT = 80  # characters of one foreign text
_MOST_SETTINGS = 12
_DAY = len("2026-11-22")


def render_json(profiles: Sequence[Profile]) -> bytes:
    """An array of them, in the order given; the fields are those of `Profile`."""
    told = [foreign(asdict(profile)) for profile in profiles]
    return (json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def render_text(profiles: Sequence[Profile]) -> bytes:
    """A paragraph for each: the installation, then what it carried, on aligned lines."""
    return "\n".join("".join(f"{line}\n" for line in _paragraph(profile)) for profile in profiles).encode()


def _paragraph(profile: Profile) -> Iterator[str]:
    gpus = f"{profile.gpu_count or 'unknown number of'} × {_short(profile.gpu_model or 'unknown GPU')}"
    server = " ".join(filter(None, (profile.framework, profile.version)))
    yield f"{gpus}: {_short(profile.model)} on {_short(server)}"
    lines = (
        ("carries", _carries(profile)),
        ("there", _there(profile.at_slo)),
        ("workload", _workload(profile.traffic)),
        ("settings", _settings(profile.settings)),
        ("run", f"{_short(profile.run_id)} of {_short(profile.created)[:_DAY]}, scenario {_short(profile.scenario)}"),
    )
    width = max(display_width(name) for name, _ in lines)
    yield from (f"  {name.ljust(width)}  {words}" for name, words in lines if words)


def _short(text: str) -> str:
    return plain(text, _MOST_TEXT)


def _carries(profile: Profile) -> str:
    within = f"within {_terms(profile.slo)} for {percent(profile.goodput_target)} of requests"
    breaks = "" if profile.fails_at is None else f"; {amount(profile.fails_at)} breaks it"
    if profile.at_slo is None:
        return f"no load that was measured surely holds {_terms(profile.slo)}{breaks}"
    return f"{amount(profile.at_slo.concurrency)} requests in flight {within}{breaks}"


def _terms(slo: Slo) -> str:
    return slo_words(slo) or "no SLO"


def _there(carried: Carried | None) -> str:
    """Throughput and goodput at the load that is carried."""
    if carried is None:
        return ""
    low, high = percent(carried.goodput_low), percent(carried.goodput_high)
    interval = "" if MISSING in (low, high) else f" ({low} to {high})"
    return f"{amount(carried.output_tps)} tok/s, goodput {percent(carried.goodput)}{interval}"


def _settings(settings: Mapping[str, str]) -> str:
    told = [f"{_short(name)} {_short(value)}" for name, value in sorted(settings.items())]
    more = len(told) - _MOST_SETTINGS
    return ", ".join(told[:_MOST_SETTINGS]) + (f", and {more:,} more" if more > 0 else "")


def _workload(traffic: str) -> str:
    """Lengths in words; what is no workload of ours as it is written."""
    try:
        asked = json.loads(traffic)
        lengths = [_lengths(asked[f"{side}put_tokens"]) for side in ("in", "out")]
        alike = "" if asked["unique"] else ", prompts that begin alike"
        whole = "" if asked["stream"] else ", not streamed"
    except (ValueError, KeyError, TypeError, RecursionError):
        return _short(traffic)
    return f"{lengths[0]} tokens in, {lengths[1]} out{alike}{whole}"


def _lengths(asked: Mapping[str, float]) -> str:
    match asked:
        case {"tokens": int() as tokens}:
            return amount(tokens)
        case {"low": int() as low, "high": int() as high}:
            return f"{amount(low)} to {amount(high)}"
        case {"mean": int() | float() as mean, "stdev": int() | float() as stdev}:
            return f"about {amount(mean)} (± {amount(stdev)})"
        case _:
            raise ValueError
