"""A baseline on disk, `<reports>/baselines/<scenario>/<id>.json`: read as if a stranger had written it.

The id is that of the fingerprint. `store.baseline_writing` writes it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise
from pathlib import Path
from typing import NoReturn, cast

from llmload.analysis.baselines import fingerprint_id
from llmload.baseline import Baseline, PastRun
from llmload.errors import DataFileError
from llmload.latency import Histogram
from llmload.plain_text import plain
from llmload.store.baseline_schema import SCHEMA, Document
from llmload.store.comparison import steps_of_document
from llmload.store.foreign_file import bytes_of

LARGEST = 1_000_000
"""Bytes of a file that is read."""

FOLDER = "baselines"

_OWN_NAME = re.compile(r"[0-9a-f]{12}\.json")
_MOST_FAULTS = 20
_REMEDY = "Restore it from version control, or record it anew with `llmload baseline update`"


class Action(StrEnum):
    """What was done to a baseline."""

    UPDATE = "update"  # its runs were chosen anew
    ACCEPT = "accept"  # a shift was intended: runs before it no longer count


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file's history. `since` is the instant from which runs are of the accepted level."""

    at: str  # UTC, ISO 8601
    action: Action
    reason: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    since: str | None = None


@dataclass(frozen=True, slots=True)
class BaselineRun:
    """One run of the file, and the version of llmload that measured it."""

    past: PastRun
    version: str


Histograms = Mapping[str, Mapping[str, Histogram]]
"""By the label of the step and the metric."""


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """What a file holds: runs and history oldest first."""

    scenario: str
    fingerprint: Mapping[str, str]
    runs: tuple[BaselineRun, ...]
    histograms: Histograms
    history: tuple[Entry, ...]

    @property
    def since(self) -> str:
        """The instant of the last accepted shift; "" where there was none, which is before every instant."""
        return max((entry.since for entry in self.history if entry.since is not None), default="")

    def baseline(self, source: str) -> Baseline:
        """The same for the judge; `source` says in words where it was found."""
        return Baseline(source, self.scenario, self.fingerprint, tuple(run.past for run in self.runs))


# ---------------------------------------------------------------- where


def path_of(reports: Path, scenario: str, fingerprint: Mapping[str, str]) -> Path:
    """Where the baseline of a scenario and a fingerprint lies, under the folder of reports."""
    return reports / FOLDER / scenario / f"{fingerprint_id(fingerprint)}.json"


def is_own_name(name: str) -> bool:
    """Whether a file is called as baselines are; what lies beside them, such as calibrations, is not."""
    return _OWN_NAME.fullmatch(name) is not None


def files_in(folder: Path) -> tuple[Path, ...]:
    """The baselines that lie in a folder, in the order of their names; none where there is no such folder."""
    try:
        return tuple(sorted(path for path in folder.iterdir() if is_own_name(path.name)))
    except OSError:
        return ()


# ---------------------------------------------------------------- reading


def read_file(path: Path) -> BaselineFile:
    """The baseline in a file; DataFileError names every place of it that cannot be trusted."""
    raw = bytes_of(path, LARGEST, "Name a baseline that `llmload baseline update` wrote")
    return read(raw, str(path))


def read(raw: bytes, source: str) -> BaselineFile:
    """As `read_file`, of bytes that were read; `source` names where they lay."""
    if len(raw) > LARGEST:
        raise DataFileError(source, f"is larger than {LARGEST:,} bytes", _REMEDY)
    document = _parsed(raw, source)
    try:
        faults = _faults(document)
    except RecursionError:
        faults = ["document: is nested too deeply"]
    if faults:
        first, *more = (f"{source}: {fault}" for fault in faults)
        where, _, problem = first.rpartition(": ")
        raise DataFileError(where, problem, _REMEDY, more)
    found = _file_of(cast(Document, document))
    name = Path(source).name
    if is_own_name(name) and name != f"{fingerprint_id(found.fingerprint)}.json":
        problem = f"belongs into {fingerprint_id(found.fingerprint)}.json: one of the two was edited"
        raise DataFileError(f"{source}: fingerprint", problem, _REMEDY)
    return found


def _parsed(raw: bytes, source: str) -> object:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        where = f"{source}:{error.lineno}:{error.colno}"
        raise DataFileError(where, f"is not JSON: {error.msg.lower()}", _REMEDY) from None
    except UnicodeDecodeError:
        raise DataFileError(source, "is not UTF-8 text", _REMEDY) from None
    except ValueError as error:
        raise DataFileError(source, plain(str(error), 120), _REMEDY) from None
    except RecursionError:
        raise DataFileError(source, "is nested too deeply", _REMEDY) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if [key for key, _ in pairs].count(name) > 1)
        raise ValueError(f"the key {plain(twice, 40)!r} stands twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:20]} is too large")
    return value


def _faults(document: object) -> list[str]:
    """Each as path and problem, such as `runs[2].created: is not an instant`."""
    from jsonschema import Draft202012Validator

    found = [
        f"{error.json_path.removeprefix('$').removeprefix('.') or 'document'}: {_problem(error.message)}"
        for error in islice(Draft202012Validator(SCHEMA).iter_errors(document), _MOST_FAULTS)
    ]
    return [plain(fault) for fault in found or _crossed(cast(Document, document))]


def _problem(message: str) -> str:
    """One clause without colons, as jsonschema quotes the offending value first."""
    return plain(message if len(message) < 160 else f"{message[:40]}…{message[-80:]}").replace(": ", " ")


def _crossed(document: Document) -> Iterator[str]:
    """What no schema says."""
    ids = [run["run_id"] for run in document["runs"]]
    for place, run_id in enumerate(ids):
        if run_id in ids[:place]:
            yield f"runs[{place}].run_id: {run_id!r} stands twice"
    for label, metrics in document["histograms"].items():
        for metric, each in metrics.items():
            bounds = each["bounds_ms"]
            if len(bounds) != len(each["counts"]) or any(a >= b for a, b in pairwise(bounds)):
                yield f"histograms.{label}.{metric}: bounds_ms must rise, and be as many as counts"


def _file_of(told: Document) -> BaselineFile:
    """Facts of a document that was checked."""
    runs = (
        BaselineRun(
            PastRun(run["run_id"], run["created"], run["commit"], steps_of_document(run["steps"])),
            run["llmload_version"],
        )
        for run in told["runs"]
    )
    histograms = {
        label: {m: Histogram(tuple(each["bounds_ms"]), tuple(each["counts"])) for m, each in metrics.items()}
        for label, metrics in told["histograms"].items()
    }
    history = (
        Entry(
            each["at"],
            Action(each["action"]),
            each["reason"],
            tuple(each["added"]),
            tuple(each["removed"]),
            each.get("since"),
        )
        for each in told["history"]
    )
    return BaselineFile(
        scenario=told["scenario"],
        fingerprint=told["fingerprint"],
        runs=tuple(sorted(runs, key=lambda run: (run.past.created, run.past.run_id))),
        histograms=histograms,
        history=tuple(history),
    )
