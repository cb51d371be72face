"""A document of any version as text of the newest one."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from llmload.errors import ScenarioError
from llmload.scenario.masking import quotable_lines, quotable_sets
from llmload.scenario.overrides import FILE, override
from llmload.scenario.source import Source
from llmload.scenario.tree import Node, Place, Trouble, plain, read
from llmload.scenario.versions import to_current


class _Indented(yaml.SafeDumper):
    """Lists stand deeper than their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def convert_text(text: str, source: str) -> tuple[str, tuple[str, ...]]:
    """The v1 text of the same meaning and what its author should read; a v1 document stays as it is."""
    root, troubles = read(text, source)
    origins = Source({source: quotable_lines(text, root)})
    if root is None and not troubles:
        troubles = [Trouble(Place(source, 1, 1), "document", "the document is empty", "Start with `llmload init`")]
    if root is None or troubles:
        raise ScenarioError(origins.problems(troubles))
    current, notices, troubles = to_current(root)
    if current is None:
        raise ScenarioError(origins.problems(troubles))
    if current is root:
        return text, ("is llmload/v1 already.",)
    return _written(current), notices


def overridden(text: str, source: str, sets: Sequence[str]) -> str:
    """The text of a v1 document with every `--set` written into it; ScenarioError for a set that cannot be."""
    root, troubles = read(text, source)
    origins = Source({source: quotable_lines(text, root), FILE: quotable_sets(sets)})
    if root is not None:
        root, found = override(root, sets)
        troubles += found
    if root is None or troubles:
        raise ScenarioError(origins.problems(troubles))
    return _written(root)


def _written(root: Node) -> str:
    return as_yaml(plain(root))


def as_yaml(document: object) -> str:
    """The text of a document as people write it."""
    return yaml.dump(document, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=120)
