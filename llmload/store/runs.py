"""Rows of `runs` <-> what the rest of the house knows of a run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

from llmload.baseline import Reference
from llmload.cells import CELL_LABEL, title_of
from llmload.domain import Observation, RunHeader, StepResult, TargetFacts, TokenFit, TokenSource
from llmload.errors import StoreError
from llmload.verdict import Caveat

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it lies in the store; `status` is one of `database.STATUSES`."""

    header: RunHeader
    facts: TargetFacts | None
    observations: tuple[Observation, ...]
    status: str
    finished: str | None
    caveats: tuple[Caveat, ...] = ()  # of the run as a whole, as it was judged when it ended
    steps: tuple[StepResult, ...] = ()  # of an imported run, whose figures are all there is
    reference: Reference | None = None  # what its relative gates were judged against when it ended


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the history. `goodput` (0..1) is that of the headline step; None = not known (yet)."""

    run_id: str
    scenario: str
    created: str
    finished: str | None
    status: str
    verdict: str | None
    framework: str | None
    model: str | None
    step: str | None
    goodput: float | None
    ttft_p99_ms: float | None
    output_tps: float | None
    because: str | None
    cell: str | None = None  # of the matrix of its scenario

    @property
    def title(self) -> str:
        """The scenario for people, with its cell where it has one."""
        return title_of(self.scenario, {CELL_LABEL: self.cell or ""})


def new_run_id(now: datetime, noise: bytes) -> str:
    """Id that sorts by time, such as 20261121-014307-3f9a2c1b; `now` in UTC, four random bytes keep five runs apart."""
    return f"{now:%Y%m%d-%H%M%S}-{noise.hex()}"


HEADER = (
    "run_id, scenario, created, llmload_version, document_text, document_hash, resolved, source, labels, environment"
)
FACTS = (
    "target_url, framework, api, model, framework_version, max_model_len, token_fit, framework_config, declared,"
    " left_out, framework_actual"
)
SUMMARY = (
    "run_id, scenario, created, finished, status, verdict, framework, model, headline_step, goodput, ttft_p99_ms,"
    " output_tps, because,"
    " (SELECT value FROM run_labels WHERE run_labels.run = runs.run AND name = 'llmload.cell')"
)


def header_row(header: RunHeader) -> tuple[Value, ...]:
    """Values for the columns of HEADER."""
    values = (
        header.run_id,
        header.scenario,
        header.created,
        header.version,
        header.document_text,
        header.document_hash,
        header.resolved,
        header.source,
        to_json(header.labels),
        to_json(header.environment),
    )
    return plain_row(values)


def header_of(row: sqlite3.Row) -> RunHeader:
    """The header in a row of `runs`; StoreError where no llmload wrote it so."""
    with _readable(row):
        return RunHeader(
            run_id=row["run_id"],
            scenario=row["scenario"],
            created=row["created"],
            version=row["llmload_version"],
            document_text=row["document_text"],
            document_hash=row["document_hash"],
            resolved=row["resolved"],
            source=row["source"],
            labels=texts_of(row["labels"]),
            environment=texts_of(row["environment"]),
        )


@contextmanager
def _readable(row: sqlite3.Row) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise unreadable(row, error) from error


def unreadable(row: sqlite3.Row, error: Exception) -> StoreError:
    """What is said of a row of `runs` that no llmload wrote so."""
    problem = f"what is stored of it cannot be read ({type(error).__name__})"
    return StoreError(f"run {row['run_id']}", problem, "Look for what changed the store, or merge the run anew")


def texts_of(stored: str) -> dict[str, str]:
    """A JSON object of names and words, such as labels; ValueError for any other text."""
    return {name: str(value) for name, value in _document(stored, dict).items()}


def _document(stored: str, kind: type[_Kind]) -> _Kind:
    try:
        found = json.loads(stored)
    except RecursionError:
        raise ValueError("values within values without end") from None
    if not isinstance(found, kind):
        raise ValueError(f"this is no {kind.__name__}")
    return found


def facts_row(facts: TargetFacts) -> tuple[Value, ...]:
    """Values for the columns of FACTS."""
    values = (
        facts.url,
        facts.framework,
        facts.api,
        facts.model,
        facts.version,
        facts.max_model_len,
        None if facts.fit is None else to_json(asdict(facts.fit)),
        to_json(facts.settings),
        to_json(facts.declared),
        to_json(facts.left_out),
        to_json(facts.actual),
    )
    return plain_row(values)


def facts_of(row: sqlite3.Row) -> TargetFacts | None:
    """What the probe learnt, from a row of `runs`; None when the run never got that far, StoreError as above."""
    if row["framework"] is None:
        return None
    with _readable(row):
        return TargetFacts(
            url=row["target_url"],
            framework=row["framework"],
            api=row["api"],
            model=row["model"],
            version=row["framework_version"],
            max_model_len=row["max_model_len"],
            fit=None if row["token_fit"] is None else _fit_of(row["token_fit"]),
            settings=_document(row["framework_config"], dict),
            declared=tuple(map(str, _document(row["declared"], list))),
            left_out=tuple(map(str, _document(row["left_out"], list))),
            actual=_document(row["framework_actual"], dict),
        )


def _fit_of(stored: str) -> TokenFit:
    fit = _document(stored, dict)
    return TokenFit(fit["template"], fit["per_word"], fit["residual"], TokenSource(fit["source"]))


def to_json(value: Mapping[str, object] | tuple[object, ...]) -> str:
    """Canonical JSON: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


Value = str | float | int | bytes | None

_MOST = 2**63 - 1


def plain_row(values: Iterable[Value]) -> tuple[Value, ...]:
    """A row that SQLite can hold."""
    return tuple(_held(value) for value in values)


def _held(value: Value) -> Value:
    if isinstance(value, str):
        return plain(value)
    return bounded(value) if isinstance(value, int) else value


def plain(text: str | None) -> str | None:
    """Text that SQLite can hold: a lone surrogate, which a hostile server may send, becomes a question mark."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def bounded(count: int | None) -> int | None:
    """A server may claim any number of tokens; SQLite holds 63 bits."""
    return None if count is None else min(count, _MOST)
