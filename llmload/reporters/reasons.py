"""What our analysis said in English, told in the language of a report.

Reasons, remedies, caveats, findings and notices are stored as English sentences with figures inside, also by earlier
versions. So a sentence is matched against the templates of a language (`catalogues/reasons.<language>.toml`), and
told by the template's counterpart with the figures as they were. What matches nothing stays as it is: the words of a
server, a file or a person are theirs.

Patterns take every placeholder at its first possible end and never go back, so that a text of any shape costs time in
proportion to its length (atomic groups, `docs.python.org/3/library/re.html`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import NotRequired, TypedDict

from llmload.promises import LATENCIES, RATES, SHARES, STATS
from llmload.reporters.texts import Language, Texts

LONGEST = 4_000
"""Characters of a text that is looked at; ours are far below, and the words of others stay as they are anyway."""

_DEEPEST = 12  # phrases within phrases
_REMEMBERED = 4_096  # texts: a run says the same remedy at every step
_MAIN = "sentence"
_COLON = ": "  # joins a lead and all that it leads to, which may have some of its own

_NUMBER = r"(?:-?\d+(?:,\d{3})*+(?:\.\d+)?|Infinity)"
_SUBJECT = rf"(?:(?:{'|'.join(STATS)})\((?:{'|'.join(LATENCIES)})\)|{'|'.join((*SHARES, *RATES, *LATENCIES))})"
_PROMISE = r"(?:[<>]= [^ ]+(?: tok/s)?|within [^ ]+ of baseline(?:, floor [^ ]+(?: tok/s)?)?)"
_PLACE = r"at (?:concurrency|rate|speed) (?:[<>]= )?[0-9.]+(?:/s)?"
SHAPES: Mapping[str, str] = {
    "number": _NUMBER,
    "percent": _NUMBER + "%",
    "value": rf"{_NUMBER}(?:%|ns|us|ms|s|m|h|d|/s| tok/s)?+(?![\w%])|never reached",
    "figure": _SUBJECT,
    "step": r"(?:concurrency|rate|speed) [0-9.]+(?:/s)?",
    "gate": rf"{_SUBJECT} {_PROMISE}(?: {_PLACE})?",
    "worker": r"worker \d+(?: on [^ )]+)?",
    "word": r"[^\s:;,()]+",
    "url": r"[a-z][a-z0-9+.-]*://[^\s]*[^\s:]",
    "command": r"`[^`]+`",
}
"""What a placeholder may hold, by its kind. A kind that is a table of the catalogue is told by that table as well, and
`text` is anything, told as it is.
"""

_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with placeholders: `kinds` by their names, `pattern` for the English one, `told` in the language."""

    english: str
    told: str
    kinds: Mapping[str, str]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Grammar:
    """One table of a catalogue: `by_word` has the templates that a text may match by its first word, `otherwise` those
    for any other first word, both in the order of the catalogue.

    What no template matches whole is cut at each of `joined` and told part by part; a `listed` text always is.
    """

    templates: Sequence[Template]
    by_word: Mapping[str, Sequence[Template]]
    otherwise: Sequence[Template]
    joined: Sequence[str]
    listed: str

    def candidates(self, text: str) -> Sequence[Template]:
        """The templates that may match, in the order of the catalogue."""
        return self.by_word.get(_first_word(text), self.otherwise)


Catalogue = Mapping[str, Grammar]
"""The tables of a language by their names, which are kinds of placeholders too."""


class _Table(TypedDict):
    says: dict[str, str]
    joined: NotRequired[list[str]]
    listed: NotRequired[str]


def in_language(text: str, texts: Texts) -> str:
    """A sentence of our analysis in the language of `texts`, its figures unchanged; English is as it was written.

    To be asked before a text is shortened. Escaping for the place where it is written comes after.
    """
    return phrase_in_language(text, _MAIN, texts)


def phrase_in_language(text: str, kind: str, texts: Texts) -> str:
    """The same for what is no sentence by itself: `kind` is the table of the catalogue that tells it."""
    if texts.language is Language.EN or len(text) > LONGEST:
        return text
    return _told(text, kind, texts.language)


@cache
def catalogue_in(language: Language) -> Catalogue:
    """The templates of a language; ValueError where one has another placeholder than its counterpart."""
    file = resources.files("llmload.reporters").joinpath("catalogues", f"reasons.{language.value}.toml")
    tables: dict[str, _Table] = tomllib.loads(file.read_text("utf-8"))
    return {name: _grammar_of(table) for name, table in tables.items()}


@lru_cache(maxsize=_REMEMBERED)
def _told(text: str, kind: str, language: Language) -> str:
    found = _translated(text, kind, catalogue_in(language), _DEEPEST)
    return text if found is None else found


# ---------------------------------------------------------------- templates


def template_of(english: str, told: str) -> Template:
    """Compile a pair of a catalogue. `(s)` in English is an ending that may be missing."""
    kinds = {found[1]: found[2] or "text" for found in _PLACEHOLDER.finditer(english)}
    if {found[1] for found in _PLACEHOLDER.finditer(told)} != set(kinds):
        raise ValueError(f"{english!r} and {told!r} have different placeholders")
    return Template(english, told, kinds, re.compile(_pattern(english), re.DOTALL))


def _pattern(english: str) -> str:
    """Free text reaches to the first place where the literal after it stands, the last one as far as it can."""
    parts = _PLACEHOLDER.split(english)  # literal, name, kind, literal, name, kind, ..., literal
    written = _literal(parts[0])
    last = len(parts) - 3
    for place in range(1, len(parts), 3):
        name, kind, literal = parts[place], parts[place + 1] or "text", _literal(parts[place + 2])
        if kind in SHAPES:
            written += f"(?>(?P<{name}>{SHAPES[kind]}){literal})"
        elif place == last:
            written += f"(?P<{name}>.+){literal}"
        else:
            written += f"(?>(?P<{name}>.+?){literal})"
    return rf"{written}\Z"


def _literal(text: str) -> str:
    return re.escape(text).replace(re.escape("(s)"), "s?")


def _grammar_of(table: _Table) -> Grammar:
    templates = [template_of(english, told) for english, told in table["says"].items()]
    leads = [_lead(template.english) for template in templates]
    by_word = {
        word: tuple(each for each, lead in zip(templates, leads, strict=True) if lead in ("", word))
        for word in sorted(set(leads))
    }
    return Grammar(
        templates=tuple(templates),
        by_word=by_word,
        otherwise=by_word.get("", ()),
        joined=tuple(table.get("joined", ())),
        listed=table.get("listed", ""),
    )


def _lead(english: str) -> str:
    """The word that every match begins with; "" where it is not always the same."""
    head = _PLACEHOLDER.split(english)[0]
    word = _first_word(head)
    is_whole = head != word or english == word
    return word if is_whole and not word.endswith("(s)") else ""


def _first_word(text: str) -> str:
    return text.split(" ", 1)[0]


# ---------------------------------------------------------------- matching


def _translated(text: str, kind: str, catalogue: Catalogue, depth: int) -> str | None:
    """The text by the grammar of a kind; None where it has no word for any of it."""
    if not depth:
        return None
    grammar = catalogue[kind]
    if grammar.listed and grammar.listed in text:
        return _by_parts(text, grammar.listed, kind, catalogue, depth)
    for template in grammar.candidates(text):
        if (match := template.pattern.match(text)) is not None:
            return _filled(template, match, catalogue, depth)
    separator = next((each for each in grammar.joined if each in text), None)
    return None if separator is None else _by_parts(text, separator, kind, catalogue, depth)


def _filled(template: Template, match: re.Match[str], catalogue: Catalogue, depth: int) -> str:
    filled = {}
    for name, kind in template.kinds.items():
        told = match[name]
        if kind in catalogue:
            told = _translated(told, kind, catalogue, depth - 1) or told
        filled[name] = told
    return _PLACEHOLDER.sub(lambda place: filled[place[1]], template.told)


def _by_parts(text: str, separator: str, kind: str, catalogue: Catalogue, depth: int) -> str | None:
    parts = text.split(separator, 1 if separator == _COLON else -1)
    told = [_translated(part, kind, catalogue, depth - 1) for part in parts]
    if not any(each is not None for each in told):
        return None
    return separator.join(part if each is None else each for part, each in zip(parts, told, strict=True))
