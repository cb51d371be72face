"""The outputs of a job, for the steps behind it: our own words, numbers, run ids and paths, by name.

GitHub reads them from the file that `GITHUB_OUTPUT` names: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path, PurePath

from llmload.analysis.conclusions import conclusion_of, failed_gates, job_code, lowest_goodput, regressions
from llmload.outcome import FailOn, Outcome

JUNIT = "junit.xml"
JSON = "result.json"

_UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # ends lines, is hidden, or is half a character
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")  # of a file of others it may be anything
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class JobOutputs:
    """`values` by the name of the output, several paths on a line each; `left_out` are paths that none can hold."""

    values: Mapping[str, str]
    left_out: tuple[str, ...] = ()


def outputs_of(outcome: Outcome, fail_on: FailOn, suffix: str = "") -> JobOutputs:
    """What the job of this outcome tells the steps behind it; an unknown figure is an empty text.

    `suffix` tells the artifacts of shards apart.
    """
    reports = list(dict.fromkeys(path for entry in outcome.entries for path in entry.reports))
    kept = [path for path in reports if not _UNTOLD.search(path)]
    runs = (entry.result.header.run_id for entry in outcome.entries if entry.result is not None)
    values = {
        "verdict": conclusion_of(outcome).value,
        "exit-code": str(outcome.exit_code),
        "job-code": str(job_code(outcome, fail_on)),
        "goodput": _share(lowest_goodput(outcome)),
        "failed-gates": str(failed_gates(outcome)),
        "regressions": str(regressions(outcome)),
        "run-id": " ".join(dict.fromkeys(run for run in runs if _RUN.fullmatch(run))),
        "report-dir": "\n".join(_folders(kept)),
        "junit-path": "\n".join(path for path in kept if PurePath(path).name == JUNIT),
        "json-path": "\n".join(path for path in kept if PurePath(path).name == JSON),
        "artifact-suffix": suffix,
    }
    return JobOutputs(values, tuple(path for path in reports if path not in kept))


def append_outputs(file: Path, values: Mapping[str, str]) -> None:
    """Append to GitHub's file; OSError where it cannot be. No value can end itself, or begin another output."""
    with file.open("a", encoding="utf-8", newline="\n") as opened:
        opened.write("".join(_block(name, value) for name, value in values.items()))


def lines_of(values: Mapping[str, str]) -> Iterator[str]:
    """`name=value` for people and other systems: a line for each of several paths."""
    return (f"{name}={line}" for name, value in values.items() for line in value.split("\n"))


def _block(name: str, value: str) -> str:
    """The delimiter cannot be known beforehand, and so stands in no value."""
    delimiter = f"llmload_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _share(share: float | None) -> str:
    """Rounded down, so that only what is whole reads as 1."""
    if share is None:
        return ""
    return f"{Decimal(repr(share)).quantize(_PLACES, ROUND_DOWN).normalize():f}"


def _folders(reports: Sequence[str]) -> list[str]:
    """The folder in which all reports lie; each of theirs where there is none but the working directory or above.

    Whoever uploads it must not upload a whole checkout.
    """
    folders = sorted({PurePath(path).parent.as_posix() for path in reports})
    if len(folders) < 2 or any(PurePath(folder).is_absolute() for folder in folders):
        return folders
    common = os.path.commonpath([os.path.normpath(folder) for folder in folders])
    return folders if common in ("", ".") or ".." in PurePath(common).parts else [PurePath(common).as_posix()]
