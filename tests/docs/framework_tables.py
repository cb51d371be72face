"""The tables of frameworks in README.md and docs/frameworks.md, written from what `llmload frameworks --json` prints.

`python -m tests.docs.framework_tables` writes them (`make docs`); a test keeps them current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.command import here

ROOT = Path(__file__).parents[2]
Framework = Mapping[str, object]


def listed() -> list[Framework]:
    """Our own frameworks, as the command lists them."""
    done = here("frameworks", "--json", cwd=ROOT)
    found: list[Framework] = json.loads(done.stdout)["frameworks"]
    return found


def in_full(frameworks: list[Framework]) -> str:
    """One row for each framework, with all its settings."""
    lines = [
        "| `framework` | `api` (default first) | `framework_config` (default) | run against |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{each['name']}` | {_apis(each)} | {_settings(each)} | {_servers(each)} |" for each in frameworks]
    return "\n".join(lines)


def in_brief(frameworks: list[Framework]) -> str:
    """One column for each framework: what it speaks, and whether it met a real server."""
    columns: list[Callable[[Framework], str]] = [lambda each: f"`{each['name']}`", lambda _: "---", _apis, _servers]
    names = ("", "---", "API", "run against")
    rows = (" | ".join([name, *(cell(each) for each in frameworks)]) for name, cell in zip(names, columns, strict=True))
    return "\n".join(f"| {row} |" for row in rows)


def _apis(framework: Framework) -> str:
    apis = framework["apis"]
    assert isinstance(apis, list)
    return ", ".join(apis) or "none yet"


def _settings(framework: Framework) -> str:
    settings = framework["settings"]
    assert isinstance(settings, list)
    return "<br>".join(f"`{each['name']}`: {each['type']} ({_value(each['default'])})" for each in settings)


def _value(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default)


def _servers(framework: Framework) -> str:
    return str(framework["ran_against"] or "no real server yet")


PAGES = {ROOT / "docs" / "frameworks.md": in_full, ROOT / "README.md": in_brief}
_TABLE = re.compile(r"(<!-- frameworks[^\n]*-->\n)(?:\|[^\n]*\n)*")


def written(page: str, table: str) -> str:
    """The page with the table in its place; ValueError where it has none."""
    found, count = _TABLE.subn(lambda mark: f"{mark[1]}{table}\n", page)
    if count != 1:
        raise ValueError(f"{count} places for the table of frameworks")
    return found


if __name__ == "__main__":
    for path, table in PAGES.items():
        path.write_text(written(path.read_text(encoding="utf-8"), table(listed())), encoding="utf-8")
