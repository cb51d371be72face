"""Reads a result.json back as far as runs are compared by it: figures, estimates, fingerprint, and what spoils them.

Such a file may come from anywhere. Whatever in it cannot be trusted is a fault with its path, and nothing of it is
compared then; fields that this version does not know are skipped, since version 1 grows by further fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from llmload.analysis.comparison import ComparedRun
from llmload.baseline import Estimate, Estimates
from llmload.domain import Step, StepMetrics, StepResult
from llmload.errors import DataFileError
from llmload.latency import LatencySummary
from llmload.plain_text import plain
from llmload.store.foreign_file import bytes_of
from llmload.verdict import Caveat, Status

API_VERSION = "llmload/result/v1"
LARGEST = 10_000_000  # bytes; result.json has at most 200,000
MOST_STEPS = 1_000
MOST_REPEATS = 1_000
LONGEST_TEXT = 20_000  # characters of the settings in a fingerprint, which are the longest text

_REMEDY = "Name a result.json that llmload wrote, or a run of the store"
_MOST_FAULTS = 20
_MOST = 2.0**53  # beyond it numbers of JSON are no longer whole
_FIGURE = re.compile(r"[a-z0-9_]{1,20}(\([a-z0-9_]{1,20}\))?")
_SHARES = ("goodput", "goodput_low", "goodput_high", "error_rate", "shared_reads")
_COUNTS = (
    "good", "cancelled", "dropped", "planned", "input_tokens", "output_tokens", "cached_tokens", "failed_output_tokens",
)  # fmt: skip
_AMOUNTS = ("window_s", "goodput_rps", "rps", "output_tps", "total_tps")


def read_result(path: Path) -> ComparedRun:
    """The run that `path` tells of; DataFileError names every place that cannot be trusted."""
    raw = bytes_of(path, LARGEST, _REMEDY)
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        where = f"{_name(path)}:{error.lineno}:{error.colno}"
        raise DataFileError(where, f"is not JSON: {error.msg.partition(':')[0]}", _REMEDY) from None
    document = _Place("document", value, [])
    version = document.at("apiVersion").value
    if version != API_VERSION:
        told = f"is {plain(version, 60)!r}" if isinstance(version, str) else "is missing"
        raise DataFileError(f"{_name(path)}: apiVersion", f"{told}, and not {API_VERSION!r}", _REMEDY)
    run = _run(document, str(path))
    if document.faults:
        raise _error(path, document.faults)
    return run


def _name(path: Path) -> str:
    return plain(str(path))


def _error(path: Path, faults: list[tuple[str, str]]) -> DataFileError:
    name = _name(path)
    (where, problem), *others = faults
    more = [f"{name}: {where}: {problem}." for where, problem in others[: _MOST_FAULTS - 1]]
    if len(faults) > _MOST_FAULTS:
        more.append(f"{name}: {len(faults) - _MOST_FAULTS:,} more.")
    return DataFileError(f"{name}: {where}", problem, _REMEDY, more)


@dataclass(frozen=True, slots=True)
class _Place:
    """A value and where it stands; whatever is wrong with it is added to `faults`."""

    path: str
    value: object
    faults: list[tuple[str, str]]

    def wrong(self, problem: str) -> None:
        self.faults.append((self.path, problem))

    def at(self, name: str) -> _Place:
        """A member of an object; null where it is missing."""
        inner = self.value.get(name) if isinstance(self.value, dict) else None
        return _Place(name if self.path == "document" else f"{self.path}.{plain(name, 60)}", inner, self.faults)

    def members(self) -> Iterator[tuple[str, _Place]]:
        """Of an object."""
        if isinstance(self.value, dict):
            yield from ((name, self.at(name)) for name in self.value)
        else:
            self.wrong("is not an object")

    def each(self, most: int) -> Iterator[_Place]:
        """Of a list."""
        if not isinstance(self.value, list):
            self.wrong("is not a list")
        elif len(self.value) > most:
            self.wrong(f"has {len(self.value):,} members, at most {most:,} are read")
        else:
            yield from (_Place(f"{self.path}[{n}]", value, self.faults) for n, value in enumerate(self.value))

    def text(self) -> str:
        if isinstance(self.value, str) and len(self.value) <= LONGEST_TEXT:
            return self.value
        self.wrong("is too long" if isinstance(self.value, str) else "is not text")
        return ""

    def number(self, most: float = _MOST) -> float:
        """From 0 to `most`."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong("is missing" if value is None else "is not a number")
        elif not 0 <= value <= most:
            self.wrong(f"is {value:g}, and not from 0 to {most:g}")
        else:
            return value
        return 0.0

    def number_or_none(self, most: float = _MOST) -> float | None:
        return None if self.value is None else self.number(most)

    def count(self) -> int:
        number = self.number()
        if number != int(number):
            self.wrong(f"is {number:g}, and not a whole number")
        return int(number)

    def count_or_none(self) -> int | None:
        return None if self.value is None else self.count()


# ---------------------------------------------------------------- the run


def _run(document: _Place, name: str) -> ComparedRun:
    return ComparedRun(
        name=name,
        run_id=document.at("run_id").text(),
        scenario=document.at("scenario").text(),
        created=document.at("created").text(),
        status=_status(document.at("verdict")),
        fingerprint={key: place.text() for key, place in document.at("fingerprint").members()},
        steps=_steps(document.at("steps")),
    )


def _status(place: _Place) -> Status:
    for status in Status:
        if status.value == place.value:
            return status
    place.wrong("is not a verdict")
    return Status.ERROR


def _steps(place: _Place) -> tuple[StepResult, ...]:
    found: dict[tuple[str, float], StepResult] = {}
    for index, each in enumerate(place.each(MOST_STEPS)):
        step = Step(index, _axis(each.at("axis")), each.at("value").number())
        if (step.axis, step.value) in found:
            each.wrong("is a step that stands there twice")
        found[step.axis, step.value] = StepResult(
            step,
            (),
            _metrics(each.at("metrics")),
            (),
            tuple(_caveats(each.at("caveats"))),
            estimates=_estimates(each.at("estimates")),
            repeats=_repeats(each.at("repeats")),
        )
    return tuple(found.values())


def _axis(place: _Place) -> str:
    if place.value not in ("concurrency", "rate", "speed"):
        place.wrong("is not concurrency, rate or speed")
        return ""
    return str(place.value)


def _caveats(place: _Place) -> Iterator[Caveat]:
    """Only what every caveat has: whether it spoils the step, and the rule that did not hold."""
    for each in place.each(MOST_STEPS):
        is_fatal = each.at("is_fatal")
        if not isinstance(is_fatal.value, bool):
            is_fatal.wrong("is not true or false")
        yield Caveat(plain(each.at("rule").text()), "", "", is_fatal=is_fatal.value is True)


# ---------------------------------------------------------------- figures


def _metrics(place: _Place) -> StepMetrics:
    if not isinstance(place.value, dict):
        place.wrong("is not an object")
    shares = {name: place.at(name).number_or_none(1.0) for name in _SHARES}
    amounts = {name: place.at(name).number_or_none() for name in _AMOUNTS}
    counts = {name: place.at(name).count_or_none() for name in _COUNTS}
    attempts, ok = place.at("attempts").count(), place.at("ok").count()
    if ok > attempts:
        place.at("ok").wrong("is more than attempts")
    return StepMetrics(
        window_s=amounts["window_s"],
        attempts=attempts,
        ok=ok,
        good=counts["good"],
        cancelled=counts["cancelled"],
        dropped=counts["dropped"],
        planned=counts["planned"],
        goodput=shares["goodput"],
        goodput_low=shares["goodput_low"],
        goodput_high=shares["goodput_high"],
        goodput_rps=amounts["goodput_rps"],
        error_rate=shares["error_rate"],
        rps=amounts["rps"],
        output_tps=amounts["output_tps"],
        total_tps=amounts["total_tps"],
        input_tokens=counts["input_tokens"],
        output_tokens=counts["output_tokens"],
        cached_tokens=counts["cached_tokens"],
        failed_output_tokens=counts["failed_output_tokens"],
        latency={name: _latency(each) for name, each in place.at("latency").members()},
        histograms={},
        errors={},
        token_sources={name: each.count() for name, each in place.at("token_sources").members()},
        shared_reads=shares["shared_reads"],
    )


def _latency(place: _Place) -> LatencySummary:
    return LatencySummary(
        count=place.at("count").count_or_none(),
        skipped=place.at("skipped").count_or_none(),
        mean_ms=place.at("mean_ms").number_or_none(),
        min_ms=place.at("min_ms").number_or_none(),
        max_ms=place.at("max_ms").number_or_none(),
        p50_ms=place.at("p50_ms").number(),
        p90_ms=place.at("p90_ms").number_or_none(),
        p95_ms=place.at("p95_ms").number(),
        p99_ms=place.at("p99_ms").number(),
    )


def _repeats(place: _Place) -> tuple[Estimates, ...]:
    return () if place.value is None else tuple(_estimates(each) for each in place.each(MOST_REPEATS))


def _estimates(place: _Place) -> Estimates:
    """Files of earlier versions have none."""
    if place.value is None:
        return {}
    return {name: _estimate(each) for name, each in place.members() if _FIGURE.fullmatch(name)}


def _estimate(place: _Place) -> Estimate:
    """A value that is null is infinite: only failed attempts reach it."""
    value = place.at("value").number_or_none()
    log_error = place.at("log_error").number_or_none()
    if not isinstance(place.value, dict) or "value" not in place.value:
        place.wrong("is not an estimate")
    return Estimate(math.inf if value is None else value, log_error)
