"""Which runs a reader asks for: the query of an address -> a filter and a place in the history, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import quote, unquote

from llmload.reporters.texts import Texts
from llmload.reporters.wording import status_word
from llmload.site.asking import LONGEST_VALUE, Asked, Refused
from llmload.store.history import After, Before, Choice, Choices, Cursor, Filter, Place
from llmload.verdict import Status

STATUSES = {
    "running": "site.status.running",
    "finished": "site.status.finished",
    "failed": "site.status.failed",
    "interrupted": "site.status.interrupted",
    "aborted": "site.status.aborted",
    "imported": "site.status.imported",
}
"""How a run stands, and the text that says so."""

MOST_LABELS = 5
"""Labels of one filter."""

NAMES = ("scenario", "model", "framework", "verdict", "status")
"""Fields that take one value each, in the order of the form; `label` may come several times."""

Query = tuple[tuple[str, str], ...]


def filter_of(asked: Asked) -> Filter:
    """Refused (400) for a verdict or status that there is none of, and for a label without a name and a value."""
    texts = asked.texts
    verdict, status = asked.value("verdict"), asked.value("status")
    if verdict is not None and verdict not in list(Status):
        raise _refused(texts, "verdict", ", ".join(Status))
    if status is not None and status not in STATUSES:
        raise _refused(texts, "status", ", ".join(STATUSES))
    return Filter(
        scenario=asked.value("scenario"),
        model=asked.value("model"),
        framework=asked.value("framework"),
        verdict=None if verdict is None else Status(verdict),
        status=status,
        labels=_labels(asked),
    )


def _labels(asked: Asked) -> tuple[tuple[str, str], ...]:
    told = dict.fromkeys(label for each in asked.query.get("label", ()) if (label := each[:LONGEST_VALUE].strip()))
    pairs = tuple((name, value) for name, sign, value in (each.partition("=") for each in told) if name and sign)
    if len(pairs) < len(told):
        raise _refused(asked.texts, "label", "team=serving")
    if len(pairs) > MOST_LABELS:
        raise Refused(400, asked.texts["site.filter.many_labels"].format(count=MOST_LABELS))
    return pairs


def _refused(texts: Texts, name: str, instead: str) -> Refused:
    field = texts[f"site.filter.{name}"]
    return Refused(
        400, texts["site.filter.refused"].format(name=field), texts["site.filter.instead"].format(values=instead)
    )


# ---------------------------------------------------------------- places


def cursor_of(asked: Asked) -> Cursor | None:
    """Refused (400) for a place that no page of ours leads to."""
    before, after = asked.value("before"), asked.value("after")
    if before is not None and after is not None:
        raise Refused(400, asked.texts["site.filter.two_places"])
    if before is not None:
        return Before(_place(asked, before))
    return None if after is None else After(_place(asked, after))


def _place(asked: Asked, told: str) -> Place:
    created, sign, run_id = told.partition("~")
    if not (created and sign and run_id):
        raise Refused(400, asked.texts["site.filter.no_place"], asked.texts["site.filter.no_place_remedy"])
    return Place(unquote(created), run_id)


def cursor_query(cursor: Cursor) -> Query:
    """The same as an address has it."""
    match cursor:
        case Before(place):
            return (("before", _told(place)),)
        case After(place):
            return (("after", _told(place)),)
        case _:
            assert_never(cursor)


def _told(place: Place) -> str:
    return f"{quote(place.created, safe=':').replace('~', '%7E')}~{place.run_id}"


# ---------------------------------------------------------------- a form


@dataclass(frozen=True, slots=True)
class Option:
    """A value of a field, as people read it, and of how many runs it is; None = of none."""

    value: str
    shown: str
    runs: int | None
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A drop-down of the form."""

    name: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One term of the filter that is set, and the query without it."""

    label: str
    shown: str
    without: Query


def query_of(wanted: Filter) -> Query:
    """The filter as an address has it."""
    return tuple(_terms(wanted))


def fields(wanted: Filter, choices: Choices, texts: Texts) -> tuple[Field, ...]:
    """The drop-downs, with the values there are; a chosen one that no run has stays among them."""
    terms = dict(_terms(wanted))
    by = {
        "scenario": choices.scenario,
        "model": choices.model,
        "framework": choices.framework,
        "verdict": choices.verdict,
        "status": choices.status,
    }
    return tuple(
        Field(name, texts[f"site.filter.{name}"], _options(name, by[name], terms.get(name), texts)) for name in NAMES
    )


def _options(name: str, choices: tuple[Choice, ...], chosen: str | None, texts: Texts) -> tuple[Option, ...]:
    there = [Option(each.value, shown(name, each.value, texts), each.runs, each.value == chosen) for each in choices]
    if chosen is not None and not any(each.is_chosen for each in there):
        there.append(Option(chosen, shown(name, chosen, texts), None, is_chosen=True))
    return tuple(there)


def chips(wanted: Filter, texts: Texts) -> tuple[Chip, ...]:
    """What is set, term by term."""
    terms = query_of(wanted)
    return tuple(
        Chip(texts[f"site.filter.{name}"], shown(name, value, texts), tuple(each for each in terms if each != term))
        for term in terms
        for name, value in (term,)
    )


def shown(name: str, value: str, texts: Texts) -> str:
    """A value as people read it: verdicts and statuses in their language."""
    if name == "verdict" and value in list(Status):
        return status_word(Status(value), texts)
    return texts[STATUSES[value]] if name == "status" and value in STATUSES else value


def _terms(wanted: Filter) -> Iterator[tuple[str, str]]:
    verdict = None if wanted.verdict is None else wanted.verdict.value
    values = (wanted.scenario, wanted.model, wanted.framework, verdict, wanted.status)
    yield from ((name, value) for name, value in zip(NAMES, values, strict=True) if value is not None)
    yield from (("label", f"{name}={value}") for name, value in wanted.labels)
