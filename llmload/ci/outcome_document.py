"""outcome.json: what a command came to, as a document, and back. It says which file has the result of each entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from llmload import __version__
from llmload.analysis.conclusions import DIFFERENT, PRECEDENCE, worst_code
from llmload.errors import Problem
from llmload.outcome import Command, Entry, Outcome
from llmload.plain_text import plain
from llmload.store.places import Place, document_of, refuse_faults

API_VERSION = "llmload/outcome/v1"
LARGEST = 5_000_000
"""Bytes of outcome.json."""

MOST_ENTRIES = 1_000
REMEDY = "Name a folder that `--outcome` wrote, its outcome.json, or a result.json"

_MOST_PROBLEMS = 200
_MOST_REPORTS = 200
_LONGEST_MESSAGE = 2_000
_LONGEST_PATH = 4_096
_RESULT = re.compile(r"results/[A-Za-z0-9][A-Za-z0-9_-]{0,150}\.json")


class Filed(NamedTuple):
    """An entry whose result lies in a file of the folder, "" for none."""

    entry: Entry
    result: str


def outcome_document(outcome: Outcome, results: Sequence[str]) -> bytes:
    """The document; `results` names the file of each entry's result, "" for none.

    Of problems the line of the document is left out: it may hold what its author should not have written there.
    """
    entries = [
        {
            "source": plain(entry.source),
            "exit_code": entry.exit_code,
            "result": result or None,
            "problems": [_problem_document(each) for each in entry.problems[:_MOST_PROBLEMS]],
            "message": plain(entry.message, _LONGEST_MESSAGE),
            "reports": [each for each in entry.reports if plain(each, _LONGEST_PATH) == each][:_MOST_REPORTS],
        }
        for entry, result in zip(outcome.entries, results, strict=True)
    ]
    document = {
        "apiVersion": API_VERSION,
        "kind": "Outcome",
        "llmload_version": __version__,
        "command": outcome.command.value,
        "exit_code": outcome.exit_code,
        "entries": entries,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _problem_document(problem: Problem) -> dict[str, str | int]:
    return {
        "file": plain(problem.file),
        "line": problem.line,
        "column": problem.column,
        "path": plain(problem.path),
        "message": plain(problem.message),
        "hint": plain(problem.hint),
    }


# ---------------------------------------------------------------- back


def read_document(path: Path) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome, still without results, and the file of each; DataFileError names what cannot be trusted."""
    document = document_of(path, API_VERSION, LARGEST, REMEDY)
    command = document.at("command").word(Command)
    filed = list(_entries(document.at("entries"), command))
    code = _exit_code(document.at("exit_code"), command)
    codes = [each.entry.exit_code for each in filed]
    if command is not Command.COMPARE and not document.faults and worst_code((code, *codes)) != code:
        document.at("exit_code").wrong(f"is {code}, and an entry has {worst_code(codes)}")
    refuse_faults(path, document, REMEDY)
    return Outcome(command, code, tuple(each.entry for each in filed)), tuple(each.result for each in filed)


def _entries(place: Place, command: Command) -> Iterator[Filed]:
    for each in place.each(MOST_ENTRIES):
        entry = Entry(
            source=plain(each.at("source").text()),
            exit_code=_exit_code(each.at("exit_code"), command),
            problems=tuple(map(_problem, each.at("problems").each(_MOST_PROBLEMS))),
            message=plain(each.at("message").text(), _LONGEST_MESSAGE),
            reports=tuple(map(_report, each.at("reports").each(_MOST_REPORTS))),
        )
        yield Filed(entry, _result(each.at("result")))


def _exit_code(place: Place, command: Command) -> int:
    """One that the command may have ended with."""
    known = sorted((*PRECEDENCE, DIFFERENT) if command is Command.COMPARE else PRECEDENCE)
    code = place.count()
    if code not in known:
        place.wrong(f"is none of {', '.join(map(str, known))}")
        return 70
    return code


def _result(place: Place) -> str:
    """The name of a file in `results`, and nowhere else; "" for none."""
    name = place.text_or_none()
    if name is not None and not _RESULT.fullmatch(name):
        place.wrong("is no file in results/")
        return ""
    return name or ""


def _report(place: Place) -> str:
    """A path of the job that wrote it, on one line: it is told and never opened."""
    path = place.text()
    if plain(path, _LONGEST_PATH) != path:
        place.wrong("is not a path in one line")
    return path


def _problem(place: Place) -> Problem:
    return Problem(
        file=plain(place.at("file").text()),
        line=place.at("line").count(),
        column=place.at("column").count(),
        path=plain(place.at("path").text()),
        message=plain(place.at("message").text()),
        hint=plain(place.at("hint").text()),
    )
