"""The tables of inputs and outputs in docs/ci.md, written from what the action itself declares.

`python -m tests.docs.action_tables` writes them (`make docs`); a test keeps them current.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github/actions/apply/action.yml"
PAGE = ROOT / "docs/ci.md"


def declared(part: str) -> Mapping[str, Mapping[str, str]]:
    """The `inputs` or the `outputs` of the action, by name, in its order."""
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))[part]
    return found


def inputs() -> str:
    """A row for each input."""
    rows = [
        f"| `{name}` | {_default(told)} | {_cell(told['description'])} |" for name, told in declared("inputs").items()
    ]
    return "\n".join(["| input | default | |", "| --- | --- | --- |", *rows])


def outputs() -> str:
    """A row for each output."""
    rows = [f"| `{name}` | {_cell(told['description'])} |" for name, told in declared("outputs").items()]
    return "\n".join(["| output | |", "| --- | --- |", *rows])


def _default(told: Mapping[str, str]) -> str:
    return f"`{told['default']}`" if told.get("default") else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


TABLES = {"inputs": inputs, "outputs": outputs}


def written(page: str) -> str:
    """The page with both tables in their places; ValueError where it lacks one."""
    for name, table in TABLES.items():
        place = re.compile(rf"(<!-- {name}[^\n]*-->\n)(?:\|[^\n]*\n)*")
        page, count = place.subn(lambda mark, table=table: f"{mark[1]}{table()}\n", page)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"{count} places for the table of {name}")
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
