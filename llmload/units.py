"""Quantities as people write them in YAML and as programs use them: "1h30m" <-> 5400.0 seconds, "95%" <-> 0.95."""

from __future__ import annotations

import re
from decimal import Decimal

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:req|requests|tok|tokens)?/(s|m|h)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_duration(text: str) -> float:
    """Seconds in "500ms", "1h30m", "2.5s"; ValueError says what a duration looks like."""
    whole = text.strip()
    parts = _DURATION_PART.findall(whole)
    if not parts or "".join(number + unit for number, unit in parts) != whole:
        raise ValueError(f"{text!r} is not a duration; write a number with a unit, like 500ms, 30s or 1h30m")
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in parts))


def parse_share(text: str) -> float:
    """Share 0..1 in "95%"; ValueError above 100 % or without the sign."""
    found = _SHARE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a share; write a number with a percent sign, like 95%")
    share = float(Decimal(found[1]) / 100)
    if share > 1:
        raise ValueError(f"{text!r} is more than 100%")
    return share


def parse_percent(text: str) -> float:
    """A ratio in "250%" = 2.5, for growth that may pass 100 %."""
    found = _SHARE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a percentage; write a number with a percent sign, like 5%")
    return float(Decimal(found[1]) / 100)


def parse_rate(text: str) -> float:
    """Events per second in "2/s", "120/m" or "1200 tok/s"."""
    found = _RATE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a rate; write a number per time, like 2/s or 120/m")
    return float(Decimal(found[1]) / _SECONDS[found[2]])


def format_number(value: float) -> str:
    """Shortest plain digits of a number: no exponent, no trailing zeros."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_duration(seconds: float) -> str:
    """Shortest exact text with one unit that `parse_duration` reads back: 0.5 -> "500ms", 90 -> "90s"."""
    if seconds == 0:
        return "0s"
    value = Decimal(repr(float(seconds)))
    unit = "s" if value >= 1 else "ms" if value >= Decimal("1e-3") else "us"
    for larger in ("h", "m"):
        if seconds % float(_SECONDS[larger]) == 0:  # Decimal refuses quotients of more than 28 digits
            unit = larger
            break
    return format_number(float(value / _SECONDS[unit])) + unit


def format_share(share: float) -> str:
    """Percent with no more digits than needed: 0.95 -> "95%"."""
    return format_number(float(Decimal(repr(float(share))) * 100)) + "%"
