"""A run's result as it was judged when it ended, kept beside its requests so that a page of it costs milliseconds.

Only a shortcut: the requests stay the truth. What is kept and cannot be read, since another version of llmload wrote it
or somebody changed it, is as if it were not there, and the run is judged again. Nothing in a document is ever executed.
"""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from llmload.domain import RunHeader, RunResult

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

_LARGEST = 50_000_000
"""Bytes of an unpacked document; a run of hundreds of steps has a tenth of that."""


def put_kept(connection: sqlite3.Connection, run: int, result: RunResult) -> None:
    """Keep a result. What `runs` has in columns of its own, such as the text of the scenario, is not kept twice."""
    packed = zlib.compress(converter().dumps(replace(result, header=_EMPTY)).encode("utf-8", "replace"))
    connection.execute("INSERT OR REPLACE INTO results (run, document) VALUES (?, ?)", (run, packed))


def kept_result(connection: sqlite3.Connection, run: int, header: RunHeader) -> RunResult | None:
    """What was kept of a run; None where nothing was, or nothing that this version can read."""
    row = connection.execute("SELECT document FROM results WHERE run = ?", (run,)).fetchone()
    if row is None:
        return None
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(row[0], _LARGEST)
        if not unpack.eof:
            return None
        result = converter().loads(text, RunResult)
    except Exception:  # whatever is wrong with it, the requests are still there
        return None
    return replace(result, header=header)


_EMPTY = RunHeader("", "", "", "", "", "", "", "", {}, {})


@cache
def converter() -> JsonConverter:
    """Our types as JSON and back; raises whatever it likes for what is not of the type."""
    from cattrs.preconf.json import make_converter

    converter = make_converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook_func(lambda kind: kind is object, _as_it_is)
    converter.register_structure_hook(float, _number)
    return converter


def _number(value: object, _: object) -> float:
    """As it was: a whole number is told without a decimal point."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _as_it_is(value: object, _: object) -> object:
    """A member of a foreign document, such as a setting that a server told: JSON has kept what it is."""
    return value
