"""Packages as pip leaves them behind: modules, and a folder of metadata with entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(site: Path, name: str, version: str, entry_points: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """Put a distribution into the folder `site`: `modules` are texts by file name."""
    site.mkdir(exist_ok=True)
    lines = "".join(f"{offered} = {place}\n" for offered, place in entry_points.items())
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[llmload.frameworks]\n{lines}")
    for file, text in modules.items():
        (site / file).write_text(text)
