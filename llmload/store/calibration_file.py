"""Calibrations on disk: one JSON file per scenario and fingerprint, beside the baselines, read by `llmload plan`.

The same calibration gives the same bytes. Margins are as a scenario writes them, everything else in the figure's unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import orjson

from llmload.analysis.calibration import PAIRS, RUNS, Calibration, Noise
from llmload.errors import DataFileError, StoreError
from llmload.plain_text import plain
from llmload.store.baseline_file import FOLDER
from llmload.store.foreign_file import bytes_of
from llmload.store.replacing import replace

API_VERSION = "llmload/calibration/v1"
SUFFIX = ".calibration.json"
LARGEST = 4_000_000
"""Bytes; a calibration of fifty steps has half a million."""

Value = TypeVar("Value")
_REMEDY = "Write it anew with `llmload calibrate`, or take it back from version control"


def calibration_path(reports: Path, scenario: str, fingerprint_id: str) -> Path:
    """Where the calibration of a scenario for one fingerprint lies, under the scenario's `reports.dir`."""
    return reports / FOLDER / scenario / f"{fingerprint_id}{SUFFIX}"


def find_calibrations(reports: Path, scenario: str) -> tuple[Path, ...]:
    """Every calibration of a scenario, by name; none where there is no such folder."""
    return tuple(sorted((reports / FOLDER / scenario).glob(f"*{SUFFIX}")))


def render_calibration(calibration: Calibration) -> bytes:
    """The document, with sorted keys."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "Calibration",
        "scenario": plain(calibration.scenario),
        "created": plain(calibration.created),
        "llmload_version": plain(calibration.version),
        "fingerprint": {plain(key): plain(told, 4_000) for key, told in calibration.fingerprint.items()},
        "confidence": calibration.confidence,
        "pairs": calibration.pairs,
        "runs": [plain(run) for run in calibration.runs],
        "steps": {
            plain(step): {figure: _noise_document(noise) for figure, noise in noises.items()}
            for step, noises in calibration.steps.items()
        },
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Replace the file at `path`, or leave the old one whole; StoreError when the disk says no."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, render_calibration(calibration))
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        remedy = "The runs are stored. Make room or name another --out, and calibrate again"
        raise StoreError(str(path), f"cannot be written: {reason}", remedy) from error


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file; DataFileError names the file and the place in it of the first fault.

    Fields that a later version added are left alone.
    """
    root = _Place(str(path), "", _parse(path))
    if root.member("apiVersion").value != API_VERSION:
        raise root.member("apiVersion").fault(f"is not {API_VERSION}")
    return Calibration(
        scenario=root.member("scenario").text(),
        created=root.member("created").text(),
        version=root.member("llmload_version").text(),
        fingerprint=root.member("fingerprint").each(_Place.text),
        confidence=root.member("confidence").number(least=0.5, most=1.0),
        pairs=int(root.member("pairs").number(least=0)),
        runs=tuple(root.member("runs").texts()),
        steps=root.member("steps").each(lambda step: step.each(_noise_of)),
    )


def _noise_document(noise: Noise) -> dict[str, object]:
    return {
        "middle": noise.middle,
        "cv": noise.cv,
        "paired_cv": noise.paired_cv,
        "reachable_margin": {
            "pairs": {str(n): margin for n, margin in noise.by_pairs.items()},
            "baseline_runs": {str(n): margin for n, margin in noise.by_runs.items()},
        },
    }


def _noise_of(place: _Place) -> Noise:
    reachable = place.member("reachable_margin")
    pairs, runs = reachable.member("pairs"), reachable.member("baseline_runs")
    return Noise(
        middle=place.member("middle").number(),
        cv=place.member("cv").number(),
        paired_cv=place.member("paired_cv").number(),
        by_pairs={n: pairs.member(str(n)).number() for n in PAIRS},
        by_runs={n: runs.member(str(n)).number() for n in RUNS},
    )


# ---------------------------------------------------------------- strict reading


def _parse(path: Path) -> object:
    raw = bytes_of(path, LARGEST, _REMEDY)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DataFileError(f"{path}:{error.lineno}:{error.colno}", f"is not JSON: {error.msg}", _REMEDY) from None


class _Place:
    """A value of the document, and where it stands."""

    def __init__(self, file: str, path: str, value: object) -> None:
        self._file, self._path, self.value = file, path, value

    def fault(self, problem: str) -> DataFileError:
        """The error that this value is."""
        return DataFileError(f"{self._file}: {self._path or 'document'}", problem, _REMEDY)

    def member(self, name: str) -> _Place:
        """A member that must be there."""
        members = self._members()
        if name not in members:
            raise self.fault(f"has no {name}")
        return members[name]

    def each(self, read: Callable[[_Place], Value]) -> Mapping[str, Value]:
        """Every member, read."""
        return {name: read(place) for name, place in self._members().items()}

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.fault("is not a text")
        return self.value

    def texts(self) -> list[str]:
        """A list of strings."""
        if not isinstance(self.value, list):
            raise self.fault("is not a list")
        return [_Place(self._file, f"{self._path}[{i}]", each).text() for i, each in enumerate(self.value)]

    def number(self, least: float = 0.0, most: float = math.inf) -> float:
        """A number within bounds; JSON knows no infinite ones."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.fault("is not a number")
        if not least <= self.value <= most:
            raise self.fault(f"is not between {least:g} and {most:g}" if most < math.inf else f"is below {least:g}")
        return self.value

    def _members(self) -> Mapping[str, _Place]:
        if not isinstance(self.value, dict):
            raise self.fault("is not an object")
        dot = f"{self._path}." if self._path else ""
        return {name: _Place(self._file, f"{dot}{plain(name, 80)}", value) for name, value in self.value.items()}
