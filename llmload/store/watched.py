"""What was read beside the load <-> rows: samples of GPUs and of the server, and what the server told of its work.

It is kept with the window that it was read for. A server may claim any number and a driver any name: what could not be
read back is not kept, and is as if it had not been told. A store from elsewhere may hold anything: what we would not
have written raises.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar, cast

from llmload.samples import (
    Distribution,
    Gpu,
    GpuNow,
    SampleName,
    Series,
    ServerWork,
    Source,
    Watched,
)
from llmload.store.runs import to_json
from llmload.store.typed_json import is_bearable, of_text, to_text, words_of

WATCHED = ("gpus", "server_work", "notes")
"""Columns of `windows`."""

MOST_SERIES = 20_000
"""Of one window: twenty figures of a thousand GPUs."""

MOST_GPUS_NOW = 64
"""That a page shows while a run goes on."""

_LONGEST_NOW = 100_000  # characters
_LARGEST = 2_000_000  # bytes of a document; eight GPUs have 2,000
_MOST_NOTES, _LONGEST_NOTE, _LONGEST_DEVICE = 200, 2_000, 1_000
_LATEST_US = 2**53
_NONE = "[]"

_NAMES = frozenset(words_of(SampleName))

Kind = TypeVar("Kind")
Nothing = TypeVar("Nothing")


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """One series, ready to insert; its rows lack only the keys of window and series, which come first."""

    described: tuple[str, str, str]  # source, name, device
    samples: Iterator[tuple[int, int, float]]  # at_us, nth, value


def watched_columns(watched: Watched) -> tuple[str | None, ...]:
    """Values for the columns of WATCHED."""
    server = None if watched.server is None else _document(_bearable(watched.server), ServerWork)
    gpus = [gpu for gpu in watched.gpus if _document(gpu, Gpu) is not None]
    notes = [note[:_LONGEST_NOTE] for note in watched.notes[:_MOST_NOTES]]
    return (_list(gpus, tuple[Gpu, ...]), server, _list(notes, tuple[str, ...]))


def series_rows(watched: Watched, start_us: int) -> list[SeriesRows]:
    """What to insert of the series, told from the window's start."""
    kept = [series for series in watched.series if len(series.device) <= _LONGEST_DEVICE][:MOST_SERIES]
    return [
        SeriesRows((series.source.value, series.name, _plain(series.device)), _samples(series, start_us))
        for series in kept
    ]


def _samples(series: Series, start_us: int) -> Iterator[tuple[int, int, float]]:
    last, nth = None, 0
    for at_ns, value in sorted(zip(series.at_ns, series.values, strict=True), key=lambda pair: pair[0] // 1000):
        at_us = at_ns // 1000 - start_us
        last, nth = at_us, nth + 1 if at_us == last else 0
        if is_bearable(value):
            yield at_us, nth, value


def _bearable(work: ServerWork) -> ServerWork:
    """The same without what no figure can be made of."""
    before, after = work.running_before, work.running_after
    return replace(
        work,
        counts={name: value for name, value in work.counts.items() if is_bearable(value)},
        distributions={
            name: each for name, each in work.distributions.items() if _document(each, Distribution) is not None
        },
        running_before=before if before is not None and is_bearable(before) else None,
        running_after=after if after is not None and is_bearable(after) else None,
    )


def _list(members: list[Gpu] | list[str], kind: type[tuple[Kind, ...]]) -> str:
    return (_document(members, kind) if members else None) or _NONE


def _document(value: object, kind: type[Kind]) -> str | None:
    """As JSON; None where it would not come back."""
    text = to_text(value)
    try:
        _of_document(text, kind)
    except Exception:  # whatever a server or a driver said ends no run
        return None
    return text.decode()


def _plain(text: str) -> str:
    """As it stands in a document."""
    return of_text(to_text(text), str)


# ---------------------------------------------------------------- and back


def watched_of(connection: sqlite3.Connection, window: sqlite3.Row) -> Watched:
    """What lies in the store of one row of `windows`; ValueError for what no llmload writes."""
    try:
        return Watched(
            gpus=_read_list(window["gpus"], tuple[Gpu, ...]),
            series=tuple(_series(connection, window)),
            server=_read(window["server_work"], ServerWork, None),
            notes=_read_list(window["notes"], tuple[str, ...]),
        )
    except Exception as error:  # a foreign document may be wrong in many ways
        raise ValueError(f"what was read beside the load: {type(error).__name__}: {error}") from error


def _read_list(stored: str, kind: type[tuple[Kind, ...]]) -> tuple[Kind, ...]:
    if not stored.startswith("["):  # an object can be gone through, too
        raise ValueError("no list")
    return _read(stored, kind, ())


def _read(stored: str | None, kind: type[Kind], nothing: Nothing) -> Kind | Nothing:
    return nothing if stored is None or stored == _NONE else _of_document(stored.encode(), kind)


def _of_document(text: bytes, kind: type[Kind]) -> Kind:
    if len(text) > _LARGEST:
        raise ValueError(f"more than {_LARGEST:,} bytes")
    return of_text(text, kind)


def _series(connection: sqlite3.Connection, window: sqlite3.Row) -> Iterator[Series]:
    described = connection.execute(
        "SELECT series, source, name, device FROM sample_series WHERE window = ? ORDER BY series", (window["window"],)
    ).fetchall()
    rows = connection.cursor()
    rows.row_factory = None  # plain tuples
    for number, source, name, device in described:
        if len(device) > _LONGEST_DEVICE:
            raise ValueError("a device of a name without end")
        rows.execute(
            "SELECT at_us, value FROM samples WHERE window = ? AND series = ? ORDER BY at_us, nth",
            (window["window"], number),
        )
        yield Series(Source(source), _name(name), device, *_columns(rows, window["start_us"]))


def _name(stored: str) -> SampleName:
    if stored not in _NAMES:
        raise ValueError(f"{stored[:40]!r} is no figure")
    return cast(SampleName, stored)


def _columns(rows: Iterable[tuple[int, float]], start_us: int) -> tuple[array[int], array[float]]:
    at_ns, values = array("q"), array("d")
    for at_us, value in rows:
        if abs(at_us) > _LATEST_US or not is_bearable(value):
            raise ValueError("a sample beyond all measure")
        at_ns.append((start_us + at_us) * 1000)
        values.append(value)
    return at_ns, values


# ---------------------------------------------------------------- while a run goes on


def gpus_now_text(gpus: Sequence[GpuNow]) -> str:
    """As JSON for the row of progress, without anything that takes time to import."""
    return to_json(tuple(asdict(gpu) for gpu in gpus[:MOST_GPUS_NOW]))


def gpus_now_of(stored: object) -> tuple[GpuNow, ...]:
    """The same again; none where it is nothing that can be shown."""
    if not isinstance(stored, str) or stored == _NONE or len(stored) > _LONGEST_NOW:
        return ()
    try:
        return _read_list(stored, tuple[GpuNow, ...])[:MOST_GPUS_NOW]
    except Exception:  # a foreign document may be wrong in many ways
        return ()
