"""Reports on disk. The files of one run are replaced together, so that two runs at once never mix theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from llmload.domain import RunResult
from llmload.errors import StoreError
from llmload.reporters.registry import REPORTERS, Render
from llmload.reporters.texts import Texts
from llmload.store.replacing import alone_in, replace


def write_reports(
    result: RunResult,
    directory: Path,
    formats: Sequence[str],
    texts: Texts,
    reporters: Mapping[str, Render] = REPORTERS,
) -> tuple[Path, ...]:
    """Render `result` in each format into `directory`; StoreError when the disk says no, old files then stay."""
    rendered = {name: content for form in formats for name, content in reporters[form](result, texts).items()}
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
