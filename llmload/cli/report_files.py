"""Reports on disk. The files of one run are replaced together, so that two runs at once never mix theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from llmload.domain import RunResult
from llmload.errors import StoreError
from llmload.reporters.registry import REPORTERS, Render
from llmload.store.replacing import alone_in, replace


def write_reports(
    result: RunResult,
    directory: Path,
    formats: Sequence[str],
    reporters: Mapping[str, tuple[str, Render]] = REPORTERS,
) -> tuple[Path, ...]:
    """Render `result` in each format into `directory`; StoreError when the disk says no, old files then stay."""
    rendered = {name: render(result) for name, render in (reporters[form] for form in formats)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with alone_in(directory):
            return tuple(replace(directory / name, content) for name, content in rendered.items())
    except OSError as error:
        raise StoreError(
            str(directory),
            f"the reports cannot be written ({error.strerror})",
            f"Make room or choose another --out, then: llmload report {result.header.run_id}",
        ) from error
