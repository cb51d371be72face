"""Presets by name: in the project, in the user's folder, in the package. The nearest of a name wins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PREFIX = "preset:"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
NAME_HINT = "Use small letters, digits and hyphens inside, like chat-short"

Origin = Literal["project", "user", "package"]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of presets, which need not be there."""

    origin: Origin
    path: Path


@dataclass(frozen=True, slots=True)
class Preset:
    """A file that is found under the name of a preset."""

    name: str
    folder: Folder

    @property
    def path(self) -> Path:
        """Its file, as it is shown."""
        return self.folder.path / f"{self.name}.yaml"


def preset_folders(env: Mapping[str, str], directory: Path) -> tuple[Folder, ...]:
    """Where presets are looked for, nearest first; `directory` is that of the scenario, or the working directory."""
    folders = [Folder("project", _project(directory) / "scenarios" / "presets")]
    if user := _user(env):
        folders.append(Folder("user", user))
    return (*folders, Folder("package", Path(__file__).parent.parent / "presets"))


def _project(directory: Path) -> Path:
    """The working copy that the folder lies in; where it lies in none, the working directory."""
    working = Path.cwd()
    whole = directory.resolve()
    found = next((each for each in (whole, *whole.parents) if (each / ".git").exists()), working)
    return found.relative_to(working) if found.is_relative_to(working) else found


def _user(env: Mapping[str, str]) -> Path | None:
    """As the XDG base directories have it, where a relative folder is none."""
    if (configured := Path(env.get("XDG_CONFIG_HOME", ""))).is_absolute():
        return configured / "llmload" / "presets"
    home = env.get("HOME", "")
    return Path(home) / ".config" / "llmload" / "presets" if home else None


def presets_named(name: str, folders: tuple[Folder, ...]) -> tuple[Preset, ...]:
    """Every file of that name, nearest first: the first is the one that is meant, the others are shadowed."""
    if NAME.fullmatch(name) is None:
        return ()
    return tuple(found for folder in folders if (found := Preset(name, folder)).path.is_file())


def known_presets(folders: tuple[Folder, ...]) -> tuple[Preset, ...]:
    """Every preset of every folder, by name and then nearest first."""
    order = {folder: place for place, folder in enumerate(folders)}
    found = [preset for folder in folders for preset in _in(folder)]
    return tuple(sorted(found, key=lambda preset: (preset.name, order[preset.folder])))


def _in(folder: Folder) -> Iterator[Preset]:
    if folder.path.is_dir():
        yield from (
            Preset(path.stem, folder)
            for path in folder.path.glob("*.yaml")
            if path.is_file() and NAME.fullmatch(path.stem)
        )
