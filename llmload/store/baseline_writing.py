"""A baseline as bytes, and how one on disk is changed: reviewed data, written only when somebody says so.

The same content gives the same bytes, with sorted keys and a line for each step of each run, so that a pull request
shows what changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from llmload.analysis.baselines import rounded
from llmload.errors import UsageError
from llmload.latency import Histogram
from llmload.store.baseline_file import BaselineFile, BaselineRun, Entry, read, read_file
from llmload.store.baseline_schema import API_VERSION, KIND, EntryDocument, HistogramDocument, RunDocument
from llmload.store.comparison import steps_document
from llmload.store.replacing import alone_in, replace

SIZE_LIMIT = 200_000
"""Bytes that histograms may fill a file to; they grow coarser first, and are then left out. Runs never are."""

_THRIFT = (1, 2, 4, 8, 16)  # buckets merged into one


def render(file: BaselineFile) -> bytes:
    """The whole file, with histograms as fine as its size allows."""
    text = b""
    for merged in (*_THRIFT, 0):
        text = _encode(_document(file, merged))
        if len(text) < SIZE_LIMIT:
            break
    return text


def rewrite(path: Path, change: Callable[[BaselineFile | None], BaselineFile]) -> BaselineFile:
    """Replace the file by what `change` makes of it (None: there is none yet); of two at once, one waits for the other.

    What is written is read again first, so that no file is left which llmload would refuse. UsageError where the disk
    says no, DataFileError where what lies there cannot be trusted; the old file then stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(path.parent):
            changed = change(read_file(path) if path.exists() else None)
            content = render(changed)
            written = read(content, str(path))
            replace(path, content)
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(path), f"cannot be written: {reason}", "Make room, or name another folder") from None
    return written


# ---------------------------------------------------------------- the document


def _document(file: BaselineFile, merged: int) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "scenario": file.scenario,
        "fingerprint": dict(file.fingerprint),
        "runs": [_run(run) for run in file.runs],
        "histograms": {
            label: {metric: _histogram(each, merged) for metric, each in metrics.items()}
            for label, metrics in (file.histograms.items() if merged else ())
        },
        "history": [_entry(entry) for entry in file.history],
    }


def _run(run: BaselineRun) -> RunDocument:
    past = rounded(run.past)
    return {
        "run_id": past.run_id,
        "created": past.created,
        "commit": past.commit,
        "llmload_version": run.version,
        "steps": steps_document(past.steps),
    }


def _histogram(histogram: Histogram, merged: int) -> HistogramDocument:
    """`merged` buckets become one: what is counted stays, and the edge is the last one's. Empty ones are left out."""
    bounds, counts = histogram.bounds_ms, histogram.counts
    starts = range(0, len(bounds), merged)
    rows = [(bounds[min(at + merged, len(bounds)) - 1], sum(counts[at : at + merged])) for at in starts]
    return {
        "bounds_ms": [bound for bound, count in rows if count],
        "counts": [count for _, count in rows if count],
    }


def _entry(entry: Entry) -> EntryDocument:
    told: EntryDocument = {
        "at": entry.at,
        "action": entry.action.value,
        "reason": entry.reason,
        "added": list(entry.added),
        "removed": list(entry.removed),
    }
    if entry.since is not None:
        told["since"] = entry.since
    return told


# ---------------------------------------------------------------- its layout


def _encode(document: dict[str, object]) -> bytes:
    return ("".join(_laid_out(document, 0)) + "\n").encode("utf-8")


def _laid_out(value: object, depth: int) -> Iterator[str]:
    """Containers over several lines as far as they hold others that hold others; what is smaller is one line."""
    begin, end = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    is_open = depth < 2 or _height(value) > 2
    match value:
        case dict() if value and is_open:
            for place, (key, each) in enumerate(sorted(value.items())):
                yield f"{',' if place else '{'}{begin}{_scalar(key)}: "
                yield from _laid_out(each, depth + 1)
            yield f"{end}}}"
        case list() if value and is_open:
            for place, each in enumerate(value):
                yield f"{',' if place else '['}{begin}"
                yield from _laid_out(each, depth + 1)
            yield f"{end}]"
        case dict():
            yield "{" + ", ".join(f"{_scalar(k)}: {''.join(_laid_out(v, 9))}" for k, v in sorted(value.items())) + "}"
        case list():
            yield "[" + ", ".join("".join(_laid_out(each, 9)) for each in value) + "]"
        case _:
            yield _scalar(value)


def _height(value: object) -> int:
    match value:
        case dict():
            return 1 + max((_height(each) for each in value.values()), default=0)
        case list():
            return 1 + max((_height(each) for each in value), default=0)
        case _:
            return 0


def _scalar(value: object) -> str:
    """People read the reasons in their own script; what hides or reorders text is spelled out."""
    return json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()), allow_nan=False)
