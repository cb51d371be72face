"""`llmload preset`: named parts of scenarios, from the project, the user's folder and the package."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.preset_save import Own, save
from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.scenario.base_document import Base
    from llmload.scenario.preset_folders import Folder, Preset

preset = typer.Typer(
    name="preset", help="Named parts of scenarios, for `extends`.", no_args_is_help=True, rich_markup_mode=None
)

_WIDEST = 100
"""Characters of a description in the list."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the preset.")]


class Where(StrEnum):
    """A folder of presets."""

    PROJECT = "project"
    USER = "user"
    PACKAGE = "package"


@preset.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print an array and nothing else.")] = False,
) -> None:
    """List every preset, and which ones are shadowed: the project's wins over the user's, that over the package's.

    Example: llmload preset list
    """
    from llmload.plain_text import plain
    from llmload.scenario.preset_folders import known_presets

    folders = _folders()
    presets = known_presets(folders)
    seen: dict[str, Preset] = {}
    rows = [(each, _read(each), seen.setdefault(each.name, each)) for each in presets]
    if json:
        _print_json(rows)
        return
    _print_text(rows)
    looked = ", ".join(f"{plain(str(folder.path))} ({folder.origin})" for folder in folders)
    print(f"\nFolders, nearest first: {looked}")


_Row = tuple["Preset", "Base", "Preset"]  # with the one that its name means


def _print_json(rows: list[_Row]) -> None:
    from dataclasses import asdict
    from json import dumps

    documents = [
        {
            "name": each.name,
            "folder": each.folder.origin,
            "path": str(each.path),
            "description": base.description,
            "shadowed_by": None if first is each else str(first.path),
            "problems": [asdict(problem) for problem in base.problems],
        }
        for each, base, first in rows
    ]
    print(dumps(documents, indent=2, ensure_ascii=False))


def _print_text(rows: list[_Row]) -> None:
    from llmload.plain_text import plain

    width = max((len(each.name) for each, _, _ in rows), default=0)
    for each, base, first in rows:
        words = base.description.partition(". ")[0]
        if base.troubles:
            words = f"cannot be used: {base.troubles[0].message}"
        elif first is not each:
            words = f"shadowed by {first.path}"
        print(f"{each.name:<{width}}  {each.folder.origin:<7}  {plain(words, _WIDEST)}".rstrip())


@preset.command()
def show(
    name: Name,
    where: Annotated[Where | None, typer.Option("--in", help="project, user or package; else the nearest.")] = None,
) -> None:
    """Print a preset as it is written, with the file that it comes from.

    Example: llmload preset show chat-short
    """
    import sys

    from llmload.errors import ScenarioError
    from llmload.plain_text import plain, plain_lines

    found, *others = _named(name, None if where is None else where.value)
    base = _read(found)
    if base.troubles:
        raise ScenarioError(base.problems)
    print(f"{plain(str(found.path))} ({found.folder.origin})", file=sys.stderr)
    for other in others:
        print(f"it shadows {plain(str(other.path))} ({other.folder.origin})", file=sys.stderr)
    print(plain_lines(base.text).rstrip("\n"))


preset.command()(save)


@preset.command()
def delete(
    name: Name,
    where: Annotated[Own | None, typer.Option("--in", help="project or user; else the nearest of both.")] = None,
) -> None:
    """Delete a preset of the project or of the user; those of the package stay.

    Example: llmload preset delete nightly
    """
    from llmload.plain_text import plain

    found = _named(name, None if where is None else where.value)[0]
    if found.folder.origin == "package":
        problem = "is a preset of the package, which cannot be deleted"
        raise UsageError(name, problem, "Save one of the same name into your project; it wins over this one")
    try:
        found.path.unlink()
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(found.path), f"cannot be deleted: {reason}", "Check its rights") from None
    print(f"{plain(str(found.path))} is deleted")


def _folders() -> tuple[Folder, ...]:
    from llmload.scenario.preset_folders import preset_folders

    return preset_folders(options.environment(None), Path())


def _named(name: str, origin: str | None) -> tuple[Preset, ...]:
    """Every preset of that name, nearest first; UsageError where there is none."""
    from llmload.scenario.nearest import nearest
    from llmload.scenario.preset_folders import known_presets, presets_named

    folders = tuple(folder for folder in _folders() if origin in (None, folder.origin))
    found = presets_named(name, folders)
    if not found:
        where = "" if origin is None else f" in the {origin}'s folder"
        raise UsageError(name, f"is no preset{where}", nearest(name, {each.name for each in known_presets(folders)}))
    return found


def _read(found: Preset) -> Base:
    """The document of a preset; UsageError where its file cannot be opened."""
    from llmload.scenario.base_document import read_base
    from llmload.scenario.preset_folders import PREFIX
    from llmload.scenario.tree import Place

    try:
        return read_base(f"{PREFIX}{found.name}", found.path, Place(str(found.path), 1, 1), options.environment(None))
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(str(found.path), f"cannot be read: {reason}", "Check its rights") from None
