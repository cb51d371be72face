"""The language of a page: the one that was chosen, else what the browser prefers, else that of the site."""

from __future__ import annotations

from llmload.reporters.texts import Language

_LONGEST_HEADER = 500
"""Characters of Accept-Language that are looked at."""


def chosen_language(named: str | None) -> Language | None:
    """The language of this code; None for every other text."""
    return Language(named) if named in list(Language) else None


def preferred_language(accept_language: str) -> Language | None:
    """Of the languages that pages have, the one that a browser's Accept-Language puts first; None where it has none.

    What is malformed there is passed over. Of equal preferences, the one that is named first counts.
    """
    best: tuple[float, Language] | None = None
    for named in accept_language[:_LONGEST_HEADER].split(","):
        tag, _, parameter = named.partition(";")
        language = chosen_language(tag.strip().split("-")[0].lower())
        weight = _weight(parameter)
        if language is not None and weight > 0 and (best is None or weight > best[0]):
            best = (weight, language)
    return None if best is None else best[1]


def _weight(parameter: str) -> float:
    """Of `q=0.8`, 0.8; 1 where there is none, and 0, which means never, where it is no such number."""
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0
