"""`llmload preset save`: sections of a scenario, or of a stored run, kept under a name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.scenario.preset_folders import Folder
    from llmload.scenario.tree import Node

_USUAL = "workload,load,slo,gates"


class Own(StrEnum):
    """A folder of presets that people write to."""

    PROJECT = "project"
    USER = "user"


def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: small letters, digits and hyphens.")],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Scenario file.")] = None,
    run: Annotated[str | None, typer.Option(help='Take it from a stored run: its id, or "latest".')] = None,
    parts: Annotated[str, typer.Option(help="Sections to keep, of workload, load, slo, gates and decision.")] = _USUAL,
    description: Annotated[str, typer.Option(help="What it is, and where its numbers come from.")] = "",
    where: Annotated[Own, typer.Option("--in", help="project or user: the folder to write it to.")] = Own.PROJECT,
    force: Annotated[bool, typer.Option("--force", help="Replace the preset of that name in this folder.")] = False,
    store: options.Store = options.DEFAULT_STORE,
) -> None:
    """Keep sections of a scenario as a preset. Variables stay variables, comments are lost, no server is kept.

    Example: llmload preset save nightly scenarios/quickstart.yaml --parts workload,load
    """
    from llmload.plain_text import plain
    from llmload.scenario.preset_file import preset_text, sections_of
    from llmload.scenario.preset_folders import NAME, NAME_HINT, Preset

    if NAME.fullmatch(name) is None:
        raise UsageError(plain(name, 100) or "NAME", "cannot be the name of a preset", NAME_HINT)
    if (file is None) == (run is None):
        raise UsageError("preset save", "takes one scenario", "Name a scenario FILE, or --run RUN")
    kept, wanted = Preset(name, _folder(where)), _known_parts(parts)
    root, directory, source = _of_file(file) if file is not None else _of_run(run or "", store)
    sections = sections_of(root, wanted, directory, kept)
    if not sections:
        raise UsageError(source, f"says nothing of {', '.join(wanted)}", "Choose other sections with --parts")
    text = preset_text(kept, description, sections, source, options.environment(None))
    _write(kept.path, text, "w" if force else "x")
    print(f"{plain(str(kept.path))} is written; scenarios take it with extends: [preset:{name}]")
    _tell_shadows(kept.path, name)


def _folder(where: Own) -> Folder:
    """The folder of the project or of the user; UsageError where the user has no home."""
    found = next((folder for folder in _folders() if folder.origin == where), None)
    if found is None:
        raise UsageError("--in user", "nobody says where your home is", "Set HOME or XDG_CONFIG_HOME")
    return found


def _folders() -> tuple[Folder, ...]:
    from llmload.scenario.preset_folders import preset_folders

    return preset_folders(options.environment(None), Path())


def _known_parts(text: str) -> tuple[str, ...]:
    from llmload.plain_text import plain
    from llmload.scenario.nearest import nearest
    from llmload.scenario.preset_file import PARTS

    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for part in wanted:
        if part not in PARTS:
            raise UsageError("--parts", f"{plain(part, 60)!r} is no section that a preset keeps", nearest(part, PARTS))
    return wanted


_Source = tuple["Node", Path, str]  # the document, the folder that its files lie in, and what it is called


def _of_file(path: Path) -> _Source:
    """The scenario over what it extends; ScenarioError where it cannot be read."""
    from llmload.scenario.loader import written_document

    return written_document(path, env=options.environment(None)), path.parent, str(path)


def _of_run(run: str, store: Path) -> _Source:
    """The document that a run was made by, with its defaults; UsageError for an imported run, which has none."""
    from llmload.scenario.loader import load_resolved
    from llmload.scenario.tree import read
    from llmload.store.database import open_existing

    with open_existing(store) as opened:
        run_id = opened.find(run)
        resolved = opened.resolved(run_id)
    root = read(resolved, f"run {run_id}")[0] if resolved else None
    if root is None:
        raise UsageError(f"run {run_id}", "has no scenario that could be kept", "Name a run that was measured here")
    load_resolved(resolved)  # whoever wrote it: a store may come from anyone
    return root, Path(), f"run {run_id}"


def _write(path: Path, text: str, mode: str) -> None:
    from llmload.store.replacing import replace

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == "x":
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        else:
            replace(path, text.encode())
    except FileExistsError:
        raise UsageError(str(path), "is there already", "Choose another name, or replace it with --force") from None
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(
            str(path), f"cannot be written: {reason}", "Choose the other --in, or check its rights"
        ) from None


def _tell_shadows(path: Path, name: str) -> None:
    from llmload.plain_text import plain
    from llmload.scenario.preset_folders import presets_named

    nearest, *others = presets_named(name, _folders())
    if nearest.path != path:
        print(f"note: it is shadowed by {plain(str(nearest.path))}")
        return
    for other in others:
        print(f"note: it shadows {plain(str(other.path))}")
