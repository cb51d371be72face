"""A preset made of a scenario: some of its sections as text, checked as those that read it will check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from llmload.errors import ScenarioError, UsageError
from llmload.plain_text import plain as plain_text
from llmload.scenario.base_document import base_of
from llmload.scenario.conversion import as_yaml
from llmload.scenario.masking import scrub_text
from llmload.scenario.named_files import moved
from llmload.scenario.preset_folders import PREFIX, Preset
from llmload.scenario.tree import Node, Place, Scalar, find, plain

PARTS = ("workload", "load", "slo", "gates", "decision")
"""Sections of `spec` that a preset may keep: which server is meant, is no part of it, and nor are its keys."""


def sections_of(root: Node, parts: Sequence[str], directory: Path, preset: Preset) -> dict[str, object]:
    """Those sections of a document that are written, with its files, which lie in `directory`, as the preset sees them.

    Files are named in full where the preset is the user's, who may use it anywhere.
    """
    seen_from = None if preset.folder.origin == "user" else preset.folder.path
    whole = moved(root, directory, seen_from)
    nodes = {part: find(whole, ("spec", part)) for part in parts}
    return {part: plain(node) for part, node in nodes.items() if node is not None and not _is_null(node)}


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def preset_text(
    preset: Preset, description: str, sections: Mapping[str, object], source: str, env: Mapping[str, str]
) -> str:
    """The text of a preset. ScenarioError where it would not be valid, UsageError where it would hold a secret."""
    metadata = {"name": preset.name, **({"description": plain_text(description, 2000)} if description else {})}
    document = {"apiVersion": "llmload/v1", "kind": "Preset", "metadata": metadata, "spec": dict(sections)}
    text = f"# Saved by llmload from {plain_text(source, 200)}\n{as_yaml(document)}"
    base = base_of(f"{PREFIX}{preset.name}", preset.path, Place(str(preset.path), 1, 1), text, env)
    if base.troubles:
        raise ScenarioError(base.problems)
    pairs = zip(text.splitlines(), scrub_text(text, base.root).splitlines(), strict=False)
    held = next((line.strip() for line, shown in pairs if line != shown), None)
    if held is not None:
        where = plain_text(held.partition(":")[0], 60)
        raise UsageError(source, f"has a secret that a preset would keep ({where})", "Write ${NAME} in its place")
    return text
