"""`llmload validate`: every problem of a document, offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmload.errors import Problem


class Format(StrEnum):
    """How problems are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    files: Annotated[list[Path], typer.Argument(help="Scenario files, or presets.")],
    format: Annotated[Format, typer.Option(help="text, json, or github annotations.")] = Format.TEXT,  # noqa: A002
    schema: Annotated[bool, typer.Option("--schema", help="Hold it against the JSON Schema too.")] = False,
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    env_file: options.EnvFile = None,
    outcome: options.Outcome = None,
) -> None:
    """Check scenarios and presets without touching a server; exit code 2 when one is wrong.

    Example: llmload validate scenarios/*.yaml
    """
    from llmload.cli.outcome_record import Keep, recorded
    from llmload.outcome import Command, Entry

    checked: dict[str, _Checked] = {}

    def work(keep: Keep) -> int:
        env = options.environment(env_file)
        for path in files:
            checked[str(path)] = problems, _ = _check(path, sets, env, schema=schema)
            keep(Entry(str(path), 2 if problems else 0, problems=tuple(problems)))
        return 2 if any(problems for problems, _ in checked.values()) else 0

    code = recorded(outcome, Command.VALIDATE, [str(path) for path in files], work)
    match format:
        case Format.TEXT:
            _tell_text(checked)
        case Format.JSON:
            _tell_json(checked)
        case Format.GITHUB:
            _tell_github(checked)
    raise typer.Exit(code)


_Checked = tuple["Sequence[Problem]", "Sequence[str]"]


def _check(path: Path, sets: Sequence[str], env: Mapping[str, str], *, schema: bool) -> _Checked:
    """The problems of one file, and the sentences that its author should read."""
    from llmload.errors import Problem, ScenarioError, UsageError
    from llmload.scenario.base_document import preset_in
    from llmload.scenario.loader import read_cells
    from llmload.scenario.text_file import read_file

    try:
        preset = preset_in(path, read_file(path), env)
        if preset is not None:
            return preset.problems, ()
        cells = read_cells(path, sets=sets, env=env)
    except ScenarioError as error:
        return error.problems, ()
    except UsageError as error:
        return [Problem(error.where, 1, 1, "document", error.problem, error.remedy)], ()
    notices = list(cells[0].notices)
    if (count := len(cells)) > 1 or cells[0].cell is not None:
        notices.append(f"its matrix has {count} cell{'s' if count > 1 else ''}; `llmload plan` lists them")
    notices = list(dict.fromkeys(notices))
    if not schema:
        return (), notices
    from llmload.scenario.schema import against_schema

    return list(dict.fromkeys(each for loaded in cells for each in against_schema(loaded))), notices


def _tell_text(checked: Mapping[str, _Checked]) -> None:
    for name, (problems, notices) in checked.items():
        print("\n".join(str(problem) for problem in problems) if problems else f"{plain(name)}: valid")
        for notice in notices:
            print(f"  note: {plain(notice)}")


def _tell_json(checked: Mapping[str, _Checked]) -> None:
    import json
    from dataclasses import asdict

    documents = [
        {
            "file": name,
            "valid": not problems,
            "problems": [asdict(problem) for problem in problems],
            "notices": list(notices),
        }
        for name, (problems, notices) in checked.items()
    ]
    print(json.dumps(documents, indent=2, ensure_ascii=False))


def _tell_github(checked: Mapping[str, _Checked]) -> None:
    from llmload.reporters.workflow_commands import Annotation, Level, command

    for name, (problems, notices) in checked.items():
        for each in problems:
            told = (f"{each.message}. {each.hint}",)
            print(command(Annotation(Level.ERROR, told, each.file, each.line, each.column, each.path)))
        for notice in notices:
            print(command(Annotation(Level.NOTICE, (notice,), name)))
