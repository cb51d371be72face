"""pydantic's errors in our words: what is wrong, and what to do."""

from __future__ import annotations

import re

from pydantic_core import ErrorDetails

from llmload.scenario.nearest import nearest

_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_CHOICES = {
    "which_length()": (
        "not a length in tokens",
        "Write 256, {mean: 256, stdev: 64}, {uniform: [64, 512]} or {lognormal: {mean: 256, stdev: 64}}",
    ),
    "which_workers()": ("not a number of worker processes", "Write auto, or a whole number"),
    "which_gate()": ("not a gate", "Write a text like 'goodput >= 95%', or a map with metric and max"),
}
"""By the function that tells the members of a union apart."""
_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_PATTERNS = {
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "Use small letters, digits and hyphens inside, like qwen3-14b-chat",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "Write the name of the variable, like LLM_API_KEY, not its value",
    r"^[a-z0-9][a-z0-9._-]*$": "Use small letters, digits, dots and hyphens, like ttft-tail",
}


def say(error: ErrorDetails) -> tuple[str, str]:  # noqa: PLR0911 - one line per kind of error
    """What is wrong, and what to do about it."""
    found, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "llmload":
            return str(context["message"]), str(context["hint"])
        case kind if kind in _WANTED:
            return f"expected {_WANTED[kind]}, found {describe(found)}", _type_hint(_WANTED[kind], found)
        case kind if kind in _BOUNDS:
            words, key = _BOUNDS[kind]
            limit = f"{words} {context[key]:g}"
            return f"must be {limit}, and is {describe(found)}", f"Write a value of {limit}"
        case "literal_error":
            known = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"{describe(found)} is none of the known values", nearest(str(found), known)
        case "union_tag_not_found":
            return _CHOICES[str(context["discriminator"])]
        case "string_pattern_mismatch":
            hint = _PATTERNS.get(str(context["pattern"]), "Write one line of text")
            return f"{describe(found)} is not written as it must be", hint
        case "too_short" if isinstance(found, list) and found:
            return f"it has {len(found)} of {context['min_length']} values", f"Write {context['min_length']} values"
        case "string_too_short" | "too_short":
            return "nothing is written here", "Write a value, or delete the line"
        case "string_too_long" | "too_long":
            return f"longer than {context['max_length']}", "Shorten it"
        case "finite_number":
            return "not a finite number", "Write a plain number"
        case _:
            return error["msg"], "Correct the value"


def describe(value: object) -> str:
    """The value as an error names it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            shown = value if len(value) <= 60 else value[:57] + "..."
            return f"the text {shown!r}"
        case int() | float():
            return f"{value}"
        case list():
            return "a list"
        case _:
            return "a map"


def _type_hint(wanted: str, found: object) -> str:  # noqa: PLR0911 - a table of likely slips
    if found is None:
        return "Write a value, or delete the line"
    match wanted, found:
        case "a text", bool() | int() | float():
            text = str(found).lower() if isinstance(found, bool) else str(found)
            return f'Put it in quotes: "{text}"'
        case "true or false", str() if found.lower() in _TRUTHS:
            return f"Write {_TRUTHS[found.lower()]}; YAML 1.2 knows true and false only"
        case "a list", str() | int() | float():
            return f"Write [{found}]"
        case "a whole number", float() if found.is_integer():
            return f"Write {found:.0f}"
        case "a whole number" | "a number", str() if re.fullmatch(r"[0-9.]+", found):
            return f"Delete the quotes: {found}"
        case "a number", str() if found.endswith("%"):
            return "Write a bare number from 0 to 1 here, as the framework does"
        case "a map", _:
            return "Write its fields under it, indented, or as {name: value}"
    return f"Write {wanted}"
