"""docs/shared-prefixes.md: its fields are the document's, its scenario is valid, its figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from llmload.scenario.document.shared_prefix import SharedPrefix
from llmload.scenario.loader import load_text
from llmload.scenario.traffic import HITS_TOLERANCE
from llmload.scenario.traffic import SharedPrefix as Resolved
from llmload.workload.shared_prefix import popularity

PAGE = (Path(__file__).parents[2] / "docs/shared-prefixes.md").read_text(encoding="utf-8")
HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {simulator: {}}\n"


def test_its_example_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    indented = "".join(f"  {line}\n" for line in block.splitlines())
    found = load_text(HEAD + indented, "shared-prefixes.md", env={}, directory=Path())
    assert found.workload.prefixes == {None: Resolved(320, 8, 1.0, 0.6)}


def test_its_table_has_every_field_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE))
    assert {name: text.strip() for name, text in rows.items()} == {
        name: "" if field.default is None else str(field.default) for name, field in SharedPrefix.model_fields.items()
    }


def test_its_figures_are_those_of_the_code() -> None:
    assert f"the first one has {popularity(Resolved(320, 8, 1.0))[0]:.0%}".replace("%", " %") in PAGE
    assert f"More than {round(HITS_TOLERANCE * 100)} points off" in PAGE
