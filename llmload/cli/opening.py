"""Shows a report in the program that the desktop has for it. What cannot be shown is told, and is no failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def show(files: Sequence[Path]) -> None:
    """Open the page among the files, or else the first one."""
    if not files:
        return
    path = next((file for file in files if file.suffix == ".html"), files[0]).absolute()
    if problem := _open(path):
        print(f"llmload: {path} is not opened: {problem}. Open it by hand", file=sys.stderr)


def show_address(address: str) -> None:
    """Open a page of the web."""
    if problem := _open(address):
        print(f"llmload: {address} is not opened: {problem}. Open it by hand", file=sys.stderr)


def _open(path: Path | str) -> str:
    """Why it could not be opened; "" where it was. Without a display xdg-open takes over the terminal."""
    if sys.platform not in ("darwin", "win32") and not any(os.environ.get(name) for name in _DISPLAYS):
        return "there is no display"
    return "nothing here opens such files" if typer.launch(str(path)) else ""
