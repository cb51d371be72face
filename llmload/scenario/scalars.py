"""Plain scalars by YAML 1.2's core schema: `on`, `no`, dates and `12:30` are texts; leading zeros are refused."""

from __future__ import annotations

import re

ScalarValue = str | int | float | bool | None

_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 400  # digits; more is no quantity, and Python refuses to convert thousands of them


def resolve(text: str) -> ScalarValue:
    """The value of an unquoted scalar; ValueError ("what is wrong. What to do") for a leading-zero integer."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.startswith("0"):
            bare = digits.lstrip("0") or "0"
            raise ValueError(f"{text} has a leading zero. Write {bare} for the number or '{text}' for the text")
        if len(digits) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(digits)} digits. Write a smaller number")
        return int(text)
    if len(text) <= _LONGEST_NUMBER and (_FLOAT.fullmatch(text) or _INFINITE.fullmatch(text)):
        return float(text.replace(".", "", 1) if text.lstrip("+-.").lower() in ("inf", "nan") else text)
    if len(text) <= _LONGEST_NUMBER and _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return text
