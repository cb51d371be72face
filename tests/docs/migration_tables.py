"""Reads docs/migration.md: its tables as rows, its fenced examples as text."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
GROUPS = ("store", "preset")
COLUMNS = ["old", "llmload", "state", "remark"]

_CELL_BORDER = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Command:
    """One call of the command line that the page names. Values are kept for `--format` alone: its help lists them."""

    text: str
    verb: tuple[str, ...]  # two words where a group of verbs has it
    options: tuple[str, ...]
    format: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, with the heading it stands under."""

    section: str
    old: str
    llmload: str
    state: str
    remark: str

    @property
    def code(self) -> list[str]:
        """What the llmload column names, span by span."""
        return _CODE.findall(self.llmload)

    def __str__(self) -> str:
        return f"{self.old} is {self.llmload}".replace("`", "")


def rows() -> list[Row]:
    """Every row of every table that has our four columns, in the page's order."""
    section, found, is_ours = "", [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if not line.startswith("|"):
            is_ours = False
            continue
        cells = [cell.strip() for cell in _CELL_BORDER.split(line)[1:-1]]
        if cells == COLUMNS:
            is_ours = True
        elif is_ours and set(line) - set("|- "):
            old, llmload, state, remark = cells
            found.append(Row(section, old, llmload, state, remark))
    return found


def command(code: str) -> Command | None:
    """The call that a code span makes; None where it names something else, such as a field or a path."""
    words = shlex.split(code)
    if len(words) < 2 or words[0] != "llmload":
        return None
    options = tuple(word.partition("=")[0] for word in words if word.startswith("--"))
    shown = words[words.index("--format") + 1] if "--format" in words else None
    return Command(code, tuple(words[1:3] if words[1] in GROUPS else words[1:2]), options, shown)


def examples(section: str, language: str) -> list[str]:
    """The fenced blocks of one language below one heading."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")
    body = after.partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE)
